"""LiteRT on a model of one average pool, written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from efficientpose.runtime.engines import EngineError, load_engine
from efficientpose.runtime.metadata import METADATA_KEY, MetadataError

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
flatbuffers = pytest.importorskip("flatbuffers")


def tensor(shape, signature):
    made = schema.TensorT()
    made.shape, made.shapeSignature, made.buffer, made.name = list(shape), list(signature), 0, "map"
    made.type = schema.TensorType.FLOAT32
    return made


def write_model(path, text):
    """Write the mean over 8 x 8 pixels of (B, 64, 64, 3), as (B, 8, 8, 3)."""
    pool = schema.Pool2DOptionsT()
    pool.strideW = pool.strideH = pool.filterWidth = pool.filterHeight = 8
    pool.padding = schema.Padding.VALID
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Pool2DOptions, pool
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.AVERAGE_POOL_2D
    graph = schema.SubGraphT()
    graph.tensors = [tensor((1, 64, 64, 3), (-1, 64, 64, 3)), tensor((1, 8, 8, 3), (-1, 8, 8, 3))]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    entry, data = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer, data.data = METADATA_KEY, 1, list(text.encode())
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers, model.metadata = [schema.BufferT(), data], [entry] if text else []
    builder = flatbuffers.Builder(1)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_answers_and_metadata(tmp_path, metadata):
    expected = replace(metadata, input_layout="nhwc")
    loaded = load_engine(write_model(tmp_path / "tiny.tflite", expected.to_json()), threads=1)
    assert loaded.metadata == expected
    assert (loaded.batch_size, loaded.input_dtype) == (None, np.float32)
    for num_crops in (1, 3, 1):
        batch = np.random.default_rng(0).uniform(0, 255, (num_crops, 64, 64, 3)).astype(np.float32)
        (means,) = loaded.infer(batch)
        cells = batch.reshape(num_crops, 8, 8, 8, 8, 3).mean(axis=(2, 4))
        np.testing.assert_allclose(means, cells, rtol=1e-5)


def test_bad_files_and_settings_are_refused(tmp_path, metadata):
    with pytest.raises(MetadataError, match=r"bare\.tflite: this model file does not say how to use it"):
        load_engine(write_model(tmp_path / "bare.tflite", ""))
    with pytest.raises(MetadataError, match=r"nchw\.tflite: its input is \? x 64 x 64 x 3, not the batch of 3 x 64"):
        load_engine(write_model(tmp_path / "nchw.tflite", metadata.to_json()))
    (tmp_path / "text.tflite").write_text("no model at all")
    with pytest.raises(EngineError, match=r"text\.tflite: not a LiteRT model"):
        load_engine(tmp_path / "text.tflite")
    whole = (tmp_path / "bare.tflite").read_bytes()
    (tmp_path / "damaged.tflite").write_bytes(whole[:8] + b"\xff" * 40 + whole[48:])
    with pytest.raises(EngineError, match=r"damaged\.tflite: it is cut off or damaged"):
        load_engine(tmp_path / "damaged.tflite")
    good = write_model(tmp_path / "good.tflite", replace(metadata, input_layout="nhwc").to_json())
    with pytest.raises(EngineError, match='LiteRT runs on "cpu" here'):
        load_engine(good, device="gpu")
    with pytest.raises(EngineError, match="not in bf16"):
        load_engine(good, precision="bf16")
