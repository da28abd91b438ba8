"""Curves out of logs written by hand, and out of those that MMEngine writes."""

import json
import math

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from plot_curves import Curve, draw_curves, name_runs, read_run, select
from torch.utils.data import DataLoader, TensorDataset


def write_log(work_dir, start, records):
    folder = work_dir / start / "vis_data"
    folder.mkdir(parents=True)
    (folder / "scalars.json").write_text("".join(json.dumps(record) + "\n" for record in records))


def trained(step, loss, *, epoch_length=10, **more):
    epoch = (step - 1) // epoch_length + 1
    return dict(lr=0.1, loss=loss, time=0.5, epoch=epoch, iter=step, memory=7, step=step, **more)


def validated(epoch, score):
    return {"PCKh@0.5": score, "time": 99.0, "step": epoch}


def test_a_run_s_curves_are_over_epochs(tmp_path):
    """Step 10 is epoch 1's last, so epochs have 10 steps; validation logs the epoch as its step."""
    records = [trained(5, 3.0), trained(10, 2.0), validated(1, 40.0), trained(15, 1.0), trained(20, 0.5)]
    write_log(tmp_path, "20260101_000000", [*records, validated(2, 60.0)])
    run = read_run(tmp_path)
    assert run.by_epoch
    assert run.curves["loss"] == ([0.5, 1.0, 1.5, 2.0], [3.0, 2.0, 1.0, 0.5])
    assert run.curves["PCKh@0.5"] == ([1.0, 2.0], [40.0, 60.0])
    assert run.curves["time"].y == [0.5] * 4
    assert run.curves.keys() == {"lr", "loss", "time", "memory", "PCKh@0.5"}


def test_a_resumed_run_replaces_what_came_after_its_checkpoint(tmp_path):
    first = [trained(5, 3.0), trained(10, 2.0), validated(1, 40.0), trained(15, 1.0), trained(20, 9.0)]
    write_log(tmp_path, "20260102_000000", [*first, validated(2, 10.0)])
    write_log(tmp_path, "20260103_000000", [trained(15, 1.1), trained(20, 0.6), validated(2, 60.0), trained(25, 0.4)])
    write_log(tmp_path, "20260104_000000", [trained(25, 0.41), trained(30, 0.3)])
    (tmp_path / "20260105_000000" / "vis_data").mkdir(parents=True)  # killed before it logged
    run = read_run(tmp_path)
    assert run.curves["loss"] == ([0.5, 1.0, 1.5, 2.0, 2.5, 3.0], [3.0, 2.0, 1.1, 0.6, 0.41, 0.3])
    assert run.curves["PCKh@0.5"] == ([1.0, 2.0], [40.0, 60.0])


def test_a_run_that_was_started_anew_hides_the_earlier_one(tmp_path):
    write_log(tmp_path, "20260102_000000", [trained(step, 3.0) for step in range(1, 31)])
    write_log(tmp_path, "20260103_000000", [trained(1, 5.0), trained(2, 4.0)])
    assert read_run(tmp_path).curves["loss"].y == [5.0, 4.0]


def test_an_epoch_s_length_is_inferred_from_steps_inside_epochs(tmp_path):
    """Logged every 4 of 10 steps: step 28 is in epoch 3, so that epochs have more than 9."""
    steps = [4, 8, 14, 18, 24, 28]
    write_log(tmp_path, "20260101_000000", [trained(step, 1.0) for step in steps])
    assert read_run(tmp_path).curves["loss"].x == [step / 10 for step in steps]


def test_an_epoch_s_length_is_read_where_there_is_a_text_log(tmp_path):
    write_log(tmp_path, "20260101_000000", [trained(2, 1.0), trained(4, 1.0)])
    assert read_run(tmp_path).curves["loss"].x == [0.5, 1.0]
    line = "01/01 00:00:00 - mmengine - INFO - Epoch(train)  [1][ 4/10]  lr: 1.0000e-01"
    (tmp_path / "20260101_000000" / "20260101_000000.log").write_text(f"Config:\n[1][2/3]\n{line}\n")
    assert read_run(tmp_path).curves["loss"].x == [0.2, 0.4]


def test_a_run_without_epochs_is_over_steps(tmp_path):
    records = [dict(loss=2.0, iter=100, step=100), {"PCKh@0.5": 5.0, "step": 100}, dict(loss=1.0, iter=200, step=200)]
    write_log(tmp_path, "20260101_000000", records)
    run = read_run(tmp_path)
    assert not run.by_epoch
    assert run.curves == {"loss": ([100.0, 200.0], [2.0, 1.0]), "PCKh@0.5": ([100.0], [5.0])}


