import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmpose.registry import MODELS, TRANSFORMS
from mmpose.structures import PoseDataSample

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap
from efficientpose.core.shipped_files import config_path
from efficientpose.evaluation.test_options import scale_pipeline
from efficientpose.models.multi_scale import (
    MultiScaleTester,
    average_heatmaps,
    find_cells,
    is_inside,
    sample_bilinear,
)

BOX = np.array([[40.0, 30, 120, 140]], np.float32)
POINTS = np.array([[[80.0, 85], [68.3, 66.7], [95.1, 108.4], [72.2, 95.9]]], np.float32)
FULL, STRIDE_8 = "efficientpose_rt_mpii.py", "ablations/efficientpose_i_no_upscaling_mpii.py"


def make_sample(heatmaps, *, scale, centre=(50.0, 50.0), input_size=None):
    """A crop's heatmaps (K, h, w), and where it lies in the image."""
    width = heatmaps.shape[-1]
    sample = PoseDataSample(
        metainfo=dict(
            input_size=input_size or (width, heatmaps.shape[-2]),
            input_center=np.array(centre, np.float32),
            input_scale=np.array([scale, scale], np.float32),
        )
    )
    sample.pred_fields = PixelData(heatmaps=heatmaps)
    return sample


def crop_points(scale, *, rotation=None, input_size=(128, 128)):
    """POINTS as TopdownAffine moves them into the crop, (4, 2), and the crop without maps."""
    init_default_scope("mmpose")
    results = dict(
        img=np.zeros((160, 160, 3), np.uint8), img_shape=(160, 160), bbox=BOX.copy(), keypoints=POINTS.copy()
    )
    if rotation is not None:
        results["bbox_rotation"] = np.array([rotation], np.float32)
    for step in (dict(type="PersonCenterScale", scale=scale), dict(type="TopdownAffine", input_size=input_size)):
        results = TRANSFORMS.build(step)(results)
    sample = PoseDataSample(metainfo={key: results[key] for key in ("input_size", "input_center", "input_scale")})
    return results["transformed_keypoints"][0], sample


