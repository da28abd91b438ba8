import logging

import pytest
import torch

from efficientpose.weights.cache import released_file
from efficientpose.weights.download import download, find_downloaded
from efficientpose.weights.fetch import DownloadError

PATH = "/keras/EfficientPoseRT.h5"


@pytest.fixture
def models(server, rt_released):
    server.files[PATH] = rt_released.read_bytes()
    return f"{server.url}/"


def test_fetches_converts_and_keeps(cache, server, models, caplog):
    path = download("RT", base_url=models)
    assert path.parent == cache / "converted"
    assert torch.load(path, weights_only=True)["meta"]["variant"] == "rt"
    assert (cache / "released" / "EfficientPoseRT.h5").read_bytes() == server.files[PATH]
    assert server.requests == [(PATH, None)]
    assert caplog.records == []
    assert download("rt", base_url=models) == path
    assert len(server.requests) == 1


def test_base_url_with_or_without_a_slash(cache, server, models):
    download("rt", base_url=models.rstrip("/"))
    assert server.requests == [(PATH, None)]


def test_says_that_there_is_no_checksum(cache, server, rt_file, set_released, caplog):
    set_released(("keras", "rt", None))
    server.files[PATH] = rt_file.read_bytes()
    with caplog.at_level(logging.WARNING):
        path = download("rt", base_url=server.url)
    assert path.is_file()
    assert "no checksum of EfficientPoseRT.h5 is known, so the download cannot be checked" in caplog.text


def test_rubbish_without_a_checksum(cache, server, set_released):
    set_released(("keras", "rt", None))
    server.files[PATH] = b"<html>Please log in</html>"
    for _ in range(2):  # and what is in the cache says the same
        with pytest.raises(
            ValueError, match=r"not a readable HDF5 file(?s:.*)Delete .*EfficientPoseRT.h5 to download it"
        ):
            download("rt", base_url=server.url)
    assert len(server.requests) == 1


def test_wrong_checksum(cache, server, models):
    server.files[PATH] += b"more"
    with pytest.raises(DownloadError, match=r"has the SHA-256 .* is expected"):
        download("rt", base_url=models)
    assert not list((cache / "converted").iterdir())


def test_damaged_file_in_the_cache(cache, server, models):
    download("rt", base_url=models).unlink()
    (cache / "released" / "EfficientPoseRT.h5").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"EfficientPoseRT.h5 has the SHA-256 .* what was released has .*: delete it"):
        find_downloaded(released_file("rt"))


def test_converts_what_the_cache_has(cache, models):
    path = download("rt", base_url=models)
    path.unlink()
    assert find_downloaded(released_file("rt")) == path
    assert path.is_file()


def test_file_of_another_variant(cache, server, rt_file, set_released):
    set_released(("keras", "i", None))
    server.files["/keras/EfficientPoseI.h5"] = rt_file.read_bytes()
    with pytest.raises(ValueError, match="is of EfficientPose RT, not EfficientPose I"):
        download("i", base_url=server.url)


def test_a_cache_that_cannot_be_written(tmp_path, cache, server, models, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        OSError, match=r"the cache .* cannot be written \(Not a directory\): set EFFICIENTPOSE_CACHE_DIR to"
    ):
        download("rt", base_url=models)
    assert server.requests == []


def test_a_kind_that_is_not_known(cache):
    with pytest.raises(ValueError, match="no tflite file of EfficientPose IV is known: choose keras"):
        download("iv", kind="tflite")
