"""Detector files of every layout that is promised, and rtmlib's own reading of them beside."""

import numpy as np
import pytest

from efficientpose.people.detectors import DetectorError, OnnxDetector
from efficientpose.runtime.engines import EngineError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIDES = (64, 96)  # rows, columns: 8 x 12, 4 x 6 and 2 x 3 cells
NUM_CELLS = 96 + 24 + 6
FLOAT32, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


@pytest.fixture
def write(tmp_path):
    """Write a network that gives the same whatever it sees, scaled by the brightest value that it sees."""

    def write(name, *outputs, sides=SIDES, batch=1, taken=FLOAT32, channels=3):
        nodes, constants, infos = [], [], []
        for index, output in enumerate(outputs):
            constants.append(onnx.numpy_helper.from_array(output, f"constant{index}"))
            nodes.append(onnx.helper.make_node("Identity", [f"constant{index}"], [f"output{index}"]))
            kind = FLOAT32 if output.dtype == np.float32 else INT64
            infos.append(onnx.helper.make_tensor_value_info(f"output{index}", kind, output.shape))
        nodes += [onnx.helper.make_node("ReduceMax", ["picture"], ["brightest"], keepdims=0)]
        infos.append(onnx.helper.make_tensor_value_info("brightest", taken, []))
        picture = onnx.helper.make_tensor_value_info("picture", taken, [batch, channels, *sides])
        graph = onnx.helper.make_graph(nodes, "detector", [picture], infos, constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return write


def raw_cells(*people, num_classes=2):
    """What YOLOX predicts: cell, and x, y, width, height, objectness and classes of the person there."""
    cells = np.zeros((1, NUM_CELLS, 5 + num_classes), np.float32)
    for cell, values in people:
        cells[0, cell] = values
    return cells


def listed(*people):
    return np.array([people], np.float32).reshape(1, -1, 5)


IMAGE = np.zeros((128, 128, 3), np.uint8)  # fits 64 x 64 of the input: half its size


def test_cells_by_hand(write):
    # Cell 13 of stride 8 is at column 1, row 1; cell 96 + 24 is the first of stride 32.
    cells = raw_cells(
        (13, (0.5, 0.25, np.log(2), np.log(3), 0.8, 1.0, 0.0)),
        (120, (0.5, 0.5, 0.0, 0.0, 0.9, 0.0, 1.0)),  # of the second class
        (14, (0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.0)),  # 0.25 is not sure enough
    )
    (person,) = OnnxDetector(write("yolox.onnx", cells)).detect(IMAGE)
    # The middle (1.5, 1.25) cells is (12, 10), the size 16 x 24; twice that in the picture.
    np.testing.assert_allclose(person, (8, -4, 40, 44, 0.8), atol=1e-4)


def test_lists_by_hand(write):
    people = listed((10, 10, 20, 30, 0.9), (11, 10, 21, 30, 0.8), (40, 10, 50, 30, 0.7), (0, 0, 9, 9, 0.3))
    # Two files: in one all are people, in the other the third is something else.
    assert OnnxDetector(write("people.onnx", people)).detect(IMAGE).round(3).tolist() == [
        [20, 20, 40, 60, pytest.approx(0.9)],
        [80, 20, 100, 60, pytest.approx(0.7)],
    ]
    labels = np.array([[0, 0, 7, 0]])
    assert len(OnnxDetector(write("labels.onnx", people, labels)).detect(IMAGE)) == 1


@pytest.mark.parametrize("batch", [1, "batch"])
def test_nobody(write, batch):
    empty = listed()
    assert OnnxDetector(write("empty.onnx", empty, batch=batch)).detect(IMAGE).shape == (0, 5)
    assert OnnxDetector(write("cells.onnx", raw_cells())).detect(IMAGE).shape == (0, 5)


def test_rtmdet_is_given_normalised_pictures(write, monkeypatch):
    seen = {}
    for name, kind in (("yolox_m.onnx", None), ("RTMDet_nano.onnx", None), ("person.onnx", "rtmdet")):
        detector = OnnxDetector(write(name, listed()), kind=kind)
        outputs = []
        monkeypatch.setattr(detector, "_read", lambda given, kept=outputs: kept.extend(given) or np.empty((0, 5)))
        detector.detect(np.full((64, 96, 3), 255, np.uint8))
        seen[name] = float(outputs[-1])
        assert detector.title.startswith(name)
    assert seen["yolox_m.onnx"] == 255
    assert seen["RTMDet_nano.onnx"] == pytest.approx((255 - 103.53) / 57.375, rel=1e-5)  # blue is the brightest
    assert seen["person.onnx"] == seen["RTMDet_nano.onnx"]


@pytest.mark.parametrize("layout", ["cells", "list"])
def test_same_boxes_as_rtmlib(write, layout):
    rtmlib = pytest.importorskip("rtmlib")
    rng = np.random.default_rng(0)
    if layout == "cells":
        output = rng.normal(0, 1, (1, NUM_CELLS, 6)).astype(np.float32)
        output[..., 4:] = rng.uniform(0, 1, (1, NUM_CELLS, 2))
    else:
        corners = rng.uniform((0, 0), (60, 40), (30, 2))
        boxes = np.column_stack((corners, corners + rng.uniform(8, 30, (30, 2)), rng.uniform(0.35, 1, 30)))
        output = np.array(boxes[None], np.float32)
    file = write("yolox.onnx", output)
    image = np.zeros((90, 200, 3), np.uint8)
    theirs = rtmlib.YOLOX(str(file), model_input_size=SIDES, nms_thr=0.45, score_thr=0.3)(image)
    ours = OnnxDetector(file, min_score=0.3).detect(image)[:, :4]
    if layout == "list":  # rtmlib takes these as they are, doubles and all
        assert 10 < len(ours) < len(theirs) == 30
        assert {tuple(box) for box in ours.round(2).tolist()} <= {tuple(box) for box in theirs.round(2).tolist()}
    else:
        assert len(ours) > 10
        np.testing.assert_allclose(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("outputs", "settings", "message"),
    [
        ([np.zeros((1, 84, NUM_CELLS), np.float32)], {}, r"126 cells this file gives \[\(1, 84, 126\)"),
        ([np.zeros((1, 16, 8, 12), np.float32)], {}, "a person detector's first output is"),
        ([np.zeros((1, NUM_CELLS, 4), np.float32)], {}, "a person detector's first output is"),
        ([np.zeros((3, 5), np.float32)], {}, "a person detector's first output is"),
        ([listed()], dict(channels=1), r"takes one image \(1, 3, height, width\) of float32"),
        ([listed()], dict(batch=4), r"picture \[4, 3, 64, 96\]"),
        ([listed()], dict(taken=INT64), r"tensor\(int64\)"),
    ],
)
def test_files_of_another_layout(write, outputs, settings, message):
    with pytest.raises(DetectorError, match=message):
        OnnxDetector(write("other.onnx", *outputs, **settings))


def test_what_is_no_onnx_file(tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(EngineError, match=r"text\.onnx: not a model that ONNX Runtime can load"):
        OnnxDetector(tmp_path / "text.onnx")


def test_unknown_kind(write):
    with pytest.raises(DetectorError, match="one of yolox, rtmdet, not 'detr'"):
        OnnxDetector(write("yolox.onnx", listed()), kind="detr")
