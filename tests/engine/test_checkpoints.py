"""Checkpoints are whole at any instant; what the disk damages is not loaded; nothing is removed too early."""

import itertools
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner

from efficientpose.engine.checkpoints import AtomicBackend, AtomicCheckpointHook, find_damage, find_resumable

KILLED = 9
NUMBERS = itertools.count()


class Toy(BaseModel):
    """One weight, which learns to be 1."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode="tensor"):
        if mode == "loss":
            return {"loss": (self.weight - 1).square().sum()}
        return [{"weight": float(self.weight)}]


class Score(BaseMetric):
    """The weight, which rises from epoch to epoch."""

    def process(self, data_batch, data_samples):
        self.results.extend(sample["weight"] for sample in data_samples)

    def compute_metrics(self, results):
        return {"score": results[0]}


def make_run(work_dir, *, num_epochs, metric=Score, resume=False, load_from=None, **settings):
    loader = dict(dataset=[{"inputs": 0}], batch_size=1, num_workers=0, sampler=dict(type="DefaultSampler"))
    hook = dict(type=AtomicCheckpointHook, interval=1, max_keep_ckpts=1, save_best="score", rule="greater")
    return Runner(
        Toy(),
        str(work_dir),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=num_epochs),
        val_cfg={},
        val_evaluator=Evaluator(metric(prefix="")),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        default_hooks=dict(checkpoint=hook | settings, logger=None),
        experiment_name=f"{work_dir}_{next(NUMBERS)}",  # MMEngine keeps one set of logs a name
        resume=resume,
        load_from=load_from,
    )


def files_in(folder):
    """All but the config that MMEngine writes there."""
    return {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}


def load(path):
    return torch.load(path, weights_only=False)


def weight_after(num_epochs):
    """Each step goes a fifth of the way to 1: 2 · 0.1 of the distance."""
    return 1 - 0.8**num_epochs


def run_and_die_at(runner, step):
    """Train in a child process that dies at its ``step``-th change of a file; return its exit status."""
    child = os.fork()
    if child == 0:
        changes = 0

        def watch(event, args):
            nonlocal changes
            opened_to_write = event == "open" and args[1] is not None and "w" in str(args[1])
            if event not in ("os.rename", "os.remove") and not opened_to_write:
                return
            if str(args[0]).startswith(runner.work_dir) and ("pth" in str(args[0]) or "last_" in str(args[0])):
                changes += 1
                if changes == step:
                    os._exit(KILLED)

        sys.addaudithook(watch)
        try:
            runner.train()
        finally:
            os._exit(0 if runner.epoch == 2 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_run_killed_at_any_change_of_a_file_goes_on(tmp_path):
    """Before each file is opened, put in place or removed: there is a whole checkpoint and a whole best one."""
    work_dir, start = tmp_path / "run", tmp_path / "start"
    make_run(work_dir, num_epochs=1).train()
    shutil.copytree(work_dir, start)
    runner = make_run(work_dir, num_epochs=2, resume=True)
    finished = {"best_score_epoch_2.pth", "epoch_2.pth", "last_checkpoint"}
    for step in range(1, 50):
        shutil.rmtree(work_dir)
        shutil.copytree(start, work_dir)
        status = run_and_die_at(runner, step)
        found = find_resumable(work_dir, template="epoch_{}.pth")
        checkpoint = load(found)
        epoch = checkpoint["meta"]["epoch"]
        assert checkpoint["state_dict"]["weight"].item() == pytest.approx(weight_after(epoch), abs=1e-6)
        best = list(work_dir.glob("best_*.pth"))
        assert best
        assert [find_damage(path) for path in best] == [None] * len(best)
        if status == 0:
            break
        assert status == KILLED
        assert run_and_die_at(runner, 10**6) == 0
        assert files_in(work_dir) == finished, f"after a kill at change {step}"
    # Opened and put in place: the checkpoint, the best, the checkpoint again. Opened: the pointer, twice. Removed: the
    # old checkpoint, the old best.
    assert step - 1 == 2 * 3 + 2 + 2
    assert files_in(work_dir) == finished


def test_run_killed_before_its_last_validation_catches_up(tmp_path):
    class Killed(Score):
        def compute_metrics(self, results):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_run(tmp_path, num_epochs=1, metric=Killed).train()
    assert files_in(tmp_path) == {"epoch_1.pth", "last_checkpoint"}
    resumed = make_run(tmp_path, num_epochs=1, resume=True)
    resumed.train()
    assert resumed.message_hub.get_scalar("val/score").current() == pytest.approx(weight_after(1))
    assert files_in(tmp_path) == {"best_score_epoch_1.pth", "epoch_1.pth", "last_checkpoint"}

    again = make_run(tmp_path, num_epochs=1, metric=Killed, resume=True)
    again.train()  # validates no more


def test_outdated_files_are_removed_from_the_own_folder_only(tmp_path):
    original, copy = tmp_path / "original", tmp_path / "copy"
    make_run(original, num_epochs=1).train()
    shutil.copytree(original, copy)
    make_run(copy, num_epochs=3, resume=True).train()
    assert files_in(copy) == {"best_score_epoch_3.pth", "epoch_3.pth", "last_checkpoint"}
    assert files_in(original) == {"best_score_epoch_1.pth", "epoch_1.pth", "last_checkpoint"}


@pytest.mark.parametrize(("num_kept", "kept"), [(-1, {1, 2, 3, 4}), (2, {3, 4}), (1, {4})])
def test_as_many_are_kept_as_asked_for(num_kept, kept, tmp_path):
    make_run(tmp_path, num_epochs=4, max_keep_ckpts=num_kept).train()
    assert {name for name in files_in(tmp_path) if name.startswith("epoch")} == {f"epoch_{n}.pth" for n in kept}
    assert load(tmp_path / "best_score_epoch_4.pth")["state_dict"]["weight"].item() == pytest.approx(weight_after(4))


def test_damaged_checkpoint_is_passed_over(tmp_path):
    make_run(tmp_path, num_epochs=2, max_keep_ckpts=2).train()
    whole = (tmp_path / "epoch_2.pth").read_bytes()
    (tmp_path / "epoch_2.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / ".epoch_3.pth.0123456789abcdef.partial").write_bytes(whole[:100])
    resumed = make_run(tmp_path, num_epochs=3, max_keep_ckpts=2, resume=True)
    resumed.train()
    log = Path(resumed.log_dir, f"{resumed.timestamp}.log").read_text()
    assert "epoch_2.pth is unusable (File is not a zip file): resuming from" in log
    assert resumed.model.weight.item() == pytest.approx(weight_after(3))
    assert files_in(tmp_path) == {"best_score_epoch_3.pth", "epoch_2.pth", "epoch_3.pth", "last_checkpoint"}
    assert find_damage(tmp_path / "epoch_2.pth") is None

    (tmp_path / "epoch_3.pth").write_bytes(whole[:100])
    with pytest.raises(ValueError, match=r"epoch_3.pth is damaged \(File is not a zip file\): resume from another"):
        make_run(tmp_path, num_epochs=4, resume=True, load_from=str(tmp_path / "epoch_3.pth")).train()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.pth"
    torch.save({"state_dict": {"weight": torch.arange(1000.0)}}, path)
    return path.read_bytes()


def test_damage_is_found(whole, tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(whole)
    assert find_damage(path) is None
    for length in range(0, len(whole), 50):
        path.write_bytes(whole[:length])
        assert find_damage(path), length
    at = whole.index(torch.arange(1000.0).numpy().tobytes())
    for offset in range(0, 4000, 50):
        path.write_bytes(whole[: at + offset] + bytes([whole[at + offset] ^ 1]) + whole[at + offset + 1 :])
        assert find_damage(path) == "the checksum of whole/data/0 does not match"
        torch.load(path)  # which does not notice
    assert "No such file" in find_damage(tmp_path / "none.pth")


def test_tensor_marked_as_a_folder_is_damage(whole, tmp_path):
    """PyTorch would return memory as it was; bit 4 of the attributes, 38 bytes into the directory's entry, says so."""
    path = tmp_path / "a.pth"
    at = whole.rindex(b"PK\x01\x02", 0, whole.rindex(b"whole/data/0")) + 38
    path.write_bytes(whole[:at] + bytes([whole[at] | 0x10]) + whole[at + 1 :])
    assert find_damage(path) == "whole/data/0 is not marked as a file"


