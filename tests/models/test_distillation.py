"""A student taught by a teacher: losses by hand, and a teacher that stays outside."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from efficientpose.codecs.targets import render_heatmaps, render_pafs
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.skeleton import FLIP_INDICES
from efficientpose.models.criterion import PoseMaps
from efficientpose.models.distillation import PoseMapDistiller, resample, resample_pafs

STUDENT_SIZE, TEACHER_SIZE = (32, 32), (64, 64)


def tiny_model(**head):
    """RT's model with a small head."""
    model = Config.fromfile(mpii_config_path("rt")).model
    model.head.update(dict(channels=4) | head)
    model.head.decoder.input_size = STUDENT_SIZE
    model.backbone.high_pretrained = None  # it would be fetched
    return model


def write_teacher(folder, *, head=None, decoder=None, preprocessor=None, name="teacher"):
    """A config of a small teacher and its checkpoint."""
    torch.manual_seed(7)
    model = tiny_model(**(head or {}))
    model.head.decoder.update(dict(input_size=TEACHER_SIZE) | (decoder or {}))
    model.data_preprocessor.update(preprocessor or {})
    config = Config(dict(model=model.to_dict()))
    config.dump(folder / f"{name}.py")
    init_default_scope("mmpose")
    network = MODELS.build(copy.deepcopy(model))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
    torch.save(dict(state_dict=network.state_dict()), folder / f"{name}.pth")
    return dict(teacher=str(folder / f"{name}.py"), teacher_checkpoint=str(folder / f"{name}.pth")), network.eval()


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return write_teacher(tmp_path_factory.mktemp("teacher"))


def build_student(settings, *, head=None, initialise=False, **more):
    init_default_scope("mmpose")
    torch.manual_seed(0)
    model = tiny_model(**(head or {}))
    model.update(dict(type="PoseMapDistiller") | settings | more)
    student = MODELS.build(model)
    student.is_init = not initialise  # MMEngine would log every tensor, which takes seconds
    student.init_weights()
    return student


@pytest.fixture
def batch():
    """Two crops, normalised, with the second person's joints 3 and 9 not labelled."""
    rng = np.random.default_rng(0)
    samples = []
    for number in range(2):
        visible = np.ones((1, 16))
        visible[0, [3, 9]] = 1 - number
        truth = InstanceData(transformed_keypoints=rng.uniform(2, 30, (1, 16, 2)), keypoints_visible=visible)
        metainfo = dict(flip_indices=list(FLIP_INDICES), input_size=STUDENT_SIZE)
        samples.append(PoseDataSample(gt_instances=truth, metainfo=metainfo))
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)), samples


def test_losses_are_the_two_shares_worked_out_by_hand(teacher, batch, monkeypatch):
    """Constant maps: the student's are 0.25; the teacher's heatmaps 0.75, its fields (0.6, 0) at twice the cells."""
    settings, _ = teacher
    student = build_student(settings, head=dict(losses=dict(relative=False)), teacher_share=0.3).eval()
    small = PoseMaps(
        pafs=torch.full((2, 28, 4, 4), 0.25),
        heatmaps=(torch.full((2, 16, 4, 4), 0.25),) * 2,
        full_heatmaps=torch.full((2, 16, 32, 32), 0.25),
    )
    fields = torch.zeros(2, 28, 8, 8)
    fields[:, 0::2] = 0.6
    large = PoseMaps(
        pafs=fields, heatmaps=(torch.zeros(2, 16, 8, 8), torch.full((2, 16, 8, 8), 0.75)), full_heatmaps=None
    )
    monkeypatch.setattr(student.head, "forward", lambda feats: small)
    monkeypatch.setattr(student.teacher.head, "forward", lambda feats: large)
    losses = student.loss(*batch)
    # The last pass teaches. Twice as fine a grid doubles the fields to (1.2, 0), which are cut to (1, 0).
    assert losses["loss_teacher_heatmaps_1"].item() == pytest.approx(0.3 * 0.5**2)
    assert losses["loss_teacher_heatmaps_2"].item() == pytest.approx(0.3 * 0.5**2)
    assert losses["loss_teacher_full_heatmaps"].item() == pytest.approx(0.3 * 0.5**2)
    assert losses["loss_teacher_pafs"].item() == pytest.approx(0.3 * (0.75**2 + 0.25**2) / 2)
    plain = student.head.criterion(small, student.head.draw_targets(small, batch[1]))
    own = {name: loss.item() for name, loss in losses.items() if "teacher" not in name}
    assert own == pytest.approx({name: 0.7 * loss.item() for name, loss in plain.items()})
    assert len(losses) == 8


