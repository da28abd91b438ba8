"""Download a variant's released file into the cache, and convert it there."""

import logging
from pathlib import Path

from efficientpose.weights.cache import (
    MODELS_URL,
    Kind,
    ReleasedFile,
    cache_folder,
    convert_cached,
    find_converted,
    released_file,
    writable_folder,
)
from efficientpose.weights.fetch import fetch, file_sha256

_logger = logging.getLogger(__name__)


def download(variant: str, *, kind: Kind | None = None, base_url: str = MODELS_URL, show_progress: bool = True) -> Path:
    """Download a variant's released file, if the cache lacks it, and convert it.

    Args:
        variant: Its name, such as "rt".
        kind: "keras" (float32) or "tflite" (float16 weights, smaller); None for the most exact there is.
        base_url: Where the authors' files are.
        show_progress: Draw a progress bar on a terminal.

    Returns:
        The checkpoint, in the cache.

    Raises:
        ValueError: If there is no such file, or what arrived is not it.
        DownloadError: If it cannot be fetched.
        OSError: If the cache cannot be written.
    """
    file = released_file(variant, kind=kind)
    if (path := find_downloaded(file)) is not None:
        return path
    writable_folder("converted")
    return download_into(writable_folder("released"), file, base_url=base_url, show_progress=show_progress)


def find_downloaded(file: ReleasedFile) -> Path | None:
    """Return the checkpoint made from a released file, if the cache has it or the file.

    Raises:
        ValueError: If the file in the cache is not what was released.
    """
    if file.sha256 is not None:
        path = find_converted(variant=file.variant, sha256=file.sha256)
        if path is not None:
            return path
    source = cache_folder() / "released" / file.name
    if not source.is_file():
        return None
    if file.sha256 is not None and (found := file_sha256(source)) != file.sha256:
        raise ValueError(
            f"{source} has the SHA-256 {found}, but what was released has {file.sha256}: delete it to download it again"
        )
    return _convert_downloaded(source, file)


def download_into(folder: Path, file: ReleasedFile, *, base_url: str, show_progress: bool = True) -> Path:
    """Download a released file and convert it.

    Args:
        folder: Where the released file goes.
        file: What to download.
        base_url: Where the authors' files are.
        show_progress: Draw a progress bar on a terminal.

    Returns:
        The checkpoint, in the cache.

    Raises:
        DownloadError: If it cannot be fetched.
        ValueError: If what arrived is not it.
    """
    destination = folder / file.name
    if file.sha256 is None:
        _logger.warning("no checksum of %s is known, so the download cannot be checked", file.name)
    fetch(f"{base_url.rstrip('/')}/{file.path}", destination, sha256=file.sha256, show_progress=show_progress)
    return _convert_downloaded(destination, file)


def _convert_downloaded(source: Path, file: ReleasedFile) -> Path:
    """Convert a file of the cache.

    Raises:
        ValueError: If it is not what was released.
    """
    try:
        return convert_cached(source, variant=file.variant)
    except ValueError as error:
        raise ValueError(f"{error}\nDelete {source} to download it again") from error
