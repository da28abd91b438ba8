"""Find a variant's weights: named by the user, in the cache, in a folder of released files, or downloaded.

The cache has two folders: ``released`` for the authors' files, and ``converted`` for our checkpoints, named after the
variant, the SHA-256 of the file they come from, and the version of this package that converted them.
"""

import atexit
import functools
import hashlib
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from filelock import FileLock

import efficientpose
from efficientpose.core.files import make_writable_folder
from efficientpose.core.variants import get_variant
from efficientpose.weights.catalog import MODELS_URL, Kind, ReleasedFile, released_file, released_files
from efficientpose.weights.convert import convert_file

CACHE_VARIABLE: Final = "EFFICIENTPOSE_CACHE_DIR"
WEIGHTS_VARIABLE: Final = "EFFICIENTPOSE_WEIGHTS_DIR"

_RETRIES: Final = 2
_DIGITS: Final = 32  # of the checksum in a file name

_logger = logging.getLogger(__name__)


class DownloadError(OSError):
    """A file cannot be downloaded, kept, or is not what it should be."""


class WeightsNotFoundError(FileNotFoundError):
    """A variant's weights are nowhere; the message says where they were looked for and what to do."""


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
        if (path := _find_in_cache(file)) is not None:
            return path
        if (source := _find_in_weights_folder(file)) is not None:
            _logger.info("using %s", source)
            return convert_cached(source, variant=name)
    if not allow_download:
        raise _not_found(name, download="not allowed here")
    folder = _make_folder("released", or_temporary=True)
    try:
        return _download_into(folder, released_file(name), base_url=base_url)
    except DownloadError as error:
        raise _not_found(name, download=str(error)) from error


def download(variant: str, *, kind: Kind | None = None, base_url: str = MODELS_URL) -> Path:
    """Download a variant's released file if the cache lacks it; return the checkpoint made from it, in the cache.

    ``kind`` is "keras" (float32) or "tflite" (float16 weights, smaller), None for the most exact there is.

    Raises:
        ValueError: If there is no such file, or what arrived is not it.
        DownloadError: If it cannot be downloaded.
        OSError: If the cache cannot be written.
    """
    file = released_file(variant, kind=kind)
    if (path := _find_in_cache(file)) is not None:
        return path
    _make_folder("converted", or_temporary=False)
    return _download_into(_make_folder("released", or_temporary=False), file, base_url=base_url)


def convert_cached(source: Path, *, variant: str) -> Path:
    """Convert a released file into the cache, unless it was before, and return the checkpoint.

    Raises FileNotFoundError if there is no such file; ReleasedFileError if it is no readable released file;
    ConversionError if it does not fit the variant.
    """
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such file")
    name = _checkpoint_name(variant, _sha256(source))
    if (path := cache_folder() / "converted" / name).is_file():
        return path
    path = _make_folder("converted", or_temporary=True) / name
    if not path.is_file():
        convert_file(source, path, variant=variant)
    return path


