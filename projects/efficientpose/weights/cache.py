"""Where downloaded and converted weights are kept.

``released/`` holds the authors' files under their names; ``converted/`` our checkpoints, named after the variant, the
SHA-256 of the file they come from, and the version of this package that converted them.
"""

import atexit
import functools
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import efficientpose
from efficientpose.atomic import make_writable_folder
from efficientpose.weights.convert import convert_file
from efficientpose.weights.fetch import file_sha256

CACHE_VARIABLE: Final = "EFFICIENTPOSE_CACHE_DIR"
_DIGITS: Final = 32  # of the checksum in a file name

_logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the cache, which need not exist: EFFICIENTPOSE_CACHE_DIR, or ``efficientpose`` in the user's cache."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 - unlike Path's, leaves "~" where there is no home
    user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(user_cache) / "efficientpose"


def writable_folder(name: str) -> Path:
    """Return a folder of the cache, made if need be, that files can be written to.

    Args:
        name: "released" or "converted".

    Raises:
        OSError: If it cannot be made or written to; the message says what to do.
    """
    folder = cache_folder() / name
    try:
        make_writable_folder(folder)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"the cache {folder} cannot be written ({reason}): set {CACHE_VARIABLE} to a folder that can be"
        ) from error
    return folder


def writable_or_temporary_folder(name: str) -> Path:
    """Return a folder of the cache, or, with a warning, one that goes when the process ends.

    Args:
        name: "released" or "converted".
    """
    try:
        return writable_folder(name)
    except OSError:
        folder = _temporary_cache(cache_folder()) / name
        folder.mkdir(exist_ok=True)
        return folder


@functools.cache  # one folder and one warning
def _temporary_cache(instead_of: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="efficientpose-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _logger.warning(
        "the cache %s cannot be written: until this process ends, weights are kept in %s; %s names another cache",
        instead_of,
        folder,
        CACHE_VARIABLE,
    )
    return folder


def converted_path(folder: Path, *, variant: str, sha256: str) -> Path:
    """Return where the checkpoint made from a released file belongs.

    Args:
        folder: A ``converted`` folder.
        variant: Name of the variant.
        sha256: Checksum of the released file.
    """
    return folder / f"efficientpose_{variant}-{sha256[:_DIGITS]}-v{efficientpose.__version__}.pth"


def find_converted(*, variant: str, sha256: str) -> Path | None:
    """Return the checkpoint made from a released file, if the cache has it."""
    path = converted_path(cache_folder() / "converted", variant=variant, sha256=sha256)
    return path if path.is_file() else None


def convert_cached(source: Path, *, variant: str) -> Path:
    """Convert a released file into the cache, unless it was before.

    Args:
        source: A released ``.h5`` or ``.tflite`` file.
        variant: Its variant.

    Returns:
        The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ReleasedFileError: If it is no readable released file.
        ConversionError: If it does not fit the variant.
    """
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such file")
    sha256 = file_sha256(source)
    if (path := find_converted(variant=variant, sha256=sha256)) is not None:
        return path
    path = converted_path(writable_or_temporary_folder("converted"), variant=variant, sha256=sha256)
    if not path.is_file():
        convert_file(source, path, variant=variant)
    return path