def test_the_teacher_s_losses_are_relative_as_the_head_s_are(teacher, batch):
    settings, _ = teacher
    plain = build_student(settings, head=dict(losses=dict(relative=False))).loss(*batch)
    relative = build_student(settings).loss(*batch)
    for name in ("pafs", "heatmaps_1", "full_heatmaps"):
        ratios = [relative[f"loss_{who}{name}"] / plain[f"loss_{who}{name}"] for who in ("", "teacher_")]
        torch.testing.assert_close(*ratios)
        assert ratios[0] > 1


def test_an_unlabelled_joint_is_taught_by_the_teacher_alone(teacher, batch):
    settings, _ = teacher
    student = build_student(settings).eval()
    inputs, samples = batch
    hidden = samples[1].gt_instances
    bias = student.head.passes[-1].predict.bias

    def gradient():
        student.zero_grad()
        sum(student.loss(inputs[1:], samples[1:]).values()).backward()
        return bias.grad[3].item()

    taught = gradient()
    hidden.transformed_keypoints[0, 3] = (-1e6, np.nan)
    assert gradient() == taught != 0
    student.teacher_share = 0
    assert gradient() == 0


def test_the_teacher_sees_the_same_crop_at_its_own_size(tmp_path, batch):
    scaling = dict(mean=[127.5] * 3, std=[127.5] * 3)
    settings, network = write_teacher(tmp_path, preprocessor=scaling)
    student = build_student(settings)
    pixels, seen = torch.full((1, 3, 32, 32), 10.0), torch.full((1, 3, 64, 64), 10.0)
    pixels[..., 16:] = seen[..., 32:] = 200.0
    # Half-way between columns 15 and 16 the enlarged crop passes a quarter and three quarters of the step.
    seen[..., 31], seen[..., 32] = 57.5, 152.5
    mean, std = (torch.tensor(each)[:, None, None] for each in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    with torch.no_grad():
        expected = network.head.forward(network.extract_feat((seen - 127.5) / 127.5))
    found = student.run_teacher((pixels - mean) / std)
    torch.testing.assert_close(found.heatmaps[-1], expected.heatmaps[-1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.pafs, expected.pafs, atol=1e-4, rtol=1e-4)
    assert found.pafs.shape == (1, 28, 8, 8)


def test_the_teacher_stays_outside(teacher, batch):
    settings, network = teacher
    student = build_student(settings)
    before = copy.deepcopy(student.teacher.state_dict())
    student.train()
    losses = student.loss(*batch)
    sum(losses.values()).backward()
    assert not student.teacher.training
    assert not any(module.training for module in student.teacher.modules())
    assert all(p.grad is None and not p.requires_grad for p in student.teacher.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in student.parameters())
    after = student.teacher.state_dict()
    assert all(torch.equal(before[name], network.state_dict()[name]) for name in before)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not {id(p) for p in student.parameters()} & {id(p) for p in student.teacher.parameters()}


def test_the_state_dict_is_a_plain_student_s(teacher):
    student = build_student(teacher[0])
    init_default_scope("mmpose")
    plain = MODELS.build(tiny_model())
    assert type(plain).__name__ == "TopdownPoseEstimator"
    assert student.state_dict().keys() == plain.state_dict().keys()
    plain.load_state_dict(student.state_dict(), strict=True)


def test_the_teacher_goes_along_to_another_type_and_memory_format(teacher):
    student = build_student(teacher[0]).to(torch.float64).to(memory_format=torch.channels_last)
    assert next(student.teacher.parameters()).dtype == torch.float64
    weight = next(p for p in student.teacher.parameters() if p.dim() == 4 and min(p.shape[:2]) > 1)
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_without_a_share_there_is_no_teacher_and_the_losses_are_the_head_s(teacher, batch):
    settings, _ = teacher
    untaught = build_student(settings | dict(teacher_checkpoint="nowhere.pth"), teacher_share=0)
    assert untaught.teacher is None
    plain = MODELS.build(tiny_model())
    plain.load_state_dict(untaught.state_dict())
    expected = plain.loss(*batch)
    found = untaught.loss(*batch)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], loss) for name, loss in expected.items())


