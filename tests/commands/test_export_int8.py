"""``efficientpose export --precision int8``: the verdict on drift, the report, and the file in the runtime."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from efficientpose.cli import main
from efficientpose.commands.console import NOTHING_DONE

for package in ("onnx", "onnxruntime", "openvino"):
    pytest.importorskip(package)

NAME = "efficientpose_rt_lite_int8"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 20 pictures of colours that change slowly."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for number in range(20):
        coarse = generator.integers(0, 256, (7, 7, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(coarse, (224, 224), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture(scope="module")
def export(tmp_path_factory, pictures):
    """Export RT Lite with random numbers and confident heatmaps; return the exit status."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    from efficientpose.models.build import build_network
    from efficientpose.weights.checkpoint import make_checkpoint, save_checkpoint

    torch.manual_seed(0)
    network = build_network("rt_lite")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.running_var.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
        for name, parameter in network.named_parameters():
            if name.endswith("predict.weight"):
                parameter.normal_(0, 0.2)
            elif name.endswith("predict.bias"):
                parameter.fill_(0.5)
    weights = tmp_path_factory.mktemp("weights") / "rt_lite.pth"
    save_checkpoint(make_checkpoint(network.state_dict(), variant="rt_lite", source="random"), weights)

    def run(out, *arguments, folder=pictures, alone=False):
        """In a process of its own if ``alone``: after both engines ran int8, PyTorch's training crashed in this one."""
        command = ["export", "--model", "rt_lite", "--weights", weights, "--precision", "int8", "--out", out]
        words = [str(each) for each in (*command, "--calibrate", folder, *arguments)]
        return run_alone(words) if alone else main(words)

    return run


def run_alone(words):
    result = subprocess.run(
        [sys.executable, "-m", "efficientpose.cli", *words], capture_output=True, text=True, check=False
    )
    print(result.stdout)
    print(result.stderr, file=sys.stderr)
    return result.returncode


@pytest.mark.slow
def test_both_formats_with_their_reports(export, tmp_path, capsys, pictures):
    # the maps are nearly flat, their peaks may be anywhere; the diagonal is 317 pixels
    assert export(tmp_path, "--to", "onnx,openvino", "--max-drift", "400", alone=True) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("calibrated on 15 people, compared with the MMPose model on 5 others, of 20 images")
    endings = (".onnx", ".onnx.json", ".xml", ".bin", ".xml.json")
    assert {path.name for path in tmp_path.iterdir()} == {f"{NAME}{ending}" for ending in endings}
    scores = []
    for ending in (".onnx", ".xml"):
        report = json.loads((tmp_path / f"{NAME}{ending}.json").read_text())
        assert report["is_within_bound"]
        assert (report["drift"]["num_crops"], report["drift"]["every"]["num_keypoints"]) == (5, 80)
        assert 0 < report["drift"]["difference"] < 0.1
        assert report["size_ratio"] < 0.9
        assert report["time_ratio"]["cpu"] > 0
        out = tmp_path / f"poses{ending}"
        words = ["predict", pictures / "0.png", "--model", tmp_path / f"{NAME}{ending}", "--threads", 1, "--out", out]
        assert run_alone([str(word) for word in words]) == 0
        (image,) = json.loads((out / "predictions.json").read_text())["images"]
        scores.append([score for _, _, score in image["instances"][0]["keypoints"]])
    np.testing.assert_allclose(scores[0], scores[1], atol=0.1)


def test_drift_beyond_the_bound_is_refused_unless_forced(export, tmp_path, capsys):
    assert export(tmp_path, "--max-drift", "0") == NOTHING_DONE
    assert "bound is 0.00 px" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {f"{NAME}.onnx.failed", f"{NAME}.onnx.failed.json"}
    assert export(tmp_path, "--max-drift", "0", "--force") == 0
    report = json.loads((tmp_path / f"{NAME}.onnx.json").read_text())
    assert (report["max_drift"], report["is_within_bound"]) == (0, False)
    assert (tmp_path / f"{NAME}.onnx").is_file()


