"""``efficientpose benchmark``, with few rounds."""

import json

import numpy as np
import pytest

from efficientpose.benchmark import networks
from efficientpose.cli import main
from efficientpose.commands.console import NOTHING_DONE


@pytest.fixture(autouse=True)
def no_reference(monkeypatch):
    monkeypatch.delenv("EFFICIENTPOSE_SHARED", raising=False)


def run(capsys, *arguments):
    status = main(["benchmark", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_from_beginning_to_end(tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["--random-weights", "--engines", "onnxruntime,torch,torch-fast", "--precision", "float32,bf16"]
    arguments += ["--threads", 1, "--rounds", 2, "--matrix-peak", "--json", tmp_path / "numbers.json"]
    status, printed, _ = run(capsys, *arguments)
    assert status == 0
    document = json.loads((tmp_path / "numbers.json").read_text())
    rows = document["rows"]
    assert [(row["engine"], row["precision"], row["threads"]) for row in rows] == [
        ("onnxruntime", "float32", 1),
        ("torch", "float32", 1),
        ("torch-fast", "float32", 1),
        ("torch-fast", "bf16", 1),
    ]
    for row in rows:
        for part in ("network", "end_to_end"):
            assert 0 < row[f"{part}_ms"]["lower"] <= row[f"{part}_ms"]["median"] <= row[f"{part}_ms"]["upper"]
            ratio = row[f"{part}_ms"]["median"] / rows[0][f"{part}_ms"]["median"]
            assert row[f"{part}_ratio"] == pytest.approx(ratio)
        rate = row["flops"] / row["network_ms"]["median"] / 1e6
        assert row["share_of_peak"] == pytest.approx(rate / max(document["peak_gflops"]["1"].values()))
    # the paper's 0.873 G without batch norms (1.5%) and without upsampling (16%)
    assert 0.71e9 < rows[0]["flops"] < 0.74e9
    assert "onnxruntime does not compute in bf16." in printed
    assert "rt: weights random." in printed
    if not document["gpu"]:
        assert "GPU: skipped, PyTorch finds no CUDA device." in printed


@pytest.mark.slow
def test_int8_files_of_a_folder_with_the_default_engines(untrained_checkpoint, tmp_path, capsys):
    """Of files that are no int8, as the benchmark goes by their names; without a peak nothing is said of one."""
    for package in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    models = tmp_path / "models"
    export = ["export", "--model", "rt", "--weights", untrained_checkpoint, "--to", "onnx,openvino", "--out", models]
    assert main([*map(str, export)]) == 0
    for path in models.iterdir():
        path.rename(path.with_stem("efficientpose_rt_int8"))
    arguments = ["--precision", "int8", "--models-dir", models, "--random-weights", "--rounds", 1, "--threads", 1]
    status, printed, error = run(capsys, *arguments, "--json", tmp_path / "numbers.json")
    assert status == 0, error
    document = json.loads((tmp_path / "numbers.json").read_text())
    rows = [(row["engine"], row["precision"]) for row in document["rows"]]
    assert rows == [("onnxruntime", "int8"), ("openvino", "int8")]
    assert "litert does not compute in int8" in document["notes"]
    assert document["peak_gflops"] == {}
    assert "GFLOP/s" not in printed


def test_an_exported_file_that_computes_something_else_is_not_measured(capsys, monkeypatch):
    from efficientpose.export import files

    monkeypatch.setattr(files, "encode_crops", lambda network, crops, options: np.ones((3, 3, 224, 224), np.float32))
    status, _, error = run(capsys, "--random-weights", "--engines", "onnxruntime", "--rounds", 1)
    assert status == NOTHING_DONE
    assert "it is not measured" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "v"], "--model has no v: there are rt, i, ii"),
        (["--model", ""], "--model takes variants, joined by commas: rt, i, ii"),
        (["--json", "."], "--json takes a file to write, and . is a folder"),
        (["--engines", "tvm"], "unknown engine 'tvm'"),
        (["--precision", "int4"], "unknown precision 'int4'"),
        (["--rounds", 0], "rounds must be 1 or more, got 0"),
        (["--threads", "two"], "--threads takes whole numbers from 1, joined by commas, not 'two'"),
        (["--threads", "0"], "--threads takes whole numbers from 1"),
        (["--gpu-batches", ""], "--gpu-batches takes whole numbers"),
        (["--json", "nowhere/numbers.json"], "nowhere: no such folder"),
        (["--picture", "nowhere.jpg"], "nowhere.jpg: cannot be read"),
    ],
    ids=str,
)
def test_bad_input(capsys, arguments, message):
    status, _, error = run(capsys, *arguments)
    assert status == NOTHING_DONE
    assert message in error


