import hashlib
import logging
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import efficientpose
from efficientpose.weights import find
from efficientpose.weights.catalog import released_file
from efficientpose.weights.convert import ConversionError
from efficientpose.weights.find import (
    DownloadError,
    WeightsNotFoundError,
    cache_folder,
    convert_cached,
    download,
    find_weights,
)

NAME = "EfficientPoseRT.h5"
PATH = f"/keras/{NAME}"


@pytest.fixture
def weights_folder(tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    (folder / "models" / "keras").mkdir(parents=True)
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(folder))
    return folder


@pytest.fixture
def other_file(tmp_path, rt_arrays, write_keras):
    """A file of the same name and shape with other values."""
    (tmp_path / "other").mkdir()
    bias = rt_arrays["pass1_skeleton_pafs/bias"] + 1
    return write_keras(tmp_path / "other" / NAME, rt_arrays | {"pass1_skeleton_pafs/bias": bias})


def paf_bias(path):
    return torch.load(path, weights_only=True)["state_dict"]["head.paf_pass.predict.bias"]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EFFICIENTPOSE_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "efficientpose"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "efficientpose"
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", "~/own")
    assert cache_folder() == tmp_path / "own"


def test_an_explicit_checkpoint_is_used_as_it_is(cache, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"whatever")
    assert find_weights("rt", explicit=path) == path
    assert not cache.exists()


def test_an_explicit_released_file_is_converted_once(cache, rt_file):
    path = find_weights("RT", explicit=rt_file)
    assert path.parent == cache / "converted"
    assert path.name.startswith("efficientpose_rt-")
    assert path.name.endswith(f"-v{efficientpose.__version__}.pth")
    written = path.stat().st_mtime_ns
    assert find_weights("rt", explicit=rt_file) == path
    assert path.stat().st_mtime_ns == written
    assert list(path.parent.iterdir()) == [path]


def test_files_of_one_name_are_told_apart(cache, rt_file, other_file):
    one, two = (find_weights("rt", explicit=file) for file in (rt_file, other_file))
    assert one != two
    np.testing.assert_allclose(paf_bias(two), paf_bias(one) + 1, rtol=1e-6)


def test_explicit_files_that_do_not_do(cache, rt_file, tmp_path):
    for name in ("none.pth", "none.h5"):
        with pytest.raises(FileNotFoundError, match=f"{name}: no such"):
            find_weights("rt", explicit=tmp_path / name)
    with pytest.raises(ValueError, match=r"a.onnx: weights are a checkpoint \(.pth\) or a released file"):
        find_weights("rt", explicit=tmp_path / "a.onnx")
    with pytest.raises(ConversionError, match="is of EfficientPose RT, not EfficientPose II: use --model rt"):
        find_weights("ii", explicit=rt_file)
    with pytest.raises(ValueError, match="unknown variant 'v'"):
        find_weights("v", explicit=rt_file)


def test_folder_of_released_files(cache, rt_released, weights_folder, monkeypatch, caplog):
    source = weights_folder / "models" / "keras" / NAME
    source.write_bytes(rt_released.read_bytes())
    (weights_folder / "EfficientPoseRT.tflite").write_bytes(b"not looked at, since there is a .h5")
    path = find_weights("rt", allow_download=False)
    assert path.parent == cache / "converted"
    assert caplog.records == []
    source.unlink()
    monkeypatch.delenv("EFFICIENTPOSE_WEIGHTS_DIR")
    assert find_weights("rt", allow_download=False) == path  # now from the cache


def test_folder_with_a_tflite_file_alone(cache, shared, weights_folder, caplog):
    for variant in ("RT", "II"):
        source = shared / "official" / "tflite" / f"EfficientPose{variant}.tflite"
        (weights_folder / source.name).symlink_to(source)
    path = find_weights("ii", allow_download=False)
    assert torch.load(path, weights_only=True)["meta"]["source"] == "EfficientPoseII.tflite"
    assert caplog.records == []


def test_the_file_nearest_to_the_top_is_used(cache, rt_released, other_file, weights_folder):
    (weights_folder / NAME).write_bytes(rt_released.read_bytes())
    (weights_folder / "models" / NAME).write_bytes(other_file.read_bytes())
    np.testing.assert_array_equal(paf_bias(find_weights("rt")), paf_bias(find_weights("rt", explicit=rt_released)))


