"""Training checkpoints that are never half a file, and from which a killed run goes on.

MMEngine's hook writes files in place and removes outdated ones before their successor is there. Here each file is
written beside its place and moved there when it is whole, and outdated files are removed after that.
"""

import logging
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub, print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from efficientpose.core.files import replacing

# MMEngine lets most of what it stores through PyTorch's safe loading. A mask in the dataset's description lacks this,
# and the file would be loaded unsafely.
torch.serialization.add_safe_globals([type(np.dtype(name)) for name in ("bool", "uint8", "int32", "float32")])

_OUTDATED = "outdated_ckpts"
_VALIDATED = "validated_epoch"


@register_backend("atomic")
class AtomicBackend(LocalBackend):
    """MMEngine's local files, replaced as a whole: after a kill or a power cut there is the old file or the new one."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file (MMEngine's contract)."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write a text file (MMEngine's contract)."""
        self.put(obj.encode(encoding), filepath)


class _PostponedRemoval:
    """A file backend that notes which files to remove: MMEngine asks for it before their successor is there."""

    def __init__(self, backend: Any, hub: MessageHub) -> None:
        self.backend = backend
        self.hub = hub

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, filepath: str) -> None:
        # The successor's checkpoint holds the names: a resumed run removes the files if this one is killed before.
        names = self.hub.runtime_info.get(_OUTDATED, [])
        self.hub.update_info(_OUTDATED, [*names, Path(filepath).name])

    def remove_outdated(self, folder: str) -> None:
        """Remove the noted files, but for those written again since, from a run's own folder: it may be a copy."""
        info = self.hub.runtime_info
        names = info.get(_OUTDATED, [])
        if not names:
            return
        in_use = {Path(info[key]).name for key in info if key.startswith(("last_ckpt", "best_ckpt"))}
        for path in [self.backend.join_path(folder, name) for name in names if name not in in_use]:
            if is_main_process() and self.backend.isfile(path):
                self.backend.remove(path)
        self.hub.update_info(_OUTDATED, [])


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook, safe against a kill at any instant.

    Outdated checkpoints are removed after their successor is written. With ``--resume`` alone, a checkpoint that is
    damaged nevertheless (by the disk, say) is passed over, with a warning, for the newest whole one. A run that ended
    before its validation did catches up on it when resumed, so that no best checkpoint is missed.

    Args:
        **settings: Those of ``mmengine.hooks.CheckpointHook``.

    Raises:
        ValueError: If a setting is unknown; when resuming, if the checkpoint asked for is damaged or none is whole.
    """

    def __init__(self, **settings: Any) -> None:
        if "://" not in str(settings.get("out_dir")):
            settings.setdefault("backend_args", dict(backend="atomic"))
        super().__init__(**settings)
        self.file_backend: Any = None
        if self.args:
            raise ValueError(f"{', '.join(self.args)}: CheckpointHook has no such setting; MMEngine documents all")

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from (MMEngine's contract)."""
        if not runner._resume:
            return
        asked_for = runner._load_from
        if asked_for is None:
            work_dir = Path(runner.work_dir)
            out_dir = work_dir if self.out_dir is None else Path(self.out_dir) / work_dir.name
            found = find_resumable(work_dir, template=self.filename_tmpl, out_dir=out_dir)
            runner._load_from = None if found is None else str(found)
        elif Path(asked_for).is_file() and (damage := find_damage(Path(asked_for))):
            raise ValueError(f"{asked_for} is damaged ({damage}): resume from another, or give --resume no path")

    def before_train(self, runner: Runner) -> None:
        """Tidy up after a run that was killed, and catch up on its validation (MMEngine's contract)."""
        super().before_train(runner)
        self.file_backend = _PostponedRemoval(self.file_backend, runner.message_hub)
        self.file_backend.remove_outdated(self.out_dir)
        if is_main_process():
            for partial in Path(self.out_dir).glob(".*.partial"):
                partial.unlink(missing_ok=True)
        if not self.by_epoch or runner.epoch == 0:
            return
        if self.file_backend.isfile(self._path_of(runner.epoch)):
            self.last_ckpt = self._path_of(runner.epoch)
        has_validation = runner.val_loop is not None and runner.epoch >= runner.val_begin
        is_due = runner.epoch % runner.val_interval == 0 or runner.epoch == runner.max_epochs
        if has_validation and is_due and runner.message_hub.runtime_info.get(_VALIDATED) != runner.epoch:
            runner.logger.info(f"Epoch {runner.epoch} was not validated when the last run ended; it is now.")
            runner.val_loop.run()

    def after_train_epoch(self, runner: Runner) -> None:
        """Save an epoch's checkpoint (MMEngine's contract)."""
        super().after_train_epoch(runner)
        self.file_backend.remove_outdated(self.out_dir)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint in a training by iterations (MMEngine's contract)."""
        super().after_train_iter(runner, *args, **kwargs)
        self.file_backend.remove_outdated(self.out_dir)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and note in the last one that it is validated (MMEngine's contract)."""
        if self.file_backend is None:  # a validation on its own
            return
        hub = runner.message_hub
        hub.update_info(_VALIDATED, runner.epoch)
        bests = _best_checkpoints(hub.runtime_info)
        super().after_val_epoch(runner, metrics)
        # With a new best one, the base class has saved the last checkpoint again.
        is_saved = self.by_epoch and self.last_ckpt is not None and self.last_ckpt == self._path_of(runner.epoch)
        if is_saved and _best_checkpoints(hub.runtime_info) == bests:
            self._save_checkpoint_with_step(runner, runner.epoch, dict(epoch=runner.epoch, iter=runner.iter))
        self.file_backend.remove_outdated(self.out_dir)

    def _path_of(self, step: int) -> str:
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))