def put(folder, names, contents):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(contents)


@pytest.mark.parametrize(
    ("pointer", "whole_ones", "cut_ones", "expected"),
    [
        (None, [], [], None),
        ("{folder}/epoch_1.pth", ["epoch_1.pth", "epoch_2.pth"], [], "epoch_1.pth"),
        (
            "{folder}/epoch_3.pth",
            ["epoch_9.pth", "epoch_10.pth", "best_x_epoch_11.pth"],
            ["epoch_3.pth"],
            "epoch_10.pth",
        ),
        ("{folder}/epoch_3.pth", ["epoch_2.pth"], [], "epoch_2.pth"),
        ("{folder}/epoch_3.pth", ["epoch_1.pth"], ["epoch_3.pth", "epoch_2.pth"], "epoch_1.pth"),
        ("elsewhere/epoch_2.pth", ["epoch_2.pth", "epoch_3.pth"], [], "epoch_2.pth"),
        ("", ["epoch_1.pth"], [], "epoch_1.pth"),
        (None, ["epoch_1.pth"], ["epoch_2.pth"], "epoch_1.pth"),
    ],
)
def test_what_is_resumed(pointer, whole_ones, cut_ones, expected, whole, tmp_path):
    put(tmp_path, whole_ones, whole)
    put(tmp_path, cut_ones, whole[:100])
    if pointer is not None:
        (tmp_path / "last_checkpoint").write_text(pointer.format(folder=tmp_path))
    found = find_resumable(tmp_path, template="epoch_{}.pth")
    assert found == (None if expected is None else tmp_path / expected)


