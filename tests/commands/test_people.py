"""``predict`` and ``measure`` with a person detector, and who is looked for by which options."""

import json

import cv2
import numpy as np
import pytest

from efficientpose.cli import main
from efficientpose.people import detected_people
from efficientpose.people.search import SearchDetector

BOXES = [[10, 5, 40, 45], [50, 10, 90, 60]]


@pytest.fixture
def model(make_model):
    pytest.importorskip("onnxruntime")
    return make_model()


@pytest.fixture
def make_detector(tmp_path):
    """Write a detector of 96 x 96 pixels that finds the same people everywhere."""
    onnx = pytest.importorskip("onnx")

    def make(boxes, name="yolox.onnx"):
        helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
        people = np.array([[*box, 0.9] for box in boxes], np.float32).reshape(1, -1, 5)
        graph = helper.make_graph(
            [helper.make_node("Identity", ["people"], ["dets"])],
            "detector",
            [helper.make_tensor_value_info("input", float32, [1, 3, 96, 96])],
            [helper.make_tensor_value_info("dets", float32, people.shape)],
            [onnx.numpy_helper.from_array(people, "people")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))
    return path


def predict(*arguments, out):
    return main(["predict", *map(str, arguments), "--out", str(out)])


def boxes_in(document):
    return [[person["bbox"] for person in image["instances"]] for image in document]


def read_pictures(out):
    return json.loads((out / "predictions.json").read_text())["images"]


def read_frames(out):
    return [json.loads(line) for line in (out / "clip_pose.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("network", ["file", "torch"])
def test_everybody_whom_the_detector_finds(network, request, make_detector, picture, make_video, tmp_path, capsys):
    chosen = (
        ["--model", request.getfixturevalue("model")]
        if network == "file"
        else ["--weights", request.getfixturevalue("untrained_checkpoint")]
    )
    out, video = tmp_path / "out", make_video(num_frames=3)
    detector = make_detector(BOXES)
    assert predict(picture, video, *chosen, "--people", "detector", "--detector", detector, out=out) == 0
    assert boxes_in(read_pictures(out)) == [BOXES]
    assert boxes_in(read_frames(out)) == [BOXES] * 3
    assert "people by yolox.onnx as YOLOX of 96 x 96 pixels" in capsys.readouterr().out


def test_the_crops_are_the_ones_of_given_boxes(model, make_detector, picture, tmp_path):
    detected, given = tmp_path / "detected", tmp_path / "given"
    assert (
        predict(picture, "--model", model, "--detector", make_detector(BOXES), "--draw", "heatmaps", out=detected) == 0
    )
    boxes = ";".join(",".join(map(str, box)) for box in BOXES)
    assert predict(picture, "--model", model, "--boxes", boxes, "--draw", "heatmaps", out=given) == 0
    assert read_pictures(detected) == read_pictures(given)
    assert {path.name for path in detected.iterdir()} == {path.name for path in given.iterdir()}
    assert (detected / "photo_heatmaps_2.jpg").is_file()


def test_nobody(model, make_detector, picture, make_video, tmp_path, capsys):
    out, video = tmp_path / "out", make_video(num_frames=3)
    assert predict(picture, video, "--model", model, "--detector", make_detector([]), out=out) == 0
    assert boxes_in(read_pictures(out)) == [[]]
    assert boxes_in(read_frames(out)) == [[]] * 3
    printed = capsys.readouterr().out
    assert f"{picture}: no person was found in it" in printed
    assert "3 frames: " in printed
    detector = ("--detector", str(make_detector([])))
    arguments = ["measure", str(video), "--model", str(model), *detector, "--out", str(tmp_path / "measured")]
    assert main(arguments) == 2
    assert "no person was found in it" in capsys.readouterr().err


def test_without_a_file_the_pose_network_searches(model, picture, make_video, tmp_path, capsys, monkeypatch):
    found = np.array([(10, 5, 40, 45, 0.7)])
    seen = []
    monkeypatch.setattr(SearchDetector, "detect", lambda _, image: seen.append(image.shape) or found)
    followed = np.array([(20, 8, 60, 50)], np.float32)
    monkeypatch.setattr(detected_people, "_boxes_to_follow", lambda poses, image_size: followed)
    out, video = tmp_path / "out", make_video(num_frames=7)
    options = ("--model", model, "--people", "detector", "--detect-every", 3)
    assert predict(video, picture, *options, out=out) == 0
    assert "the pose network itself" in capsys.readouterr().out
    assert len(seen) == 1 + 3  # the picture, and frames 0, 3 and 6
    assert boxes_in(read_pictures(out)) == [[[10, 5, 40, 45]]]
    boxes = [box for (box,) in boxes_in(read_frames(out))]
    assert boxes == [[10, 5, 40, 45], [20, 8, 60, 50], [20, 8, 60, 50]] * 2 + [[10, 5, 40, 45]]


def test_measure_takes_a_detector(model, make_detector, make_video, tmp_path):
    arguments = ["measure", str(make_video(num_frames=30)), "--model", str(model), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--detector", str(make_detector(BOXES))]) == 0
    assert boxes_in(read_frames(tmp_path / "out")) == [BOXES] * 30
    assert (tmp_path / "out" / "clip_angles.csv").is_file()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--people", "detector", "--boxes", "1,1,9,9"], "--people detector finds the bounding boxes by itself"),
        (["--people", "detector", "--follow"], "--detect-every N follows people between"),
        (["--people", "paf", "--detector", "a.onnx"], "--detector is for --people detector, not for --people paf"),
        (["--people", "one", "--detect-every", "2"], "--detect-every is for --people detector, not for --people one"),
        (["--detect-every", "2"], "--detect-every is for --people detector"),
        (["--people", "detector", "--detect-every", "0"], "--detect-every takes 1 or more, not 0"),
        (["--people", "detector", "--detector-kind", "rtmdet"], "name it with --detector FILE.onnx"),
        (["--people", "boxes"], "give them with --boxes"),
        (["--people", "boxes", "--boxes", "1,1,9,9", "--follow"], "--follow follows one person"),
        (["--people", "one", "--boxes", "1,1,9,9;2,2,8,8"], "--people one looks for one person an image"),
        (["--detector", "nowhere.onnx"], "no such detector file: 'nowhere.onnx'"),
        (["--detector", "{model}"], "a person detector's first output is"),
    ],
)
def test_bad_options_say_what_would_be_right(model, make_video, tmp_path, capsys, extra, message):
    extra = [argument.replace("{model}", str(model)) for argument in extra]
    assert predict(make_video(num_frames=2), "--model", model, *extra, out=tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_detect_every_is_for_videos(model, picture, tmp_path, capsys):
    options = ("--people", "detector", "--detect-every", 2)
    assert predict(picture, "--model", model, *options, out=tmp_path / "out") == 2
    assert "--detect-every is for videos and cameras" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--people", "one"], ["--people", "boxes", "--boxes", "10,5,40,45"]], ids=str)
def test_one_and_boxes_by_name(model, picture, tmp_path, options):
    assert predict(picture, "--model", model, *options, out=tmp_path / "out") == 0
    expected = [10, 5, 40, 45] if "--boxes" in options else [0, 0, 96, 64]
    assert boxes_in(read_pictures(tmp_path / "out")) == [[expected]]
