"""A run goes on only with the schedule and the length that it began with."""

from types import SimpleNamespace

import pytest

from efficientpose.engine import ShrinkingSigmaHook


def runner_of(num_epochs, *, resume=True):
    return SimpleNamespace(_resume=resume, max_epochs=num_epochs, train_dataloader=range(5))


def test_a_run_of_another_sigma_schedule_cannot_be_resumed():
    checkpoint = {}
    ShrinkingSigmaHook(sigma_start=0.2, num_levels=4).before_save_checkpoint(runner_of(9), checkpoint)
    other = ShrinkingSigmaHook(sigma_start=0.1, num_levels=4)
    with pytest.raises(ValueError, match=r"with sigma_start=0\.2, this config has sigma_start=0\.1: .*load_from"):
        other.after_load_checkpoint(runner_of(9), checkpoint)
    other.after_load_checkpoint(runner_of(9, resume=False), checkpoint)
    with pytest.raises(ValueError, match=r"the run to resume had no sigma_schedule, this config has: .*load_from"):
        other.after_load_checkpoint(runner_of(9), {"state_dict": {}})
    ShrinkingSigmaHook(sigma_start=0.2, num_levels=4).after_load_checkpoint(runner_of(9), checkpoint)


HEATMAP_HEAD = dict(
    _delete_=True,
    type="HeatmapHead",
    in_channels=40,
    out_channels=16,
    deconv_out_channels=None,
    loss=dict(type="KeypointMSELoss"),
    decoder=dict(type="FullResolutionHeatmap", input_size=(32, 32), heatmap_size=(4, 4)),
)


@pytest.fixture
def checkpoint(make_runner, tmp_path):
    """What a run of two epochs left after the first."""
    make_runner().train()
    (tmp_path / "run" / "epoch_2.pth").unlink()
    return tmp_path / "run" / "epoch_1.pth"


@pytest.mark.parametrize("num_epochs", [1, 3])
def test_a_run_of_another_length_is_not_resumed(make_runner, checkpoint, num_epochs):
    longer = make_runner({"train_cfg.max_epochs": num_epochs}, resume=True, load_from=str(checkpoint))
    with pytest.raises(ValueError, match=rf"with max_epochs=2, this config has max_epochs={num_epochs}: .*load_from"):
        longer.train()
    assert longer.iter == 0


def test_a_run_of_the_same_length_is_resumed(make_runner, checkpoint):
    runner = make_runner(resume=True, load_from=str(checkpoint))
    runner.train()
    assert (runner.epoch, runner.iter) == (2, 4)


def test_a_new_run_of_another_length_may_start_from_those_weights(make_runner, checkpoint):
    runner = make_runner({"train_cfg.max_epochs": 1}, load_from=str(checkpoint))
    runner.train()
    assert (runner.epoch, runner.iter) == (1, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_cfg": dict(_delete_=True, by_epoch=False, max_iters=2)}, "by_epoch=True"),
        ({"model.head.decoder": None}, "EfficientPoseHead with a decoder"),
        ({"model.head": HEATMAP_HEAD}, "EfficientPoseHead with a decoder"),
    ],
)
def test_runs_whose_sigma_cannot_shrink_are_refused(make_runner, settings, message):
    with pytest.raises(ValueError, match=message):
        make_runner(settings).train()
