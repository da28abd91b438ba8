"""How cost grows: the tool from beginning to end on one small setting."""

import json

import pytest
import torch

from efficientpose.benchmark import costs
from efficientpose.core.variants import get_variant


def test_random_weights_give_maps_with_peaks():
    """Flat maps have their highest pixel anywhere, and no exported file would then agree with the model."""
    model = costs._build_at(get_variant("rt"), 96)
    assert not model.training
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = model(images, None, mode="tensor").final
    heights = maps.amax((2, 3)) - maps.mean((2, 3))
    assert heights.min() > 0.01
    assert heights.max() < 1


@pytest.mark.slow
def test_picture_and_numbers(run_tool, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.delenv("EFFICIENTPOSE_SHARED", raising=False)
    arguments = ["--engine", "onnxruntime", "--model", "rt", "--resolutions", 96, "--batches", 16, "--threads", 1]
    status, _, error = run_tool("analysis/plot_costs.py", *arguments, "--rounds", 3, "--out", tmp_path / "costs.png")
    assert (status, error) == (0, "")
    assert (tmp_path / "costs.png").stat().st_size > 10_000
    numbers = json.loads((tmp_path / "costs.json").read_text())
    small, own = numbers["latency"]
    assert [(each["resolution"], each["is_own"]) for each in (small, own)] == [(96, False), (224, True)]
    assert small["wall_ms"]["median"] < own["wall_ms"]["median"]
    loaded, sixteen = numbers["memory"]
    assert [loaded["batch"], sixteen["batch"]] == [0, 16]
    # the largest map of RT is 96 x 112 x 112 in float32, 4.8 MB a crop; a process with torch has over 300 MiB
    assert sixteen["peak"] > loaded["peak"] + 16 * 4.8
    assert loaded["peak"] < 250


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resolutions", 100], "--resolutions are multiples of 32, not 100"),
        (["--batches", 0], "--batches must be 1 or more, got 0"),
        (["--rounds", 0], "--rounds must be 1 or more, got 0"),
        (["--threads", 0], "--threads must be 1 or more, got 0"),
    ],
    ids=str,
)
def test_bad_numbers(run_tool, arguments, message):
    status, _, error = run_tool("analysis/plot_costs.py", *arguments)
    assert status == 1
    assert message in error


def test_a_process_that_fails_is_reported(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match=r"broken\.onnx on 1 crops: .*not a model that ONNX Runtime can load"):
        costs.run_for_memory(tmp_path / "broken.onnx", engine="onnxruntime", threads=1, batch=1)


def test_a_file_is_exported_once(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.delenv("EFFICIENTPOSE_SHARED", raising=False)
    first = costs.export_at(get_variant("rt"), 64, engine="onnxruntime", folder=tmp_path)
    monkeypatch.setattr(costs, "export_for_engines", None)
    assert costs.export_at(get_variant("rt"), 64, engine="onnxruntime", folder=tmp_path) == first