def test_the_report_scores_both_on_annotated_people(export, shared, tmp_path, capsys):
    people = shared / "data" / "mpii_mini"
    words = ("--max-drift", "400", "--score", people / "annotations" / "mpii_val.json")
    assert export(tmp_path, *words, "--score-images", people / "images", "--score-people", 3) == 0
    scores = json.loads((tmp_path / f"{NAME}.onnx.json").read_text())["torso"]
    assert list(scores) == ["float32", "int8"]
    printed = capsys.readouterr().out
    for precision, each in scores.items():
        assert list(each) == ["PCK@0.05", "PCK@0.1", "PCK@0.2"]
        assert 0 <= each["PCK@0.05"] <= each["PCK@0.1"] <= each["PCK@0.2"] < 50
        assert f"{precision:<16}PCK@0.05 {each['PCK@0.05']:.2f}, PCK@0.1 {each['PCK@0.1']:.2f}" in printed


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "file", "status"), [("rt_lite", "RT_LITE", 0), ("rt", "RT", NOTHING_DONE)])
def test_released_lite_networks_are_accepted_and_others_refused(shared, tmp_path, capsys, variant, file, status):
    weights = shared / "official" / "keras" / f"EfficientPose{file}.h5"
    words = ["export", "--model", variant, "--weights", weights, "--precision", "int8", "--out", tmp_path]
    words += ["--calibrate", shared / "data" / "lspet" / "images"]  # 200 of them: 50 held out, 300 found keypoints
    assert run_alone([str(word) for word in words]) == status
    assert ("is not usable" in capsys.readouterr().err) == (status != 0)
    (report,) = tmp_path.glob("*.json")
    assert json.loads(report.read_text())["is_within_bound"] == (status == 0)


def test_annotations_are_read_before_the_work(export, tmp_path, capsys):
    words = ("--score", tmp_path / "absent.json", "--score-images", tmp_path)
    assert export(tmp_path / "out", *words) == NOTHING_DONE
    said = capsys.readouterr()
    assert "absent.json" in said.err
    assert "calibrated" not in said.out
    assert export(tmp_path / "out", words[0], words[1], "--score-images", tmp_path / "nowhere") == NOTHING_DONE
    assert "nowhere: no such folder of images to score on" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--score", "a.json"], "--score FILE.json and --score-images DIR go together"),
        (["--score-people", "5"], "--score-people takes 1 or more of the people of --score, not 5"),
        (["--to", "onnx,litert"], "int8 is exported as onnx and openvino, not as litert"),
        (["--outputs", "full"], 'int8 is for our layout and the outputs "heatmaps"'),
        (["--max-drift", "-1"], "--max-drift takes 0 or more pixels, not -1.0"),
        (["--max-drift", "nan"], "--max-drift takes 0 or more pixels, not nan"),
        (["--calibrate-images", "3"], "calibration needs 16 images or more, not 3"),
    ],
)
def test_errors(export, tmp_path, capsys, arguments, message):
    assert export(tmp_path / "out", *arguments) == NOTHING_DONE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bad_folders(export, tmp_path, capsys):
    assert export(tmp_path / "out", folder=tmp_path / "nowhere") == NOTHING_DONE
    assert "no such folder of calibration images" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert export(tmp_path / "out", folder=tmp_path / "empty") == NOTHING_DONE
    assert "no images in this folder" in capsys.readouterr().err


def test_options_go_together(tmp_path, capsys):
    assert main(["export", "--precision", "int8", "--out", str(tmp_path / "out")]) == NOTHING_DONE
    assert "--precision int8 needs images to calibrate on: --calibrate DIR" in capsys.readouterr().err
    assert main(["export", "--force", "--out", str(tmp_path / "out")]) == NOTHING_DONE
    assert "are for --precision int8" in capsys.readouterr().err
