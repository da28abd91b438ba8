"""``efficientpose export``."""

import numpy as np
import pytest

from efficientpose.cli import main
from efficientpose.commands.console import NOTHING_DONE
from efficientpose.export import files
from efficientpose.inference.sample_crops import find_crops


@pytest.fixture(autouse=True)
def no_reference(monkeypatch):
    monkeypatch.delenv("EFFICIENTPOSE_SHARED", raising=False)


def test_files_and_what_is_printed(tmp_path, capsys, untrained_checkpoint):
    pytest.importorskip("onnxruntime")
    arguments = ["--model", "RT", "--to", "onnx,torchscript,onnx", "--weights", untrained_checkpoint]
    assert main(["export", *map(str, arguments), "--out", str(tmp_path / "new" / "folder")]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("rt: compared with the MMPose model on 3 ")
    assert [line.split()[:3] for line in lines] == [
        ["onnx", "max", "|difference|"],
        ["torchscript", "max", "|difference|"],
    ]
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert names == {"efficientpose_rt.onnx", "efficientpose_rt.torchscript"}


@pytest.mark.slow
def test_several_networks_at_once(tmp_path, capsys, shared, monkeypatch):
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(shared / "official" / "keras"))
    assert main(["export", "--model", "rt,i,rt", "--to", "torchscript", "--out", str(tmp_path)]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if "compared" in line] == ["rt", "i"]
    assert {path.name for path in tmp_path.iterdir()} == {"efficientpose_rt.torchscript", "efficientpose_i.torchscript"}


def test_a_bad_file_is_reported(tmp_path, capsys, untrained_checkpoint, monkeypatch):
    monkeypatch.setattr(files, "encode_crops", lambda network, crops, options: np.ones((3, 3, 224, 224), np.float32))
    arguments = ["export", "--to", "torchscript", "--weights", str(untrained_checkpoint), "--out", str(tmp_path)]
    assert main(arguments) == NOTHING_DONE
    assert "efficientpose_rt.torchscript.failed is not usable" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "coreml"], "unknown format 'coreml'"),
        (["--layout", "rtmlib", "--to", "litert"], "rtmlib reads ONNX"),
        (["--layout", "rtmlib", "--pafs"], "rtmlib normalises by itself"),
        (["--weights", "nowhere.pth"], "nowhere.pth: no such checkpoint"),
        (["--config", "own.py"], "give its weights too"),
        (["--model", "rt,v"], "--model has no v: there are rt, i, ii"),
        (["--model", "rt,i", "--weights", "own.pth"], "--weights and --config are of one network"),
    ],
)
def test_errors(tmp_path, capsys, arguments, message):
    assert main(["export", *arguments, "--out", str(tmp_path / "out")]) == NOTHING_DONE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named_at_once(tmp_path, capsys, untrained_checkpoint):
    (tmp_path / "taken").touch()
    arguments = ["export", "--weights", str(untrained_checkpoint), "--out", str(tmp_path / "taken")]
    assert main(arguments) == NOTHING_DONE
    captured = capsys.readouterr()
    assert "taken (File exists): choose another with --out" in captured.err
    assert "compared" not in captured.out


def test_crops_of_any_size():
    crops = find_crops((64, 48))
    assert crops.pixels.shape == (3, 48, 64, 3)
    assert crops.pixels.dtype == np.uint8
    assert all(np.ptp(each) > 50 for each in crops.pixels)


def test_reference_crops(shared, monkeypatch):
    monkeypatch.setenv("EFFICIENTPOSE_SHARED", str(shared))
    crops = find_crops((224, 224))
    assert crops.origin == "reference crops"
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        np.testing.assert_array_equal(crops.pixels[0], inputs[next(name for name in inputs if name.endswith("@224"))])
