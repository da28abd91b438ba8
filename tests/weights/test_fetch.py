import errno
import hashlib
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from efficientpose.weights.fetch import DownloadError, fetch, file_sha256

BODY = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def url(server):
    server.files["/models/weights.h5"] = BODY
    return f"{server.url}/models/weights.h5"


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "weights.h5"


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "weights.h5.part"


def ranges(server):
    return [asked for _, asked in server.requests]


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_fetch(url, destination, partial, sha256):
    fetch(url, destination, sha256=sha256)
    assert destination.read_bytes() == BODY
    assert not partial.exists()


def test_a_file_that_is_there_is_not_fetched(server, url, destination):
    destination.write_bytes(b"old")
    fetch(url, destination)
    assert destination.read_bytes() == b"old"
    assert server.requests == []


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_broken_connections_are_resumed(server, url, destination, sha256):
    server.cuts = [100_000, 50_000]
    fetch(url, destination, sha256=sha256)
    assert destination.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]


def test_broken_connection_restarts_where_the_server_cannot_resume(server, url, destination):
    server.has_ranges = False
    server.cuts = [100_000]
    fetch(url, destination, sha256=SHA256)
    assert destination.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-"]


def test_a_file_that_changed_in_between_is_fetched_anew(server, url, destination):
    changed = BODY[::-1]
    server.etag, server.cuts = '"one"', [100_000]

    def change():
        server.files["/models/weights.h5"], server.etag = changed, '"two"'

    server.after_answer = change
    fetch(url, destination)
    assert destination.read_bytes() == changed
    assert ranges(server) == [None, "bytes=100000-"]


def test_giving_up_keeps_what_arrived_and_the_next_call_resumes(server, url, destination, partial):
    server.cuts = [100_000, 0]
    with pytest.raises(
        DownloadError, match=r"broke off \(100000 of 300000 bytes arrived\).*weights.h5.part: try again"
    ):
        fetch(url, destination, sha256=SHA256)
    assert partial.read_bytes() == BODY[:100_000]
    assert not destination.exists()
    server.requests.clear()
    fetch(url, destination, sha256=SHA256)
    assert destination.read_bytes() == BODY
    assert ranges(server) == ["bytes=100000-"]


def test_without_a_checksum_the_next_call_starts_over(server, url, destination, partial):
    partial.write_bytes(b"of another version")
    fetch(url, destination)
    assert destination.read_bytes() == BODY
    assert ranges(server) == [None]


def test_a_whole_partial_file_is_only_checked(server, url, destination, partial):
    partial.write_bytes(BODY)
    fetch(url, destination, sha256=SHA256)  # the server answers 416
    assert destination.read_bytes() == BODY
    assert ranges(server) == ["bytes=300000-"]


def test_a_partial_file_longer_than_the_file_is_fetched_anew(server, url, destination, partial):
    partial.write_bytes(BODY + b"more")
    fetch(url, destination, sha256=SHA256)
    assert destination.read_bytes() == BODY
    assert ranges(server) == ["bytes=300004-", None]


def test_another_piece_than_asked_for_is_refused(server, url, destination, partial):
    partial.write_bytes(BODY[:1000])
    server.range_error = 1
    with pytest.raises(DownloadError, match=r"sent 'bytes 1001-299999/300000' instead of the bytes from 1000"):
        fetch(url, destination, sha256=SHA256)
    assert partial.read_bytes() == BODY[:1000]


def test_wrong_checksum_names_both_and_removes_nothing(url, destination, partial):
    with pytest.raises(DownloadError) as caught:
        fetch(url, destination, sha256="0" * 64)
    assert SHA256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert str(partial) in str(caught.value)
    assert partial.read_bytes() == BODY
    assert not destination.exists()


def test_no_such_file(server, destination):
    with pytest.raises(DownloadError, match=r"/models/other.h5: there is no such file \(404\)"):
        fetch(f"{server.url}/models/other.h5", destination)
    assert not destination.exists()


def test_server_in_trouble(server, url, destination):
    server.status = 503
    with pytest.raises(DownloadError, match="the server answered 503 Service Unavailable"):
        fetch(url, destination)


def test_nothing_listens(destination):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(DownloadError, match=rf"{address} cannot be reached \(.*refused.*HTTPS_PROXY"):
            fetch(f"http://{address}/weights.h5", destination)


def test_silent_server(server, url, destination):
    server.gate.clear()
    with pytest.raises(DownloadError, match=r"cannot be reached \(.*timed out"):
        fetch(url, destination, timeout=0.2)


def test_no_such_folder(url, tmp_path):
    with pytest.raises(DownloadError, match=r"none: no such folder; make it before downloading weights.h5"):
        fetch(url, tmp_path / "none" / "weights.h5")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(url, destination, partial):
    partial.symlink_to("/dev/full")
    with pytest.raises(
        DownloadError, match=r"cannot write .*weights.h5 \(No space left on device\); \d+ MiB are free"
    ) as caught:
        fetch(url, destination, sha256=SHA256)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_other_schemes_are_refused(tmp_path, destination):
    with pytest.raises(ValueError, match="only http:// and https://"):
        fetch((tmp_path / "weights.h5").as_uri(), destination)


def test_two_at_once_fetch_once(server, url, destination):
    server.gate.clear()
    threads = [threading.Thread(target=fetch, args=(url, destination), kwargs=dict(sha256=SHA256)) for _ in range(2)]
    for thread in threads:
        thread.start()
    server.gate.set()
    for thread in threads:
        thread.join()
    assert destination.read_bytes() == BODY
    assert ranges(server) == [None]


def test_file_sha256(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