def test_a_changed_file_in_the_folder_is_used_and_said(cache, rt_released, other_file, weights_folder, caplog):
    (weights_folder / NAME).write_bytes(other_file.read_bytes())
    path = find_weights("rt")
    assert f"{weights_folder / NAME} is not the file the authors released under this name" in caplog.text
    assert path == find_weights("rt", explicit=other_file)


def test_a_damaged_file_in_the_folder_is_an_error(cache, rt_released, weights_folder):
    (weights_folder / NAME).write_bytes(rt_released.read_bytes()[:1000])
    with pytest.raises(ValueError, match=rf"{weights_folder / NAME}: not a readable HDF5 file"):
        find_weights("rt")


def test_download_comes_last(cache, server, rt_released):
    server.files[PATH] = rt_released.read_bytes()
    path = find_weights("rt", base_url=server.url)
    assert len(server.requests) == 1
    assert find_weights("rt", base_url=server.url) == path
    assert len(server.requests) == 1


def test_not_found_says_where_and_what_to_do(cache, server, rt_released, weights_folder, monkeypatch):
    with pytest.raises(WeightsNotFoundError) as caught:
        find_weights("rt", base_url=server.url)
    assert str(caught.value).splitlines() == [
        "there are no weights of EfficientPose RT. Looked at:",
        f"  cache: {cache}",
        f"  EFFICIENTPOSE_WEIGHTS_DIR: {weights_folder} has no EfficientPoseRT.h5 or EfficientPoseRT.tflite",
        f"  download: {server.url}/keras/EfficientPoseRT.h5: there is no such file (404); it may have moved",
        "Run `efficientpose download rt` where there is a network, or set EFFICIENTPOSE_WEIGHTS_DIR to a folder with "
        "EfficientPoseRT.h5 or EfficientPoseRT.tflite, or name a checkpoint or released file with --weights.",
    ]
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(weights_folder / "none"))
    with pytest.raises(WeightsNotFoundError, match=r"WEIGHTS_DIR: .*none is no folder\n  download: not allowed here"):
        find_weights("rt", allow_download=False)
    monkeypatch.delenv("EFFICIENTPOSE_WEIGHTS_DIR")
    with pytest.raises(WeightsNotFoundError, match=r"WEIGHTS_DIR: not set"):
        find_weights("rt", allow_download=False)
    assert len(server.requests) == 1


