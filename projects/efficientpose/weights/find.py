"""Find a variant's weights: named by the user, in the cache, in a folder of released files, or downloaded."""

import logging
import os
from pathlib import Path
from typing import Final

from efficientpose.core.variants import get_variant
from efficientpose.weights.cache import (
    MODELS_URL,
    ReleasedFile,
    cache_folder,
    convert_cached,
    released_file,
    released_files,
    writable_or_temporary_folder,
)
from efficientpose.weights.download import download_into, find_downloaded
from efficientpose.weights.fetch import DownloadError, file_sha256

WEIGHTS_VARIABLE: Final = "EFFICIENTPOSE_WEIGHTS_DIR"

_logger = logging.getLogger(__name__)


class WeightsNotFoundError(FileNotFoundError):
    """A variant's weights are nowhere; the message says where was looked and what to do."""


def find_weights(
    variant: str, *, explicit: Path | None = None, allow_download: bool = True, base_url: str = MODELS_URL
) -> Path:
    """Return a checkpoint of ours for a variant.

    Looks at, in this order: the explicit file; the cache and then the folder EFFICIENTPOSE_WEIGHTS_DIR with all below
    it, first for the ``.h5`` file, then for the ``.tflite`` file; the authors' server. A released file is converted
    once and kept in the cache.

    Args:
        variant: Its name, such as "rt".
        explicit: A checkpoint (``.pth``), returned as it is, or a released file (``.h5``, ``.tflite``); None to search.
        allow_download: Whether to download what is not found.
        base_url: Where the authors' files are.

    Raises:
        ValueError: If the variant is unknown, or a file is none of these, damaged, or of another variant.
        FileNotFoundError: If the explicit file does not exist.
        WeightsNotFoundError: If nothing is found, or it cannot be downloaded.
    """
    name = get_variant(variant).name
    if explicit is not None:
        return _use_explicit(Path(explicit), variant=name)
    for file in released_files(name):
        if (path := find_downloaded(file)) is not None:
            return path
        if (source := _find_in_weights_folder(file)) is not None:
            _logger.info("using %s", source)
            return convert_cached(source, variant=name)
    if not allow_download:
        raise _not_found(name, download="not allowed here")
    try:
        return download_into(writable_or_temporary_folder("released"), released_file(name), base_url=base_url)
    except DownloadError as error:
        raise _not_found(name, download=str(error)) from error


def _use_explicit(path: Path, *, variant: str) -> Path:
    if path.suffix in (".h5", ".tflite"):
        return convert_cached(path, variant=variant)
    if path.suffix != ".pth":
        raise ValueError(f"{path}: weights are a checkpoint (.pth) or a released file (.h5, .tflite)")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    return path


def _weights_folder() -> Path | None:
    folder = os.environ.get(WEIGHTS_VARIABLE)
    return Path(folder).expanduser() if folder else None


def _find_in_weights_folder(file: ReleasedFile) -> Path | None:
    folder = _weights_folder()
    if folder is None:
        return None
    matches = [path for path in folder.rglob(file.name) if path.is_file()]
    if not matches:
        return None
    found = min(matches, key=lambda path: (len(path.parts), path))
    if file.sha256 is not None and file_sha256(found) != file.sha256:
        _logger.warning("%s is not the file the authors released under this name; using it all the same", found)
    return found


def _not_found(variant: str, *, download: str) -> WeightsNotFoundError:
    names = " or ".join(file.name for file in released_files(variant))
    folder = _weights_folder()
    searched = "not set" if folder is None else f"{folder} {'has no ' + names if folder.is_dir() else 'is no folder'}"
    return WeightsNotFoundError(
        f"there are no weights of {get_variant(variant).title}. Looked at:\n"
        f"  cache: {cache_folder()}\n"
        f"  {WEIGHTS_VARIABLE}: {searched}\n"
        f"  download: {download}\n"
        f"Run `efficientpose download {variant}` where there is a network, or set {WEIGHTS_VARIABLE} to a folder with "
        f"{names}, or name a checkpoint or released file with --weights."
    )