def test_a_teacher_leaves_the_random_numbers_alone(teacher):
    drawn = []
    for share in (0.0, 0.5):
        student = build_student(teacher[0], teacher_share=share, initialise=True)
        drawn.append((torch.rand(3), student.state_dict()))
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert all(torch.equal(drawn[0][1][name], tensor) for name, tensor in drawn[1][1].items())


def test_it_predicts_without_its_teacher(teacher, batch):
    model = tiny_model()
    model.update(dict(type="PoseMapDistiller", teacher="ii", teacher_checkpoint="nowhere.pth"))
    student = MODELS.build(model).eval()
    assert student.head.predict(student.extract_feat(batch[0]), batch[1])[0].keypoints.shape == (1, 16, 2)
    with pytest.raises(RuntimeError, match="call init_weights first"):
        student.loss(*batch)


def test_a_variant_s_released_weights_are_its_teacher_s():
    model = tiny_model()
    model.update(dict(type="PoseMapDistiller", teacher="ii"))
    init_default_scope("mmpose")
    assert MODELS.build(model).teacher_checkpoint == "efficientpose://ii"


@pytest.mark.parametrize(
    ("head", "decoder", "message"),
    [
        (dict(num_keypoints=17), {}, "has 17 keypoints and the student 16"),
        (dict(num_limbs=0), {}, "has other limbs than the student, or none"),
        (dict(num_limbs=2), dict(limbs=[(0, 1), (1, 2)]), "has other limbs than the student, or none"),
    ],
)
def test_a_teacher_of_another_skeleton(tmp_path, head, decoder, message):
    settings, _ = write_teacher(tmp_path, head=head, decoder=decoder)
    with pytest.raises(ValueError, match=message):
        build_student(settings)


def test_a_teacher_of_other_colours(tmp_path):
    settings, _ = write_teacher(tmp_path, preprocessor=dict(bgr_to_rgb=False))
    with pytest.raises(ValueError, match="colours into the same order"):
        build_student(settings)


def test_a_teacher_s_checkpoint_of_another_network(teacher, tmp_path):
    settings, _ = teacher
    other, _ = write_teacher(tmp_path, head=dict(channels=8), name="other")
    with pytest.raises(ValueError, match="the checkpoint does not fit EfficientPoseHead"):
        build_student(settings | dict(teacher_checkpoint=other["teacher_checkpoint"]))