def test_folders_without_models(tmp_path, capsys):
    for package in ("skimage", "PIL", "scipy", "ai_edge_litert"):
        pytest.importorskip(package)
    status, _, error = run(capsys, "--against-official", tmp_path)
    assert status == NOTHING_DONE
    assert f"{tmp_path}: there is no EfficientPoseRT.tflite in this folder" in error
    status, _, error = run(capsys, "--random-weights", "--engines", "onnxruntime", "--models-dir", tmp_path)
    assert status == NOTHING_DONE
    assert "efficientpose_rt.onnx: no such file; efficientpose export writes it" in error


SLOW = (pytest.param(variant, marks=pytest.mark.slow) for variant in ("i", "ii"))


@pytest.mark.parametrize(  # 1024 x 1024 and 638 x 938
    "picture", ["official_sample.jpg", pytest.param("person1.jpg", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("variant", ["rt", *SLOW])
def test_against_the_released_pipeline(shared, tmp_path, capsys, variant, picture):
    """From the picture's file to keypoints, where all joints score above 0.3: half the joints lie on the same pixel.

    The others lie on the next, in x, y or both: the two crops are not the same to the last bit.
    """
    for package in ("skimage", "PIL", "scipy", "ai_edge_litert", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    engines = ["onnxruntime", "openvino", "litert"]
    arguments = ["--model", variant, "--against-official", shared / "official", "--engines", ",".join(engines)]
    arguments += ["--rounds", 1, "--threads", 1, "--picture", shared / "data" / "photos" / picture]
    status, _, _ = run(capsys, *arguments, "--json", tmp_path / "numbers.json")
    assert status == 0
    released, *ours = json.loads((tmp_path / "numbers.json").read_text())["rows"]
    assert (released["engine"], released["network_ratio"], released["crop_shift"]) == ("released", 1, 0)
    assert [row["engine"] for row in ours] == engines
    for row in ours:
        assert row["crop_shift"] <= 0.25  # the same keypoints from the same crops
        assert row["picture_shift_median"] == pytest.approx(0, abs=1e-3)
        assert row["picture_shift"] <= 2**0.5 + 1e-3
    if variant == "rt":  # there the network is the smaller part, so that other load does not decide
        assert ours[0]["end_to_end_ratio"] < 1


@pytest.mark.gpu
def test_on_a_gpu():
    import torch

    from efficientpose.benchmark.gpu import measure_gpu
    from efficientpose.benchmark.plan import Plan

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    plan = Plan(variants=["rt"], engines=["torch"], rounds=2, random_weights=True)
    rows = measure_gpu(plan, batches=[1, 4])
    assert len(rows) == 2 * (1 + 3 * 3)


def test_ways_of_the_gpu_run_on_the_processor_too():
    from efficientpose.benchmark.gpu import measure_gpu
    from efficientpose.benchmark.plan import Plan

    plan = Plan(variants=["rt"], engines=["torch"], rounds=1, random_weights=True)
    rows = measure_gpu(plan, batches=[1, 2], ways=["torch", "eager"], precisions=["float32"], device="cpu")
    assert [(row.way, row.precision, row.batch) for row in rows] == [
        ("torch", "float32", 1),
        ("eager", "float32", 1),
        ("torch", "float32", 2),
        ("eager", "float32", 2),
    ]
    for row in rows:
        assert row.crops_per_second == pytest.approx(1000 * row.batch / row.network.wall.median)


def test_torch_reads_crops_as_the_estimator_does(untrained_checkpoint):
    from efficientpose import PoseEstimator

    model = PoseEstimator.load("rt", weights=untrained_checkpoint).model
    crop = np.zeros((224, 224, 3), np.uint8)
    crop[..., 0] = 255  # red
    images = networks.encode_for_torch(model, [crop] * 2)
    assert images.shape == (2, 3, 224, 224)
    # (255 - 123.675) / 58.395, -116.28 / 57.12, -103.53 / 57.375
    np.testing.assert_allclose(images[1, :, 5, 7].numpy(), (2.2489, -2.0357, -1.8044), atol=1e-3)