def _best_checkpoints(info: dict[str, Any]) -> dict[str, str]:
    return {key: path for key, path in info.items() if key.startswith("best_ckpt")}


def find_damage(path: Path) -> str | None:
    """Return what is wrong with a checkpoint's file; None if its contents are as they were written.

    Args:
        path: A file that PyTorch wrote: a zip archive with a checksum for each tensor, which PyTorch does not compare.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            # PyTorch leaves tensors unset that are marked as folders.
            marked = [entry.filename for entry in archive.infolist() if entry.external_attr]
    # zipfile raises all of these on damaged archives.
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, RuntimeError, ValueError) as error:
        return str(error) or type(error).__name__
    if broken is not None:
        return f"the checksum of {broken} does not match"
    return f"{marked[0]} is not marked as a file" if marked else None


def find_resumable(work_dir: Path, *, template: str, out_dir: Path | None = None) -> Path | None:
    """Find the checkpoint to resume from: the one that ``last_checkpoint`` names, or else the newest whole one.

    Args:
        work_dir: Folder of ``last_checkpoint``; it may have been moved since.
        template: A checkpoint's name with ``{}`` for its number.
        out_dir: Folder of the checkpoints; None for that of ``last_checkpoint``.

    Returns:
        Its path; None if there is no checkpoint at all.

    Raises:
        ValueError: If there are checkpoints, but none is whole.
    """
    problems: list[str] = []
    for path in _list_candidates(work_dir, template=template, out_dir=out_dir or work_dir):
        damage = find_damage(path)
        if damage is None:
            for problem in problems:
                print_log(f"{problem}: resuming from {path}", "current", level=logging.WARNING)
            return path
        problems.append(f"{path} is unusable ({damage})")
    if problems:
        raise ValueError(f"{'; '.join(problems)}: put a whole checkpoint there, or start anew without --resume")
    return None


def _list_candidates(work_dir: Path, *, template: str, out_dir: Path) -> list[Path]:
    """Return the checkpoint that ``last_checkpoint`` names and then the others beside it, newest first."""
    pointer = work_dir / "last_checkpoint"
    text = pointer.read_text(encoding="utf-8", errors="replace").strip() if pointer.is_file() else ""
    named = Path(text) if text else None
    folder = out_dir
    if named is not None and not (folder / named.name).is_file() and named.parent.is_dir():
        folder = named.parent
    pattern = re.compile(re.escape(template).replace(r"\{\}", r"(\d+)"))
    numbers = {path: int(match[1]) for path in folder.glob("*") if (match := pattern.fullmatch(path.name))}
    numbered = sorted(numbers, key=lambda path: numbers[path], reverse=True)
    if named is None:
        return numbered
    return [folder / named.name, *(path for path in numbered if path.name != named.name)]