def test_checkpoints_may_lie_in_another_folder(whole, tmp_path):
    put(tmp_path / "out", ["epoch_1.pth"], whole)
    put(tmp_path / "out", ["epoch_2.pth"], whole[:100])
    put(tmp_path / "run", ["last_checkpoint"], str(tmp_path / "out" / "epoch_2.pth").encode())
    assert find_resumable(tmp_path / "run", template="epoch_{}.pth") == tmp_path / "out" / "epoch_1.pth"
    put(tmp_path / "run", ["last_checkpoint"], b"")  # the power failed
    found = find_resumable(tmp_path / "run", template="epoch_{}.pth", out_dir=tmp_path / "out")
    assert found == tmp_path / "out" / "epoch_1.pth"


def test_without_a_whole_checkpoint_a_run_does_not_silently_start_anew(whole, tmp_path):
    put(tmp_path, ["epoch_1.pth"], whole[:100])
    put(tmp_path, ["last_checkpoint"], str(tmp_path / "epoch_2.pth").encode())
    with pytest.raises(ValueError, match=r"(?s)epoch_2.pth is unusable.*No such.*epoch_1.pth.*start anew"):
        find_resumable(tmp_path, template="epoch_{}.pth")


def test_backend_writes_as_a_whole(tmp_path, monkeypatch):
    backend = AtomicBackend()
    path = tmp_path / "folder" / "a.txt"
    backend.put_text("first", path)
    assert path.read_text() == "first"

    def die(descriptor):
        assert path.read_text() == "first"
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        backend.put_text("second", path)
    assert path.read_text() == "first"


def test_misspelt_setting_is_refused():
    with pytest.raises(ValueError, match="intervall: CheckpointHook has no such setting"):
        AtomicCheckpointHook(intervall=1)


def test_own_network_is_resumed_without_running_code_from_the_file(make_runner):
    """MMEngine falls back to unsafe loading, with a warning, where a file holds what PyTorch does not know."""
    runner = make_runner()
    runner.train()
    resumed = make_runner(resume=True, load_from=str(Path(runner.work_dir, "epoch_1.pth")))
    resumed.train()
    assert resumed.epoch == 2
    log = Path(resumed.log_dir, f"{resumed.timestamp}.log").read_text()
    assert "Load checkpoint from" in log
    assert "Could not safely load weights" not in log
