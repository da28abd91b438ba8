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
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import efficientpose
from efficientpose.core.files import make_writable_folder
from efficientpose.core.variants import get_variant
from efficientpose.weights.convert import convert_file
from efficientpose.weights.fetch import file_sha256

MODELS_URL: Final = "https://github.com/daniegr/EfficientPose/raw/master/models/"

Kind = Literal["keras", "tflite"]


@dataclass(frozen=True, kw_only=True)
class ReleasedFile:
    """One released file.

    Attributes:
        variant: Name of its variant.
        kind: "keras" is float32; "tflite" has float16 weights with batch norm folded in. Both have every output, but
            of the Lite variants only the final one.
        name: File name.
        path: Where it is below :data:`MODELS_URL`.
        sha256: Its checksum; None where it was not at hand, so that a download cannot be checked.
    """

    variant: str
    kind: Kind
    name: str
    path: str
    sha256: str | None


def _keras(variant: str, sha256: str | None) -> ReleasedFile:
    name = f"EfficientPose{variant.upper()}.h5"
    return ReleasedFile(variant=variant, kind="keras", name=name, path=f"keras/{name}", sha256=sha256)


def _tflite(variant: str, sha256: str | None) -> ReleasedFile:
    name = f"EfficientPose{variant.upper()}.tflite"
    return ReleasedFile(variant=variant, kind="tflite", name=name, path=f"tflite/{name}", sha256=sha256)


# Of II Lite no Keras file is known.
RELEASED_FILES: Final = (
    _keras("rt", "508943cfdeb1d102d69aff4280b805c023585b0d9ae530344fb4c4fad3a175f1"),
    _keras("i", "003aea100c30c68103fb4c383fb8782f78adbea7a45451af85334327b79fc5bd"),
    _keras("ii", None),
    _keras("iii", None),
    _keras("iv", None),
    _tflite("rt", "baf3da751c55517b7072a13f37ad5ce89d2dee813a7f0038ce90a7c8776d63b7"),
    _tflite("i", "fc5aac01a3b10b00f110acf862ff241cfa687f66a54ed022784c946218d5d54b"),
    _tflite("ii", "0659b687e8c0d33f63855c2b196d355b317490a586275609e20787861a305ac3"),
    _keras("rt_lite", "ce0c91259b075180177d070d0be1e71ff8695d7c123745efb950743aa90699ae"),
    _keras("i_lite", "3eb6eb2a595e47d3104590e6484533d64534e4b994397a9dd2bd3e5a11430516"),
    _tflite("rt_lite", "43c2257e6837c5b7a82e0ecef4bf44d9927952dad0fb473a8d536c545d6d8b56"),
    _tflite("i_lite", "95ae3a739cdb2115e9da5402947db957d7bffd8933c0e8fb42aaae6a772a3f10"),
    _tflite("ii_lite", "e0d23ecf1f689e9394a2f3768d5e9aebc8457c5e88ef418fea35fe727f5c92cc"),
)


def released_files(variant: str) -> tuple[ReleasedFile, ...]:
    """Return a variant's released files, the most exact first.

    Raises:
        ValueError: If the variant is unknown.
    """
    name = get_variant(variant).name
    return tuple(file for file in RELEASED_FILES if file.variant == name)


def released_file(variant: str, *, kind: Kind | None = None) -> ReleasedFile:
    """Return a variant's released file of one kind; None for the most exact there is.

    Raises:
        ValueError: If the variant is unknown or was not released (or is not known here) in this kind.
    """
    files = released_files(variant)
    for file in files:
        if kind in (None, file.kind):
            return file
    known = " or ".join(file.kind for file in files)
    raise ValueError(f"no {kind} file of {get_variant(variant).title} is known: choose {known}")


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
