"""Fetch a file over HTTP: resumed where it broke off, checked, and never half there."""

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

import efficientpose

_CHUNK: Final = 2**16
_MAX_CONNECTIONS: Final = 10
_NETWORK_ERRORS: Final = (OSError, http.client.HTTPException)


class DownloadError(OSError):
    """A file cannot be fetched, kept, or is not what it should be."""


@dataclass
class _Transfer:
    """One download: what it is, and how far it has come.

    Attributes:
        url: What is fetched.
        partial: The unfinished file.
        timeout: Seconds without an answer after which a connection counts as broken.
        etag: What the server said identifies the file's version; None if it said nothing.
        size: Bytes of the whole file; None while unknown.
    """

    url: str
    partial: Path
    timeout: float
    etag: str | None = None
    size: int | None = None

    @property
    def received(self) -> int:
        """Bytes on disk."""
        return self.partial.stat().st_size if self.partial.is_file() else 0


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def fetch(
    url: str, destination: Path, *, sha256: str | None = None, timeout: float = 30.0, show_progress: bool = True
) -> None:
    """Fetch ``url`` into ``destination``; do nothing if it is there already.

    What has been received lies in ``<destination>.part``. A connection that breaks is resumed. A call that ends early
    is resumed by the next one, if there is a checksum to tell that the pieces belong together. Several processes may
    ask for the same file: one fetches it, the others wait.

    Args:
        url: Of ``http`` or ``https``.
        destination: Where the file goes; its folder must exist.
        sha256: What the file must have; None to accept any.
        timeout: Seconds without an answer after which a connection counts as broken.
        show_progress: Draw a progress bar on the standard error stream, if that is a terminal.

    Raises:
        DownloadError: If the server cannot be reached or has no such file, the connection breaks again and again, the
            file cannot be written, or its checksum is wrong; in this case what was received is kept in the ``.part``.
        ValueError: If ``url`` is of another scheme.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url}: only http:// and https:// can be downloaded")
    if not destination.parent.is_dir():
        raise DownloadError(f"{destination.parent}: no such folder; make it before downloading {destination.name}")
    transfer = _Transfer(url=url, partial=destination.with_name(f"{destination.name}.part"), timeout=timeout)
    with _writing(destination), FileLock(destination.with_name(f"{destination.name}.lock")):
        if destination.is_file():
            return
        if sha256 is None:
            transfer.partial.unlink(missing_ok=True)
        with _progress_bar(show_progress) as progress:
            task = progress.add_task(destination.name, total=None)
            _receive_all(transfer, progress, task)
        if sha256 is not None and (found := file_sha256(transfer.partial)) != sha256:
            raise DownloadError(
                f"{transfer.partial} from {url} has the SHA-256 {found}, but {sha256} is expected: it is damaged "
                "or has changed at its source. Delete it to download it again"
            )
        transfer.partial.replace(destination)


@contextmanager
def _writing(destination: Path) -> Iterator[None]:
    """Turn errors of the disk into ours."""
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        free = shutil.disk_usage(destination.parent).free
        raise DownloadError(
            f"cannot write {destination} ({error.strerror or error}); {free // 2**20} MiB are free there"
        ) from error


def _progress_bar(show: bool) -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not (show and console.is_terminal))


def _receive_all(transfer: _Transfer, progress: Progress, task: TaskID) -> None:
    """Connect until the file is whole, as long as each connection brings a piece of it."""
    for _ in range(_MAX_CONNECTIONS):
        before = transfer.received
        response = _connect(transfer)
        if response is None:  # all there already
            return
        mode = "ab" if response.status == http.HTTPStatus.PARTIAL_CONTENT else "wb"
        with response, transfer.partial.open(mode) as file:
            progress.update(task, total=transfer.size, completed=file.tell())
            broken = _receive(response, file, progress, task)
        if transfer.size is not None and transfer.received != transfer.size:
            broken = broken or f"{transfer.received} of {transfer.size} bytes arrived"
        if broken is None:
            return
        if transfer.received <= before:
            break
    raise DownloadError(
        f"the download of {transfer.url} broke off ({broken}); what has arrived is in {transfer.partial}: try again"
    )


def _receive(response: http.client.HTTPResponse, file: IO[bytes], progress: Progress, task: TaskID) -> str | None:
    """Append the answer to a file; return why it ended early, None if it did not."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except _NETWORK_ERRORS as error:
            return str(error) or type(error).__name__
        if not chunk:
            return None
        file.write(chunk)
        progress.advance(task, len(chunk))


def _connect(transfer: _Transfer) -> http.client.HTTPResponse | None:
    """Ask for what is missing; None if nothing is."""
    offset = transfer.received
    headers = {"User-Agent": f"efficientpose/{efficientpose.__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if transfer.etag is not None:
            headers["If-Range"] = transfer.etag
    request = urllib.request.Request(transfer.url, headers=headers)  # noqa: S310 - fetch() checks the scheme
    try:
        response = urllib.request.urlopen(request, timeout=transfer.timeout)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not offset:
            raise DownloadError(_refusal(transfer.url, error)) from error
        if _total_size(error.headers.get("Content-Range")) == offset:
            return None
        transfer.partial.unlink()  # longer than the file, so not a piece of it
        return _connect(transfer)
    except _NETWORK_ERRORS as error:
        raise DownloadError(_unreachable(transfer.url, error)) from error
    _note_size(transfer, response, offset)
    return response


def _note_size(transfer: _Transfer, response: http.client.HTTPResponse, offset: int) -> None:
    """Keep what the answer says of the whole file.

    Raises:
        DownloadError: If the answer is another piece than was asked for.
    """
    etag = response.headers.get("ETag")
    transfer.etag = etag if etag and not etag.startswith("W/") else None
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        content_range = response.headers.get("Content-Range", "")
        if not content_range.startswith(f"bytes {offset}-"):
            raise DownloadError(
                f"{transfer.url}: the server sent {content_range!r} instead of the bytes from {offset}; "
                f"delete {transfer.partial} to start again"
            )
        transfer.size = _total_size(content_range)
    else:
        length = response.headers.get("Content-Length", "")
        transfer.size = int(length) if length.isdigit() else None


def _total_size(content_range: str | None) -> int | None:
    """Return T of "bytes A-B/T" or "bytes */T"; None if it is not given."""
    total = (content_range or "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _refusal(url: str, error: urllib.error.HTTPError) -> str:
    if error.code == http.HTTPStatus.NOT_FOUND:
        return f"{url}: there is no such file (404); it may have moved"
    return f"{url}: the server answered {error.code} {error.reason}"


def _unreachable(url: str, error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return (
        f"{urlsplit(url).netloc} cannot be reached ({reason}): is there a network, and does it need HTTPS_PROXY? "
        f"Otherwise get {url} by other means and put it in a folder that EFFICIENTPOSE_WEIGHTS_DIR names"
    )
