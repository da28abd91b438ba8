"""Training checkpoints that are never half a file, and from which a killed run goes on.

MMEngine writes over files in place, and removes the outdated ones before the new one is there. Here a file is written
beside its place and moved there when it is whole, and nothing is removed before its successor is there.
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
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from efficientpose.core.files import replacing

LAST_CHECKPOINT = "last_checkpoint"
"""MMEngine's name for the file that holds the path of the newest checkpoint."""

# MMEngine lets most of what it stores through PyTorch's safe loading; a mask in the data set's description lacks this,
# without which it would load the file unsafely.
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
    """A file backend that only notes the names of files to remove: MMEngine asks before their successor is there."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, filepath: str) -> None:
        self.outdated.append(Path(filepath).name)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook, safe against a kill at any instant.

    ``last_checkpoint`` is written after the checkpoint that it names, and outdated files are removed after that. With
    ``--resume`` alone, a checkpoint that is damaged nevertheless (by the disk, say) is passed over, with a warning, for
    the newest that is whole. A run that ended before its validation did catches up on it when resumed, so that no best
    checkpoint is missed.

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
        self.saved_as_validated: int | None = None
        if self.args:
            raise ValueError(f"{', '.join(self.args)}: CheckpointHook has no such setting; MMEngine documents all")

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from (MMEngine's contract)."""
        if not runner._resume:
            return
        asked_for = runner._load_from
        if asked_for is None:
            found = find_resumable(Path(runner.work_dir), template=self.filename_tmpl)
            runner._load_from = None if found is None else str(found)
        elif Path(asked_for).is_file() and (damage := find_damage(Path(asked_for))):
            raise ValueError(f"{asked_for} is damaged ({damage}): resume from another, or give --resume no path")

    def before_train(self, runner: Runner) -> None:
        """Tidy up after a run that was killed, and catch up on its validation (MMEngine's contract)."""
        super().before_train(runner)
        self.file_backend = _PostponedRemoval(self.file_backend)
        self.file_backend.outdated += runner.message_hub.runtime_info.get(_OUTDATED, [])
        self._remove_outdated(runner)
        if is_main_process():
            for folder in (Path(runner.work_dir), Path(self.out_dir)):
                for partial in folder.glob(".*.partial"):
                    partial.unlink(missing_ok=True)
        if not self.by_epoch or runner.epoch == 0:
            return
        if self.file_backend.isfile(self._path_of(runner.epoch)):
            self.last_ckpt = self._path_of(runner.epoch)
        if self._lacks_validation(runner):
            runner.logger.info(f"Epoch {runner.epoch} was not validated when the last run ended; it is now.")
            runner.val_loop.run()

    def _lacks_validation(self, runner: Runner) -> bool:
        if runner.val_loop is None or runner.epoch < runner.val_begin:
            return False
        is_due = runner.epoch % runner.val_interval == 0 or runner.epoch == runner.max_epochs
        return is_due and runner.message_hub.runtime_info.get(_VALIDATED) != runner.epoch

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and note in the last one that it is validated (MMEngine's contract)."""
        if self.file_backend is None:  # a validation on its own
            return
        runner.message_hub.update_info(_VALIDATED, runner.epoch)
        super().after_val_epoch(runner, metrics)
        is_saved = self.by_epoch and self.last_ckpt is not None and self.last_ckpt == self._path_of(runner.epoch)
        if is_saved and self.saved_as_validated != runner.epoch:
            self._save_checkpoint_with_step(runner, runner.epoch, dict(epoch=runner.epoch, iter=runner.iter))
        self._remove_outdated(runner)

    def _path_of(self, step: int) -> str:
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))

    def _outdated_names(self, runner: Runner) -> list[str]:
        """Return the names of files to remove, but for those written again since."""
        info = runner.message_hub.runtime_info
        in_use = {Path(info[key]).name for key in info if key.startswith(("last_ckpt", "best_ckpt"))}
        return [name for name in self.file_backend.outdated if name not in in_use]

    def _remove_outdated(self, runner: Runner) -> None:
        """Remove outdated files; always from this run's own folder, which may be a copy of another's."""
        files = self.file_backend
        if is_main_process():
            for path in [files.join_path(self.out_dir, name) for name in self._outdated_names(runner)]:
                if files.isfile(path):
                    files.backend.remove(path)
        files.outdated.clear()

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Do as the base class does, in a safe order."""
        hub = runner.message_hub
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                self.file_backend.remove(self._path_of(self.keep_ckpt_ids[0]))
            self.keep_ckpt_ids.append(step)
            hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        self.last_ckpt = self._path_of(step)
        hub.update_info("last_ckpt", self.last_ckpt)
        # For whoever resumes from this checkpoint, should the run be killed before it removes them.
        hub.update_info(_OUTDATED, self._outdated_names(runner))
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
        )
        self.saved_as_validated = hub.runtime_info.get(_VALIDATED)
        if is_main_process():
            AtomicBackend().put_text(self.last_ckpt, Path(runner.work_dir) / LAST_CHECKPOINT)
        self._remove_outdated(runner)


# What zipfile raises on damaged archives.
_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, RuntimeError, ValueError)


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
    except _ARCHIVE_ERRORS as error:
        return str(error) or type(error).__name__
    if broken is not None:
        return f"the checksum of {broken} does not match"
    return f"{marked[0]} is not marked as a file" if marked else None


def find_resumable(work_dir: Path, *, template: str) -> Path | None:
    """Find the checkpoint to resume from: that named by ``last_checkpoint``, or else the newest that is whole.

    Args:
        work_dir: Where ``last_checkpoint`` is; it may have been moved since.
        template: A checkpoint's name with ``{}`` for its number.

    Returns:
        Its path; None if there is no checkpoint at all.

    Raises:
        ValueError: If there are checkpoints, but none is whole.
    """
    problems: list[str] = []
    for path in _list_candidates(work_dir, template=template):
        damage = find_damage(path)
        if damage is None:
            for problem in problems:
                print_log(f"{problem}: resuming from {path}", "current", level=logging.WARNING)
            return path
        problems.append(f"{path} is unusable ({damage})")
    if problems:
        raise ValueError(f"{'; '.join(problems)}: put a whole checkpoint there, or start anew without --resume")
    return None


def _list_candidates(work_dir: Path, *, template: str) -> list[Path]:
    """Return the checkpoint that ``last_checkpoint`` names and then the others beside it, newest first."""
    pointer = work_dir / LAST_CHECKPOINT
    text = pointer.read_text(encoding="utf-8", errors="replace").strip() if pointer.is_file() else ""
    named = Path(text) if text else None
    folder = work_dir
    if named is not None and not (work_dir / named.name).is_file() and named.parent.is_dir():
        folder = named.parent
    pattern = re.compile(re.escape(template).replace(r"\{\}", r"(\d+)"))
    numbers = {path: int(match[1]) for path in folder.glob("*") if (match := pattern.fullmatch(path.name))}
    numbered = sorted(numbers, key=lambda path: numbers[path], reverse=True)
    if named is None:
        return numbered
    return [folder / named.name, *(path for path in numbered if path.name != named.name)]
