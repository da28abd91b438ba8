"""Crops that grow during training: which size when, resuming, and runs that cannot have them."""

import pytest
import torch

from efficientpose.engine import ProgressiveResizingHook
from efficientpose.models import PafPoseEstimator

SIZES = [(16, 16), (32, 32)]
GROWING = dict(type="ProgressiveResizingHook", input_sizes=SIZES)
BY_ITERATIONS = {
    "train_cfg": dict(_delete_=True, type="IterBasedTrainLoop", max_iters=4),
    "default_hooks": dict(_delete_=True, input_size=GROWING),
    "param_scheduler": [],
}


@pytest.mark.parametrize(
    ("num_epochs", "expected"), [(36, [128] * 12 + [160] * 12 + [224] * 12), (7, [128] * 3 + [160] * 2 + [224] * 2)]
)
def test_each_size_has_an_equal_part_of_the_epochs(num_epochs, expected):
    hook = ProgressiveResizingHook(input_sizes=[(side, side) for side in (128, 160, 224)])
    assert [hook.find_size(epoch, num_epochs=num_epochs)[0] for epoch in range(num_epochs)] == expected


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([], r"must be \(width, height\)"),
        ([128, 160], r"must be \(width, height\)"),
        ([(20, 16)], "multiples of 8"),
        ([(0, 8)], "multiples of 8"),
        ([(48, 32), (24, 16)], "must grow"),
        ([(48, 32), (48, 32)], "must grow"),
        ([(128, 96), (192, 256)], r"of the same shape.*: try \(128, 168\)"),
    ],
)
def test_wrong_sizes_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        ProgressiveResizingHook(input_sizes=sizes)


def test_a_shape_may_be_rounded_to_multiples_of_8():
    assert ProgressiveResizingHook(input_sizes=[(128, 168), (192, 256)]).input_sizes[0] == (128, 168)


@pytest.fixture
def run(make_runner):
    """Train with crops that grow; tells the sizes that the backbone saw, a step each, and the runner."""

    def train(overrides=None, *, hook=GROWING, prepare=lambda runner: None, **settings):
        hooks = {} if hook is None else {"default_hooks.input_size": hook}
        runner = make_runner(hooks | (overrides or {}), **settings)
        seen = []
        runner.model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[-2:])))
        prepare(runner)
        runner.train()
        return seen, runner

    return train


def test_crops_grow_and_are_left_whole_at_the_end(run):
    seen, runner = run()
    assert seen == [(16, 16)] * 2 + [(32, 32)] * 2
    assert runner.model.data_preprocessor.batch_augments is None
    assert runner.message_hub.get_scalar("train/input_width").current() == 32


def test_two_runners_in_one_process_do_not_share_their_size(run, make_runner, tmp_path):
    """The other one is built in between, and would be at its own epoch."""
    seen, _ = run(prepare=lambda _: make_runner(work_dir=tmp_path / "other"))
    assert seen == [(16, 16)] * 2 + [(32, 32)] * 2


def test_other_augmentations_of_batches_stay_and_see_whole_crops(run):
    widths = []

    class Look(torch.nn.Module):
        def forward(self, inputs, data_samples):
            widths.append(inputs.shape[-1])
            return inputs, data_samples

    def add(runner):
        runner.model.data_preprocessor.batch_augments = torch.nn.ModuleList([Look()])

    seen, runner = run(prepare=add)
    assert seen[0] == (16, 16)
    assert widths == [32] * 4
    assert [type(each) for each in runner.model.data_preprocessor.batch_augments] == [Look]


def test_a_resumed_run_ends_with_the_same_weights(run, tmp_path):
    run(work_dir=tmp_path / "whole")
    seen, _ = run(resume=True, load_from=str(tmp_path / "whole" / "epoch_1.pth"), work_dir=tmp_path / "resumed")
    assert seen == [(32, 32)] * 2
    whole, resumed = (
        torch.load(tmp_path / name / "epoch_2.pth", weights_only=False)["state_dict"] for name in ("whole", "resumed")
    )
    assert all(weights.equal(resumed[name]) for name, weights in whole.items())


@pytest.mark.parametrize(
    ("hook", "earlier"),
    [
        (None, "no progressive_resizing"),
        (GROWING | dict(input_sizes=[(24, 24), (32, 32)]), r"\[\(24, 24\), \(32, 32\)\]"),
    ],
)
def test_a_run_of_other_sizes_is_not_resumed(run, hook, earlier, tmp_path):
    run(hook=hook, work_dir=tmp_path / "earlier")
    start = str(tmp_path / "earlier" / "epoch_1.pth")
    with pytest.raises(ValueError, match=rf"the run to resume had .*{earlier}.*, this config has.* load_from"):
        run(resume=True, load_from=start)
    seen, _ = run(load_from=start)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (BY_ITERATIONS, "by_epoch=True"),
        ({"train_cfg.max_epochs": 1}, "1 epochs cannot have the 2 input_sizes"),
        ({"default_hooks.input_size.input_sizes": [(16, 16), (24, 24)]}, r"must be the network's own, \(32, 32\)"),
    ],
)
def test_runs_that_cannot_have_crops_that_grow_are_refused(run, overrides, message):
    with pytest.raises(ValueError, match=message):
        run(overrides)


def test_a_run_of_another_length_is_not_resumed(run, tmp_path):
    hooks = {"default_hooks.sigma": dict(_delete_=True, type="ChannelsLastHook")}  # sigma's would refuse it, too
    run(hooks, work_dir=tmp_path / "earlier")
    with pytest.raises(ValueError, match="progressive_resizing with max_epochs=2, this config has max_epochs=4: "):
        run(hooks | {"train_cfg.max_epochs": 4}, resume=True, load_from=str(tmp_path / "earlier" / "epoch_1.pth"))


@pytest.mark.parametrize(
    ("part", "message"), [("head", "EfficientPoseHead with a decoder"), ("data_preprocessor", "PoseDataPreprocessor")]
)
def test_networks_whose_parts_cannot_follow_are_refused(run, part, message):
    with pytest.raises(ValueError, match=message):
        run(prepare=lambda runner: setattr(runner.model, part, torch.nn.Identity()))


def test_scenes_are_refused(run):
    def become_scenes(runner):
        runner.model.__class__ = PafPoseEstimator

    with pytest.raises(ValueError, match="crops of one person"):
        run(prepare=become_scenes)