def test_a_last_line_that_was_cut_off_is_left_out_and_a_broken_one_is_named(tmp_path):
    write_log(tmp_path, "20260101_000000", [trained(5, math.nan)])
    path = tmp_path / "20260101_000000" / "vis_data" / "scalars.json"
    path.write_text(path.read_text() + '{"loss": 1.')
    assert len(read_run(tmp_path).curves["loss"].y) == 1
    path.write_text('{"loss": 1.\n' + path.read_text())
    with pytest.raises(ValueError, match=r"scalars\.json, line 1: not JSON"):
        read_run(tmp_path)


def test_missing_and_empty_logs_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}: no logs there; expected the work folder"):
        read_run(tmp_path)
    write_log(tmp_path, "20260101_000000", [])
    with pytest.raises(ValueError, match=f"{tmp_path}: its logs are empty"):
        read_run(tmp_path)


def test_keys_are_selected_run_by_run(tmp_path):
    write_log(tmp_path / "a", "20260101_000000", [trained(10, 2.0), validated(1, 40.0)])
    write_log(tmp_path / "b", "20260101_000000", [trained(10, 1.0)])
    write_log(tmp_path / "c", "20260101_000000", [dict(loss=1.0, iter=1, step=1)])
    runs = {name: read_run(tmp_path / name) for name in "ab"}
    selected = select(runs, ["loss", "PCKh@0.5"])
    assert selected == {"loss": [("a", ([1.0], [2.0])), ("b", ([1.0], [1.0]))], "PCKh@0.5": [("a", ([1.0], [40.0]))]}
    with pytest.raises(ValueError, match=r"'acc' was not logged; there are PCKh@0\.5, loss, lr, memory, time"):
        select(runs, ["acc"])
    with pytest.raises(ValueError, match="c: logged without epochs"):
        select(runs | {"c": read_run(tmp_path / "c")}, ["loss"])


def test_runs_are_named_by_what_tells_them_apart(tmp_path):
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "b" / "other"]
    assert name_runs(folders) == dict(zip(["a/run", "b/run", "b/other"], folders, strict=True))
    assert name_runs(folders[1:]) == dict(zip(["run", "other"], folders[1:], strict=True))
    with pytest.raises(ValueError, match="is given twice"):
        name_runs([tmp_path / "a", tmp_path / "b" / ".." / "a"])


class LossOfStep(BaseModel):
    """A loss that is the number of the step."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.step = 0

    def forward(self, inputs, targets=None, mode="loss"):
        self.step += 1
        return dict(loss=self.step + 0 * self.weight.sum())


class AddScore(Hook):
    priority = "HIGH"

    def after_train_epoch(self, runner):
        runner.visualizer.add_scalars({"score": 10.0 * (runner.epoch + 1)}, step=runner.epoch + 1)


def test_what_mmengine_logs_is_read(tmp_path):
    runner = Runner(
        LossOfStep(),
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(TensorDataset(torch.zeros(8, 1)), batch_size=2),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        default_hooks=dict(logger=dict(type="LoggerHook", interval=1), checkpoint=None),
        custom_hooks=[AddScore()],
        log_processor=dict(window_size=1),
        log_level="ERROR",
        experiment_name="logs_to_read",
        default_scope="mmengine",
    )
    runner.train()
    curves = read_run(tmp_path).curves
    assert curves["loss"] == ([step / 4 for step in range(1, 13)], [float(step) for step in range(1, 13)])
    assert curves["score"] == ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])


def test_curves_are_one_panel_a_key_and_one_colour_a_run():
    curve, other = Curve([0.0, 1.0], [3.0, 2.0]), Curve([1.0], [50.0])
    more = {"y": [("a", curve)], "z": [("a", curve)]}
    figure = draw_curves({"loss": [("a", curve), ("b", curve)], "x": [("b", other)], **more}, x_label="epoch")
    loss, score, *_, unused = figure.axes
    assert [axes.get_title() for axes in (loss, score)] == ["loss", "x"]
    assert [line.get_label() for line in loss.lines] == ["a", "b"]
    assert loss.lines[0].get_xydata().tolist() == [[0, 3], [1, 2]]
    assert score.lines[0].get_color() == loss.lines[1].get_color() != loss.lines[0].get_color()
    assert loss.get_xlabel() == "epoch"
    assert loss.get_xlim() == score.get_xlim() == (0, pytest.approx(1.02))
    assert not unused.get_visible()
