"""Every engine gives a plain loop's answer, reads the metadata, and says what is wrong with a file or a setting."""

import sys
from pathlib import Path

import numpy as np
import pytest

from efficientpose.runtime.engines import EngineError, check_input, load_engine
from efficientpose.runtime.metadata import METADATA_KEY, MetadataError


def mean_of_cells(batch: np.ndarray) -> np.ndarray:
    """What the tiny network computes, by a plain loop."""
    expected = np.empty((len(batch), 16, 8, 8), np.float32)
    for row in range(8):
        for column in range(8):
            cell = batch[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].mean(axis=(2, 3)) / 255
            expected[:, 0::2, row, column] = cell[:, :1]
            expected[:, 1::2, row, column] = cell[:, 2:]
    return expected


def as_openvino(model: Path) -> Path:
    openvino = pytest.importorskip("openvino")
    loaded = openvino.Core().read_model(str(model))
    loaded.set_rt_info(loaded.get_rt_info(["framework", METADATA_KEY]).value, [METADATA_KEY])
    openvino.save_model(loaded, str(model.with_suffix(".xml")), compress_to_fp16=False)
    return model.with_suffix(".xml")


@pytest.mark.parametrize(
    ("engine", "suffix"), [("onnxruntime", ".onnx"), ("openvino", ".onnx"), ("openvino", ".xml"), (None, ".xml")]
)
def test_answers_and_metadata(make_model, metadata, engine, suffix):
    pytest.importorskip(engine or "openvino")
    file = make_model()
    file = as_openvino(file) if suffix == ".xml" else file
    loaded = load_engine(file, engine=engine, threads=1)
    assert loaded.metadata == metadata
    assert (loaded.batch_size, loaded.input_dtype) == (None, np.float32)
    rng = np.random.default_rng(0)
    for num_crops in (1, 3, 1, 2):
        batch = rng.uniform(0, 255, (num_crops, 3, 64, 64)).astype(np.float32)
        (heatmaps,) = loaded.infer(batch)
        np.testing.assert_allclose(heatmaps, mean_of_cells(batch), atol=1e-5)


def test_an_answer_outlives_the_next_one(make_model):
    pytest.importorskip("openvino")
    loaded = load_engine(make_model(), engine="openvino", threads=1)
    (first,) = loaded.infer(np.full((1, 3, 64, 64), 255, np.float32))
    loaded.infer(np.zeros((1, 3, 64, 64), np.float32))
    np.testing.assert_allclose(first, 1, atol=1e-5)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_fixed_batch_size_is_told(make_model, engine):
    pytest.importorskip(engine)
    loaded = load_engine(make_model(batch=2), engine=engine, threads=1)
    assert loaded.batch_size == 2
    assert loaded.infer(np.zeros((2, 3, 64, 64), np.float32))[0].shape == (2, 16, 8, 8)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_files_that_do_not_say_how_to_use_them_are_refused(make_model, tmp_path, engine):
    pytest.importorskip(engine)
    with pytest.raises(MetadataError, match=r"bare\.onnx: this model file does not say how to use it"):
        load_engine(make_model("bare.onnx", text=""), engine=engine)
    with pytest.raises(MetadataError, match=r"other\.onnx: its entry 'efficientpose' is no JSON"):
        load_engine(make_model("other.onnx", text="{"), engine=engine)
    with pytest.raises(MetadataError, match=r"its input is \? x 3 x 48 x 64, not the batch of 3 x 64 x 64"):
        load_engine(make_model("flat.onnx", sides=(48, 64)), engine=engine)
    with pytest.raises(MetadataError, match=r"not the batch of 64 x 64 x 3"):
        load_engine(make_model("nhwc.onnx", input_layout="nhwc"), engine=engine)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(EngineError, match=r"text\.onnx: not a model that"):
        load_engine(tmp_path / "text.onnx", engine=engine)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "abacus"}, "unknown engine 'abacus': choose one of onnxruntime, openvino, litert"),
        ({"engine": "litert"}, r"tiny\.onnx: LiteRT does not read it; choose onnxruntime or openvino"),
        ({"threads": 0}, "threads must be 1 or more, got 0"),
        ({"precision": "int4"}, "precision is one of float32, bf16, float16, not 'int4'"),
        ({"precision": "bf16"}, "ONNX Runtime computes in what the file holds, not in bf16; OpenVINO can"),
        ({"device": "abacus"}, "ONNX Runtime runs on"),
        ({"device": "cuda:x"}, "ONNX Runtime runs on"),
        ({"device": "abacus", "engine": "openvino"}, "OpenVINO finds no device 'abacus'; it finds"),
    ],
)
def test_bad_settings_are_refused(make_model, settings, message):
    pytest.importorskip(
        settings.get("engine", "onnxruntime") if settings.get("engine") == "openvino" else "onnxruntime"
    )
    with pytest.raises(EngineError, match=message):
        load_engine(make_model(), **settings)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such model file.*nowhere\.onnx"):
        load_engine(tmp_path / "nowhere.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(EngineError, match=r"folder\.onnx: a folder, not a model file"):
        load_engine(tmp_path / "folder.onnx")
    (tmp_path / "model.pth").touch()
    with pytest.raises(EngineError, match=r"model\.pth: no engine reads files that end in '\.pth'; it takes \.onnx"):
        load_engine(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("suffix", "package", "module", "extra"),
    [
        (".onnx", "onnxruntime", "onnxruntime_engine", "runtime"),
        (".xml", "openvino", "openvino_engine", "openvino"),
        (".tflite", "ai_edge_litert", "litert_engine", "litert"),
    ],
)
def test_a_missing_engine_is_named_with_its_remedy(tmp_path, monkeypatch, suffix, package, module, extra):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"efficientpose.runtime.{module}", raising=False)
    file = tmp_path / f"model{suffix}"
    file.touch()
    with pytest.raises(EngineError, match=rf'model\{suffix}: .*pip install "efficientpose\[{extra}\]"'):
        load_engine(file)


@pytest.mark.parametrize(
    ("shape", "batch_size"), [((1, 3, 64, 64), 1), (("b", 3, 64, 64), None), ((-1, None, "h", 64), None)]
)
def test_shapes_that_fit(metadata, shape, batch_size):
    assert check_input(shape, metadata, source=Path("a")) == batch_size


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 3, 64, 65), (1, 1, 64, 64), (1, 64, 64, 3), ()])
def test_shapes_that_do_not_fit(metadata, shape):
    with pytest.raises(MetadataError, match="its input is"):
        check_input(shape, metadata, source=Path("a"))
