"""Whole runs of schedules against their closed forms, and their figure."""

import json
import math

import numpy as np
import pytest
from mmengine.config import Config, ConfigDict
from plot_schedules import Schedules, count_people, draw_schedules, epoch_length_of, replay_schedules

from efficientpose.engine.cyclical_rate import decaying_triangular_rate, limit_rate

DECODER = dict(type="FullResolutionHeatmap", input_size=(48, 48), sigma=0.07)


def make_config(schedulers, *, max_epochs=10, hooks=None, custom_hooks=(), decoder=DECODER):
    return Config(
        dict(
            model=dict(head=dict(decoder=decoder)),
            train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
            optim_wrapper=dict(type="AmpOptimWrapper", optimizer=dict(type="SGD", lr=0.4), clip_grad=dict(max_norm=1)),
            param_scheduler=schedulers,
            default_hooks=hooks or {},
            custom_hooks=list(custom_hooks),
        )
    )


def test_the_cyclical_rate_is_the_closed_form_s_at_every_step():
    scheduler = dict(
        type="DecayingTriangularLR", cycle=3, sigma_start=0.2, sigma_end=0.05, by_epoch=True, convert_to_iter_based=True
    )
    schedules = replay_schedules(make_config([scheduler]), epoch_length=7)
    limit = limit_rate(0.4, sigma_start=0.2, sigma_end=0.05)
    expected = [
        decaying_triangular_rate(step, num_steps=70, cycle_steps=21, max_rate=0.4, limit=limit) for step in range(70)
    ]
    assert list(schedules.rates) == pytest.approx(expected, rel=1e-12)
    assert schedules.limit == limit
    assert schedules.epoch_length == 7


def test_schedules_by_epoch_and_by_step_follow_one_another():
    """A warm-up over 2 steps, then a tenth from epoch 1 on, then another tenth from epoch 3 on."""
    schedulers = [
        dict(type="LinearLR", start_factor=0.5, by_epoch=False, end=2),
        dict(type="MultiStepLR", milestones=[1, 3], gamma=0.1, by_epoch=True),
    ]
    schedules = replay_schedules(make_config(schedulers, max_epochs=4), epoch_length=3)
    expected = [0.2, 0.4, 0.4, *[0.04] * 6, *[0.004] * 3]
    assert list(schedules.rates) == pytest.approx(expected, rel=1e-9)
    assert schedules.limit is None