def draw_peaks(points, *, stride, sigma, input_size=(128, 128)):
    """Gaussians exp(−d² / sigma²), pixels of the input, one map a point (K, 2)."""
    rows, columns = (np.arange(side // stride) * stride + (stride - 1) / 2 for side in input_size[::-1])
    squares = (columns[None, None] - points[:, 0, None, None]) ** 2 + (
        rows[None, :, None] - points[:, 1, None, None]
    ) ** 2
    return torch.from_numpy(np.exp(-squares / sigma**2)).float()


def test_cells_by_hand():
    one = make_sample(torch.zeros(1, 16, 16), scale=100.0)
    half = make_sample(torch.zeros(1, 16, 16), scale=50.0)
    aside = make_sample(torch.zeros(1, 16, 16), scale=50.0, centre=(60.0, 50.0))
    # Index q of the one is (q − 8) · 2 + 8 of the other; 10 image pixels are 3.2 of its.
    doubled = 2 * np.arange(16) - 8
    np.testing.assert_allclose(find_cells(one, half, axis=0, num_cells=16, num_other_cells=16), doubled)
    np.testing.assert_allclose(find_cells(one, aside, axis=0, num_cells=16, num_other_cells=16), doubled - 3.2)
    np.testing.assert_allclose(find_cells(one, aside, axis=1, num_cells=16, num_other_cells=16), doubled)
    # At stride 8 cells are centred on 3.5 and 11.5, which become −1 and 15, cells −0.5625 and 1.4375.
    coarse = find_cells(one, half, axis=1, num_cells=2, num_other_cells=2)
    np.testing.assert_allclose(coarse, [-0.5625, 1.4375])
    # From cells of stride 8 to cells of stride 1.
    np.testing.assert_allclose(find_cells(one, half, axis=0, num_cells=2, num_other_cells=16), [-1, 15])


@pytest.mark.parametrize("rotation", [None, 0.0, 30.0])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
def test_cells_follow_the_affine_transform_of_the_pipeline(scale, rotation):
    points, sample = crop_points(1.0, rotation=rotation)
    expected, other = crop_points(scale, rotation=rotation)
    for axis in (0, 1):
        cells = find_cells(sample, other, axis=axis, num_cells=128, num_other_cells=128)
        found = np.interp(points[:, axis], np.arange(128), cells)
        np.testing.assert_allclose(found, expected[:, axis], atol=2e-3)


def test_samples_equal_a_plain_loop():
    rng = np.random.default_rng(0)
    heatmaps = rng.uniform(size=(2, 5, 7)).astype(np.float32)
    rows, columns = rng.uniform(-2, 6, 4), rng.uniform(-2, 8, 6)
    expected = np.empty((2, 4, 6))
    for i, row in enumerate(np.clip(rows, 0, 4)):
        for j, column in enumerate(np.clip(columns, 0, 6)):
            top, left = min(int(row), 3), min(int(column), 5)
            down, right = row - top, column - left
            expected[:, i, j] = (
                heatmaps[:, top, left] * (1 - down) * (1 - right)
                + heatmaps[:, top, left + 1] * (1 - down) * right
                + heatmaps[:, top + 1, left] * down * (1 - right)
                + heatmaps[:, top + 1, left + 1] * down * right
            )
    found = sample_bilinear(torch.from_numpy(heatmaps), rows=rows, columns=columns)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("stride", "tolerance"), [(1, 0.003), (8, 0.06)])
@pytest.mark.parametrize("scales", [(1.0, 0.8, 1.2), (1.0, 0.7), (1.0, 1.3), (1.2, 0.9)], ids=str)
def test_one_peak_in_crops_of_several_scales_is_one_peak_in_the_first(scales, stride, tolerance):
    samples = []
    for scale in scales:
        points, sample = crop_points(scale)
        # As wide in the image whatever the scale, so that resampling must give the first crop's map again.
        peaks = draw_peaks(points, stride=stride, sigma=24 * scale)
        sample.pred_fields = PixelData(heatmaps=peaks)
        samples.append(sample)
    averaged = average_heatmaps(samples)
    np.testing.assert_allclose(averaged, samples[0].pred_fields.heatmaps, atol=tolerance)


@pytest.mark.parametrize(("stride", "blur"), [(1, 1.0), (8, 0.0)])
def test_keypoints_come_out_at_their_place_in_the_image(stride, blur):
    samples = []
    for scale in (1.0, 0.8, 1.3):
        points, sample = crop_points(scale)
        sample.pred_fields = PixelData(heatmaps=draw_peaks(points, stride=stride, sigma=12.0))
        samples.append(sample)
    averaged = average_heatmaps(samples).numpy()
    # The mean position, weighted by the heatmap, has no rounding to whole cells.
    cells = [np.tensordot(averaged.sum(axis=axis), np.arange(128 // stride), 1) for axis in (1, 2)]
    centres = np.stack(cells, axis=1) / averaged.sum(axis=(1, 2))[:, None] * stride + (stride - 1) / 2
    expected, first = crop_points(1.0)
    np.testing.assert_allclose(centres, expected, atol=0.1 if stride == 1 else 0.6)
    found, _ = FullResolutionHeatmap(input_size=(128, 128), blur_sigma=blur).decode(averaged)
    in_image = found[0] / 128 * first.input_scale + first.input_center - first.input_scale / 2
    cell_in_image = stride * first.input_scale[0] / 128
    assert np.abs(in_image - POINTS[0]).max() <= 0.5 * cell_in_image + 0.02


def test_each_crop_counts_where_it_reaches():
    first = make_sample(torch.full((2, 16, 16), 1.0), scale=100.0)
    closer = make_sample(torch.full((2, 16, 16), 3.0), scale=50.0)
    wider = make_sample(torch.full((2, 16, 16), 5.0), scale=200.0)
    aside = make_sample(torch.full((2, 16, 16), 7.0), scale=100.0, centre=(75.0, 50.0))
    # The closer crop holds the first's cells q with −0.5 <= 2q − 8 <= 15.5; the one aside begins 4 to the right.
    expected = torch.full((2, 16, 16), 3.0)  # (1 + 5) / 2
    expected[:, :, 4:] = 13 / 3
    expected[:, 4:12, 4:12] = 4.0
    torch.testing.assert_close(average_heatmaps([first, closer, wider, aside]), expected)
    assert is_inside(np.array([-0.51, -0.5, 15.5, 15.51]), 16).tolist() == [False, True, True, False]


def test_peak_at_the_border_keeps_its_height_where_a_closer_crop_does_not_reach():
    heatmaps = torch.zeros(1, 16, 16)
    heatmaps[0, 1, 14] = 1
    averaged = average_heatmaps([make_sample(heatmaps, scale=100.0), make_sample(torch.zeros(1, 16, 16), scale=70.0)])
    assert averaged[0, 1, 14] == 1


def build(name, **test_cfg):
    """A small untrained network as in a config, and its test pipeline."""
    config = Config.fromfile(config_path(name))
    config.model.head.decoder.input_size = (64, 64)
    config.model.test_cfg = test_cfg
    pipeline = config.test_dataloader.dataset.pipeline
    for step in pipeline:
        if step.type.endswith("Affine"):
            step.input_size = (64, 64)
    init_default_scope("mmpose")
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    # The statistics of a batch, lest the maps of an untrained network be as good as constant.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 64, 64), None, mode="tensor")
    return model.eval(), pipeline


def run(model, pipeline, *, boxes=((20, 10, 60, 80), (0, 0, 100, 90))):
    """One batch of people of a noisy picture; the second box is the whole image."""
    image = np.random.default_rng(0).integers(0, 256, (90, 100, 3), np.uint8)
    metadata = dict(flip_indices=[5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10])
    people = [
        dict(img=image, bbox=np.array([box], np.float32), bbox_score=np.ones(1, np.float32), **metadata)
        for box in boxes
    ]
    steps = Compose(pipeline)
    with torch.no_grad():
        return model.test_step(pseudo_collate([steps(person) for person in people]))


@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize("name", [FULL, STRIDE_8])
def test_scale_1_alone_is_plain_testing(name, flip_test):
    model, pipeline = build(name, flip_test=flip_test)
    plain = run(model, pipeline)
    tested = run(MultiScaleTester(model), scale_pipeline(pipeline, [1.0]))
    for expected, found in zip(plain, tested, strict=True):
        np.testing.assert_array_equal(found.pred_instances.keypoints, expected.pred_instances.keypoints)
        # One reads them off full maps, the other off those at stride 8.
        np.testing.assert_allclose(
            found.pred_instances.keypoint_scores, expected.pred_instances.keypoint_scores, rtol=1e-5
        )
        np.testing.assert_array_equal(found.pred_instances.bboxes, expected.pred_instances.bboxes)
        assert "pred_fields" not in found


@pytest.mark.parametrize("name", [FULL, STRIDE_8])
def test_several_scales_average_what_each_gives_alone(name):
    model, pipeline = build(name, flip_test=True, output_heatmaps=True)
    scales = (0.8, 1.0, 1.25)
    alone = {scale: run(MultiScaleTester(model), scale_pipeline(pipeline, [scale])) for scale in scales}
    tested = run(MultiScaleTester(model), scale_pipeline(pipeline, scales))
    for index, found in enumerate(tested):
        heatmaps = found.pred_fields.heatmaps
        torch.testing.assert_close(heatmaps, average_heatmaps([alone[scale][index] for scale in (1.0, 0.8, 1.25)]))
        assert not torch.allclose(heatmaps, alone[1.0][index].pred_fields.heatmaps, atol=1e-6)
        read, scores = model.head.decoder.decode(heatmaps.numpy())
        in_image = read / 64 * found.input_scale + found.input_center - found.input_scale / 2
        np.testing.assert_allclose(found.pred_instances.keypoints, in_image, rtol=1e-6)
        np.testing.assert_array_equal(found.pred_instances.keypoint_scores, scores)
        np.testing.assert_array_equal(found.input_scale, alone[1.0][index].input_scale)


def test_batch_equals_each_person_alone():
    model, pipeline = build(FULL, flip_test=False)
    tester, steps = MultiScaleTester(model), scale_pipeline(pipeline, [0.9, 1.0])
    boxes = ((20, 10, 60, 80), (0, 0, 100, 90))
    together = run(tester, steps, boxes=boxes)
    for found, box in zip(together, boxes, strict=True):
        (single,) = run(tester, steps, boxes=[box])
        np.testing.assert_array_equal(found.pred_instances.keypoints, single.pred_instances.keypoints)


def test_distributed_estimator_gives_the_same(tmp_path):
    model, pipeline = build(FULL, flip_test=False)
    steps = scale_pipeline(pipeline, [0.9, 1.0])
    expected = run(MultiScaleTester(model), steps)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        found = run(MultiScaleTester(MMDistributedDataParallel(model)), steps)
    finally:
        torch.distributed.destroy_process_group()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.pred_instances.keypoints, other.pred_instances.keypoints)


def test_estimators_it_cannot_serve_are_refused():
    model, _ = build(FULL, output_keypoint_indices=[0, 1])
    with pytest.raises(ValueError, match=r"leave test_cfg.output_keypoint_indices out"):
        MultiScaleTester(model)
    model.test_cfg.pop("output_keypoint_indices")
    with pytest.raises(ValueError, match=r"needs a TopdownPoseEstimator .* got MultiScaleTester with NoneType"):
        MultiScaleTester(MultiScaleTester(model))
    foreign = dict(type="HeatmapHead", in_channels=40, out_channels=16, deconv_out_channels=None)
    model.head = MODELS.build(foreign)
    with pytest.raises(ValueError, match="got TopdownPoseEstimator with HeatmapHead"):
        MultiScaleTester(model)