def test_absent_files(teacher):
    settings, _ = teacher
    with pytest.raises(FileNotFoundError, match=r"teacher_checkpoint 'gone\.pth': .*gone\.pth"):
        build_student(settings | dict(teacher_checkpoint="gone.pth"))
    with pytest.raises(FileNotFoundError, match=r"teacher 'gone\.py': no such config, nor one of the variants rt, i"):
        build_student(settings | dict(teacher="gone.py"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(teacher="ii", teacher_share=1.5), r"teacher_share must be 0 to 1, got 1\.5"),
        (dict(teacher="vi"), "teacher 'vi' is not one of rt, i"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(ValueError, match=message):
        build_student(settings)


def test_another_head_has_no_maps_to_teach():
    model = tiny_model()
    settings = {key: value for key, value in model.items() if key != "type"}
    settings["head"] = dict(type="HeatmapHead", in_channels=40, out_channels=16)
    init_default_scope("mmpose")
    with pytest.raises(ValueError, match="a student needs an EfficientPoseHead with a decoder, got HeatmapHead"):
        PoseMapDistiller(**settings, teacher="ii")


def ramp(num_cells):
    """Each cell holds where its centre lies, as a fraction of the crop."""
    return ((torch.arange(num_cells) + 0.5) / num_cells).expand(1, 1, 4, num_cells)


@pytest.mark.parametrize(("num_cells", "wanted"), [(16, 8), (8, 16), (46, 28), (75, 28)])
def test_cells_show_the_same_place_of_the_crop(num_cells, wanted):
    found = resample(ramp(num_cells), shape=(4, wanted))
    inner = slice(2, -2)  # the border repeats its outermost value
    torch.testing.assert_close(found[..., inner], ramp(wanted)[..., inner], atol=0.05 / wanted, rtol=0)


def test_a_resampled_heatmap_is_the_one_drawn_there():
    """(23.5, 39.5) of 64 pixels and (47.5, 79.5) of 128 are the same place: x + 0.5 doubles."""
    small = render_heatmaps(torch.tensor([[[23.5, 39.5]]]), map_shape=(8, 8), stride=8, sigma=16.0)
    large = render_heatmaps(torch.tensor([[[47.5, 79.5]]]), map_shape=(16, 16), stride=8, sigma=32.0)
    found = resample(large, shape=(8, 8))
    torch.testing.assert_close(found, small, atol=0.07, rtol=0)  # averaging lowers the peak
    assert found.flatten()[small.argmax()].item() == pytest.approx(found.max().item())


def test_maps_that_shrink_are_averaged():
    maps = torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])[None, None, None].expand(1, 1, 8, 8)
    # A triangle of twice the reach weighs four cells 1/8, 3/8, 3/8, 1/8; cell 3 is the third of 0 to 3 + 1 and of 3 on.
    shrunken = resample(maps, shape=(4, 4))
    torch.testing.assert_close(shrunken[0, 0, 1], torch.tensor([0.0, 3 / 8, 1 / 8, 0.0]), atol=1e-6, rtol=0)


def test_maps_of_the_same_size_stay_as_they_are():
    maps = torch.rand(1, 4, 6, 5, generator=torch.Generator().manual_seed(0)) / 2
    torch.testing.assert_close(resample(maps, shape=(6, 5)), maps)
    torch.testing.assert_close(resample_pafs(maps, shape=(6, 5)), maps)


@pytest.mark.parametrize("factor", [2, 3])
def test_the_bands_of_a_finer_grid_come_out_as_wide_and_as_strong(factor):
    def draw(side):
        keypoints = torch.tensor([[[0.25, 0.2], [0.25, 0.8], [0.7, 0.5]]]) * side - 0.5
        return render_pafs(keypoints, [(0, 1), (1, 2)], map_shape=(side // 8, side // 8), stride=8, half_width=8.0)

    wanted = draw(192)
    found = resample_pafs(draw(192 * factor), shape=(24, 24))
    assert found.unflatten(1, (-1, 2)).norm(dim=2).max() <= 1.000001
    assert found.square().sum().item() == pytest.approx(wanted.square().sum().item(), rel=0.2)
    error = (found - wanted).square().sum() / wanted.square().sum()
    plain = (resample(draw(192 * factor), shape=(24, 24)) - wanted).square().sum() / wanted.square().sum()
    assert error < 0.25
    assert error < plain / 1.5


def test_long_vectors_are_cut_and_keep_their_direction():
    pafs = torch.zeros(1, 4, 2, 2)
    pafs[:, 0], pafs[:, 1], pafs[:, 2] = 3.0, 4.0, 0.5
    found = resample_pafs(pafs, shape=(2, 2))
    assert found[0, :, 0, 0].tolist() == pytest.approx([0.6, 0.8, 0.5, 0.0])
