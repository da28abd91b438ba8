"""Write files atomically, into folders that were checked to be writable."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it becomes ``path`` if the block succeeds and is removed if not.

    Raises:
        OSError: If the file cannot be written or put in place; it names ``path``.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.strerror:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def make_writable_folder(folder: Path) -> None:
    """Make a folder, and those above it, and check that it can be written; raises OSError if not."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def prepare_folder(folder: Path) -> None:
    """Make an output folder and check that it can be written.

    Raises:
        OSError: If it cannot; the message names it.
    """
    try:
        make_writable_folder(folder)
    except OSError as error:
        message = f"cannot write to the output folder {folder} ({error.strerror}): choose another with --out"
        raise OSError(message) from None