def test_without_a_writable_cache_weights_are_temporary(tmp_path, cache, server, rt_released, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    server.files[PATH] = rt_released.read_bytes()
    with caplog.at_level(logging.WARNING):
        path = find_weights("rt", base_url=server.url)
        assert find_weights("rt", explicit=rt_released) == path
    assert torch.load(path, weights_only=True)["meta"]["variant"] == "rt"
    (warning,) = caplog.messages
    assert "\n" not in warning
    assert str(path.parents[1]) in warning
    assert "EFFICIENTPOSE_CACHE_DIR names another cache" in warning


def test_a_read_only_cache_is_still_read(cache, rt_released, monkeypatch, caplog):
    path = find_weights("rt", explicit=rt_released)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("efficientpose.core.files.tempfile.TemporaryFile", refuse)
    assert find_weights("rt", explicit=rt_released) == path
    assert find_weights("rt", allow_download=False) == path
    assert caplog.records == []


def test_conversions_at_once(cache, rt_file):
    """All get a whole checkpoint, and nothing is left over."""
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(paf_bias(convert_cached(rt_file, variant="rt")))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(torch.equal(bias, found[0]) for bias in found)
    assert len(list((cache / "converted").iterdir())) == 1


@pytest.fixture
def models(server, rt_released):
    """The address of a server that has EfficientPose RT."""
    server.files[PATH] = rt_released.read_bytes()
    return f"{server.url}/"


def test_downloads_converts_and_keeps(cache, server, models, caplog):
    path = download("RT", base_url=models)
    assert path.parent == cache / "converted"
    assert torch.load(path, weights_only=True)["meta"]["variant"] == "rt"
    assert (cache / "released" / NAME).read_bytes() == server.files[PATH]
    assert caplog.records == []
    assert download("rt", base_url=models.rstrip("/")) == path
    path.unlink()
    assert download("rt", base_url=models) == path  # converted again
    assert server.requests == [PATH]


def test_says_that_there_is_no_checksum(cache, server, rt_file, set_released, caplog):
    set_released(("keras", "rt", None))
    server.files[PATH] = rt_file.read_bytes()
    with caplog.at_level(logging.WARNING):
        assert download("rt", base_url=server.url).is_file()
    assert f"no checksum of {NAME} is known, so the download cannot be checked" in caplog.text


def test_rubbish_without_a_checksum(cache, server, set_released):
    set_released(("keras", "rt", None))
    server.files[PATH] = b"<html>Please log in</html>"
    for _ in range(2):  # and what is in the cache says the same
        with pytest.raises(ValueError, match=rf"not a readable HDF5 file(?s:.*)Delete .*{NAME} to download it"):
            download("rt", base_url=server.url)
    assert len(server.requests) == 1


def test_wrong_checksum(cache, server, models):
    server.files[PATH] += b"more"
    with pytest.raises(DownloadError, match=r"EfficientPoseRT.h5\) does not match the known hash: expected .* but got"):
        download("rt", base_url=models)
    assert not list((cache / "converted").iterdir())
    assert not (cache / "released" / NAME).exists()


def test_a_damaged_file_in_the_cache_is_downloaded_again(cache, server, models, caplog):
    path = download("rt", base_url=models)
    path.unlink()
    (cache / "released" / NAME).write_bytes(b"damaged")
    with pytest.raises(WeightsNotFoundError):
        find_weights("rt", allow_download=False)
    assert f"{NAME} is damaged: its checksum is not that of the released file" in caplog.text
    assert download("rt", base_url=models) == path
    assert len(server.requests) == 2


def test_file_of_another_variant(cache, server, rt_file, set_released):
    set_released(("keras", "i", None))
    server.files["/keras/EfficientPoseI.h5"] = rt_file.read_bytes()
    with pytest.raises(ValueError, match="is of EfficientPose RT, not EfficientPose I"):
        download("i", base_url=server.url)


def test_a_kind_that_is_not_known(cache):
    with pytest.raises(ValueError, match="no tflite file of EfficientPose IV is known: choose keras"):
        download("iv", kind="tflite")


def test_a_cache_that_cannot_be_written(tmp_path, cache, server, models, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        OSError, match=r"the cache .* cannot be written \(Not a directory\): set EFFICIENTPOSE_CACHE_DIR to"
    ):
        download("rt", base_url=models)
    assert server.requests == []


@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_broken_connection_is_tried_again_and_leaves_nothing(
    cache, server, rt_file, set_released, monkeypatch, has_checksum
):
    monkeypatch.setattr(find, "_RETRIES", 1)
    set_released(("keras", "rt", hashlib.sha256(rt_file.read_bytes()).hexdigest() if has_checksum else None))
    server.files[PATH] = rt_file.read_bytes()
    server.cuts = [100_000, 0]
    with pytest.raises(DownloadError, match=rf"{NAME} cannot be downloaded .* is there a network.*EFFICIENTPOSE_WEIG"):
        download("rt", base_url=server.url)
    assert [path.name for path in (cache / "released").iterdir()] == [f"{NAME}.lock"]
    server.cuts = [100_000]
    assert download("rt", base_url=server.url).is_file()


def test_server_in_trouble(cache, server, models):
    server.status = 503
    with pytest.raises(DownloadError, match="the server answered 503"):
        download("rt", base_url=models)


def test_nothing_listens(cache, rt_released):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(DownloadError, match=rf"{url}/keras/{NAME} cannot be downloaded \(.*refused.*HTTPS_PROXY"):
            download("rt", base_url=url)


def test_full_disk(cache, models, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.move", refuse)
    with pytest.raises(DownloadError, match=r"cannot write .*RT.h5 \(No space left on device\); \d+ MiB are free"):
        download("rt", base_url=models)


PROCESS = """
import sys
import efficientpose.plugin
from efficientpose.weights import catalog, find
catalog.RELEASED_FILES = (catalog.ReleasedFile("keras", "rt", sys.argv[2]),)
sys.stdout.write(str(find.download("rt", base_url=sys.argv[1])))
"""


@pytest.mark.slow
def test_processes_at_once_download_once(cache, server, models):
    server.gate.clear()
    command = [sys.executable, "-c", PROCESS, models, released_file("rt").sha256]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    server.gate.set()
    paths = {process.communicate(timeout=300)[0].splitlines()[-1] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    (path,) = paths
    assert torch.load(Path(path), weights_only=True)["meta"]["variant"] == "rt"
    assert len(server.requests) == 1