def cache_folder() -> Path:
    """Return the cache, which need not exist: EFFICIENTPOSE_CACHE_DIR, or ``efficientpose`` in the user's cache."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 - unlike Path's, leaves "~" where there is no home
    user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(user_cache) / "efficientpose"


def _use_explicit(path: Path, *, variant: str) -> Path:
    if path.suffix in (".h5", ".tflite"):
        return convert_cached(path, variant=variant)
    if path.suffix != ".pth":
        raise ValueError(f"{path}: weights are a checkpoint (.pth) or a released file (.h5, .tflite)")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    return path


def _find_in_cache(file: ReleasedFile) -> Path | None:
    """Return the checkpoint made from a released file, if the cache has it or the file."""
    if file.sha256 is not None:
        path = cache_folder() / "converted" / _checkpoint_name(file.variant, file.sha256)
        if path.is_file():
            return path
    source = cache_folder() / "released" / file.name
    if not source.is_file():
        return None
    if file.sha256 not in (None, _sha256(source)):
        _logger.warning("%s is damaged: its checksum is not that of the released file", source)
        return None
    return _convert_downloaded(source, file)


def _find_in_weights_folder(file: ReleasedFile) -> Path | None:
    folder = os.environ.get(WEIGHTS_VARIABLE)
    matches = [path for path in Path(folder).expanduser().rglob(file.name) if path.is_file()] if folder else []
    if not matches:
        return None
    found = min(matches, key=lambda path: (len(path.parts), path))
    if file.sha256 not in (None, _sha256(found)):
        _logger.warning("%s is not the file the authors released under this name; using it all the same", found)
    return found


def _not_found(variant: str, *, download: str) -> WeightsNotFoundError:
    names = " or ".join(file.name for file in released_files(variant))
    searched = "not set"
    if chosen := os.environ.get(WEIGHTS_VARIABLE):
        folder = Path(chosen).expanduser()
        searched = f"{folder} {'has no ' + names if folder.is_dir() else 'is no folder'}"
    return WeightsNotFoundError(
        f"there are no weights of {get_variant(variant).title}. Looked at:\n"
        f"  cache: {cache_folder()}\n"
        f"  {WEIGHTS_VARIABLE}: {searched}\n"
        f"  download: {download}\n"
        f"Run `efficientpose download {variant}` where there is a network, or set {WEIGHTS_VARIABLE} to a folder with "
        f"{names}, or name a checkpoint or released file with --weights."
    )


def _download_into(folder: Path, file: ReleasedFile, *, base_url: str) -> Path:
    """Download a released file, unless another process did, and return the checkpoint made from it."""
    import pooch
    import requests

    url, destination = f"{base_url.rstrip('/')}/{file.path}", folder / file.name
    if file.sha256 is None:
        _logger.warning("no checksum of %s is known, so the download cannot be checked", file.name)
    pooch.get_logger().setLevel(logging.WARNING)
    source = pooch.create(
        folder, base_url="", registry={file.name: file.sha256}, urls={file.name: url}, retry_if_failed=_RETRIES
    )
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30)
    try:
        with FileLock(folder / f"{file.name}.lock"):  # one process downloads, the others wait
            source.fetch(file.name, downloader=downloader)
    except requests.HTTPError as error:
        status = None if error.response is None else error.response.status_code
        reason = "there is no such file (404); it may have moved" if status == 404 else f"the server answered {status}"
        raise DownloadError(f"{url}: {reason}") from error
    except requests.RequestException as error:
        raise DownloadError(
            f"{url} cannot be downloaded ({error}): is there a network, and does it need HTTPS_PROXY? Otherwise get "
            f"the file by other means and put it in a folder that {WEIGHTS_VARIABLE} names"
        ) from error
    except ValueError as error:  # the checksum
        raise DownloadError(f"{url}: {error}") from error
    except OSError as error:
        free = shutil.disk_usage(folder).free // 2**20
        raise DownloadError(
            f"cannot write {destination} ({error.strerror or error}); {free} MiB are free there"
        ) from error
    return _convert_downloaded(destination, file)


def _convert_downloaded(source: Path, file: ReleasedFile) -> Path:
    try:
        return convert_cached(source, variant=file.variant)
    except ValueError as error:
        raise ValueError(f"{error}\nDelete {source} to download it again") from error


def _checkpoint_name(variant: str, sha256: str) -> str:
    return f"efficientpose_{variant}-{sha256[:_DIGITS]}-v{efficientpose.__version__}.pth"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _make_folder(name: str, *, or_temporary: bool) -> Path:
    """Make and return a folder of the cache; if it cannot be written, a temporary one with a warning, or an error."""
    folder = cache_folder() / name
    try:
        make_writable_folder(folder)
    except OSError as error:
        if not or_temporary:
            reason = error.strerror or error
            raise OSError(
                f"the cache {folder} cannot be written ({reason}): set {CACHE_VARIABLE} to a folder that can be"
            ) from error
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