def test_a_schedule_without_an_end_gets_the_run_s():
    cosine = dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True)
    schedules = replay_schedules(make_config(cosine, max_epochs=2), epoch_length=4)
    expected = [0.2 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    assert list(schedules.rates) == pytest.approx(expected, rel=1e-9)


def test_without_a_schedule_the_rate_is_constant():
    config = make_config(None, max_epochs=2)
    assert set(replay_schedules(config, epoch_length=3).rates) == {0.4}


def test_a_training_by_steps_is_as_long_as_it_says():
    config = make_config([dict(type="StepLR", step_size=2, gamma=0.5, by_epoch=False)])
    config.train_cfg = dict(type="IterBasedTrainLoop", max_iters=5)
    assert list(replay_schedules(config, epoch_length=3).rates) == pytest.approx([0.4, 0.4, 0.2, 0.2, 0.1])


SIGMA_HOOK = dict(type="ShrinkingSigmaHook", sigma_start=0.2, sigma_end=0.05, num_levels=4)


@pytest.mark.parametrize(
    "hooks", [dict(hooks=dict(timer=dict(type="IterTimerHook"), sigma=SIGMA_HOOK)), dict(custom_hooks=[SIGMA_HOOK])]
)
def test_sigma_follows_the_hook_wherever_it_stands(hooks):
    schedules = replay_schedules(make_config(None, **hooks), epoch_length=2)
    assert list(schedules.sigmas) == pytest.approx([0.2] * 3 + [0.15] * 2 + [0.1] * 3 + [0.05] * 2)
    levels = schedules.sigma_levels()
    assert [sigma for sigma, _, _ in levels] == pytest.approx([0.2, 0.15, 0.1, 0.05])
    assert [(first, last) for _, first, last in levels] == [(1, 3), (4, 5), (6, 8), (9, 10)]


def test_sigma_is_the_codec_s_without_a_hook():
    schedules = replay_schedules(make_config(None, hooks=dict(sigma=None)), epoch_length=2)
    assert list(schedules.sigmas) == [0.07] * 10
    assert schedules.sigma_levels() == [(0.07, 1, 10)]


def test_a_head_with_another_codec_has_no_sigma_of_ours():
    other = dict(type="MSRAHeatmap", input_size=(48, 48), heatmap_size=(12, 12), sigma=2)
    schedules = replay_schedules(make_config(None, decoder=other), epoch_length=2)
    assert schedules.sigmas is None
    assert schedules.sigma_levels() == []


def test_what_cannot_be_replayed_is_refused():
    with pytest.raises(ValueError, match="epoch_length is 0"):
        replay_schedules(make_config(None), epoch_length=0)
    with pytest.raises(ValueError, match="no hook 'NoSuchHook' is registered"):
        replay_schedules(make_config(None, custom_hooks=[dict(type="NoSuchHook")]), epoch_length=2)
    config = make_config(None)
    config.optim_wrapper = dict(constructor="Several", first={}, second={})
    with pytest.raises(ValueError, match="optim_wrapper has no optimizer"):
        replay_schedules(config, epoch_length=2)


def write_people(path, count):
    path.write_text(json.dumps([{}] * count))


def loader_config(dataset, *, batch_size=4, **settings):
    return Config(dict(train_dataloader=dict(batch_size=batch_size, dataset=dataset, **settings)))


def test_an_epoch_is_the_people_in_batches(tmp_path):
    write_people(tmp_path / "people.json", 10)
    dataset = dict(data_root=str(tmp_path), ann_file="people.json")
    assert epoch_length_of(loader_config(dataset)) == (3, "10 people in batches of 4: people.json")
    assert epoch_length_of(loader_config(dataset, drop_last=True))[0] == 2
    assert epoch_length_of(loader_config(dataset, batch_size=100, drop_last=True))[0] == 1
    assert epoch_length_of(loader_config(dict(ann_file=str(tmp_path / "people.json")), batch_size=2))[0] == 5


def test_without_annotations_an_epoch_is_mpii_s():
    """22,246 people in batches of 4: 5,561.5."""
    length, source = epoch_length_of(loader_config(dict(data_root="nowhere/", ann_file="mpii_train.json")))
    assert length == 5562
    assert source.startswith("22,246 people in batches of 4: MPII's common split")


def test_several_data_sets_are_counted_together(tmp_path):
    write_people(tmp_path / "a.json", 3)
    write_people(tmp_path / "b.json", 4)
    first, second = (dict(ann_file=str(tmp_path / f"{name}.json")) for name in "ab")
    repeated = dict(type="RepeatDataset", times=5, dataset=second)
    config = Config(dict(both=dict(datasets=[first, repeated]), partly=dict(datasets=[first, dict(ann_file="none")])))
    assert count_people(config.both) == 3 + 5 * 4
    assert count_people(config.partly) is None


def test_coco_s_people_and_pictures_are_counted(tmp_path):
    """Three people of whom one has no keypoint and one is a crowd, on two pictures."""
    people = [dict(keypoints=[3, 4, 2]), dict(keypoints=[0, 0, 0]), dict(keypoints=[3, 4, 2], iscrowd=1)]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(dict(images=[{}, {}], annotations=people)))
    assert count_people(ConfigDict(type="CocoDataset", ann_file=str(path), data_mode="topdown")) == 1
    assert count_people(ConfigDict(type="PeopleDataset", ann_file=str(path), data_mode="bottomup")) == 2


def test_what_cannot_be_counted_is_refused(tmp_path):
    path = tmp_path / "coco.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"coco\.json is neither a list of people .*--epoch-length"):
        epoch_length_of(loader_config(dict(ann_file=str(path))))
    with pytest.raises(ValueError, match=r"absent\.json is not there .*--epoch-length"):
        epoch_length_of(loader_config(dict(type="CocoDataset", ann_file="absent.json")))


def texts(axes):
    return [each.get_text() for each in axes.texts]


def make_schedules(**changes):
    settings = dict(
        rates=np.array([0.001, 0.1, 0.01, 0.02]), sigmas=np.array([0.2, 0.05]), epoch_length=2, limit=0.0125
    )
    return Schedules(**settings | changes)


def test_schedules_are_drawn_over_epochs_with_their_marks():
    rate_axes, sigma_axes = draw_schedules(make_schedules(), title="RT").axes
    assert rate_axes.get_title() == "RT"
    assert rate_axes.get_yscale() == "log"
    assert rate_axes.lines[0].get_xdata().tolist() == [0, 0.5, 1, 1.5]
    assert rate_axes.lines[0].get_ydata().tolist() == [0.001, 0.1, 0.01, 0.02]
    assert [line.get_ydata()[0] for line in rate_axes.lines[1:]] == [0.1, 0.0125]
    assert texts(rate_axes) == [r"$\lambda_{max}$ = 0.1", r"$\lambda_\infty$ = 0.0125"]
    assert sigma_axes.patches[0].get_data().values.tolist() == [0.2, 0.05]
    assert texts(sigma_axes) == ["0.2", "0.05"]
    assert sigma_axes.get_xlabel() == "epoch (2 steps each)"
    assert sigma_axes.get_xlim() == (0, 2)


def test_a_rate_that_ends_next_to_nothing_keeps_the_picture_legible():
    (axes,) = draw_schedules(make_schedules(rates=np.array([0.1, 1e-12]), sigmas=None, limit=None), title="").axes
    assert axes.get_ylim()[0] > 1e-7
    assert texts(axes) == [r"$\lambda_{max}$ = 0.1"]
    (axes,) = draw_schedules(make_schedules(sigmas=None, limit=None), title="").axes
    assert texts(axes) == [r"$\lambda_{max}$ = 0.1", "last: 0.02"]
