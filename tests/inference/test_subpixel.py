"""Keypoints between pixels, whichever way they are asked for: exported files, PyTorch, the command line."""

import json

import cv2
import numpy as np
import pytest

from efficientpose.cli import main
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.export.deployed import ExportOptions
from efficientpose.export.files import export_files
from efficientpose.inference import TorchPoseEstimator
from efficientpose.runtime.estimator import PoseEstimator


@pytest.fixture(scope="module")
def crops(shared):
    """Four crops of the network's size, BGR."""
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        return [np.ascontiguousarray(inputs[name][..., ::-1]) for name in inputs.files if name.endswith("@224")]


@pytest.fixture(scope="module", params=["heatmaps", "full"])
def exported(request, checkpoints, crops, tmp_path_factory):
    """The released RT as an ONNX file, with maps at stride 8 or of all pixels."""
    pytest.importorskip("onnxruntime")
    network = TorchPoseEstimator.load("rt", weights=checkpoints["rt"]).model
    (file,) = export_files(
        network,
        ExportOptions(outputs=request.param),
        formats=["onnx"],
        folder=tmp_path_factory.mktemp("subpixel"),
        name="rt",
        weights="released",
        crops=np.stack([crop[..., ::-1] for crop in crops]),
    )
    return file.path


def keypoints_of(estimator, crops):
    return np.stack([estimator.predict(crop)[0].keypoints for crop in crops])


def test_runtime_and_mmpose_agree_and_move_keypoints_by_less_than_a_pixel(exported, checkpoints, crops):
    refined = keypoints_of(PoseEstimator(exported, threads=1, subpixel=True), crops)
    mmpose = keypoints_of(TorchPoseEstimator.load("rt", weights=checkpoints["rt"], subpixel=True), crops)
    np.testing.assert_allclose(refined, mmpose, atol=2e-3)
    whole = keypoints_of(PoseEstimator(exported, threads=1), crops)
    np.testing.assert_array_equal(whole[..., 2], refined[..., 2])
    is_seen = whole[..., 2] > 0.3  # maps of joints that are hardly seen are flat, and their tops ambiguous
    moved = np.abs(refined[..., :2] - whole[..., :2])[is_seen]
    assert moved.max() < 1
    assert np.median(moved) > 0.1
    np.testing.assert_array_equal(whole[..., :2], np.rint(whole[..., :2]))


def test_flip_test_and_subpixel_go_together(exported, checkpoints, crops):
    refined = keypoints_of(PoseEstimator(exported, threads=1, flip_test=True, subpixel=True), crops)
    mmpose = keypoints_of(
        TorchPoseEstimator.load("rt", weights=checkpoints["rt"], flip_test=True, subpixel=True), crops
    )
    np.testing.assert_allclose(refined, mmpose, atol=2e-3)


def test_none_leaves_it_to_the_config(untrained_checkpoint, tmp_path):
    config = tmp_path / "refining.py"
    config.write_text(
        f"_base_ = {str(mpii_config_path('rt'))!r}\nmodel = dict(head=dict(decoder=dict(subpixel=True)))\n"
    )
    for given, expected in ((None, True), (False, False), (True, True)):
        estimator = TorchPoseEstimator.load(config=config, weights=untrained_checkpoint, subpixel=given)
        assert estimator.model.head.decoder.subpixel is expected
    assert not TorchPoseEstimator.load("rt", weights=untrained_checkpoint).model.head.decoder.subpixel


def test_a_decoder_that_does_not_know_it_is_named(untrained_checkpoint, tmp_path):
    config = tmp_path / "other.py"
    decoder = "dict(_delete_=True, type='MSRAHeatmap', input_size=(224, 224), heatmap_size=(28, 28), sigma=2)"
    config.write_text(f"_base_ = {str(mpii_config_path('rt'))!r}\nmodel = dict(head=dict(decoder={decoder}))\n")
    with pytest.raises(ValueError, match=r"other\.py: not a usable config .*subpixel"):
        TorchPoseEstimator.load(config=config, weights=untrained_checkpoint, subpixel=True)


@pytest.mark.parametrize("stride", [1, 8])
def test_files_of_both_kinds_find_a_blob_between_pixels(make_model, stride):
    pytest.importorskip("onnxruntime")
    rows, columns = np.mgrid[:64, :64]
    blob = 250 * np.exp(-((columns - 33.3) ** 2 + (rows - 29.6) ** 2) / 150)
    image = np.stack([blob.round().astype(np.uint8)] * 3, axis=2)
    file = make_model(stride=stride, heatmap_stride=stride)
    (whole,) = PoseEstimator(file, threads=1).predict(image)
    (refined,) = PoseEstimator(file, threads=1, subpixel=True).predict(image)
    truth = np.tile((33.3, 29.6), (16, 1))
    error = np.linalg.norm(refined.keypoints[:, :2] - truth, axis=1).max()
    assert error < 0.2
    assert error < np.linalg.norm(whole.keypoints[:, :2] - truth, axis=1).min()
    assert np.linalg.norm(refined.keypoints[:, :2] - whole.keypoints[:, :2], axis=1).max() < 1


@pytest.fixture
def blob(tmp_path):
    """A picture of 64 x 64 with one bright place."""
    rows, columns = np.mgrid[:64, :64]
    grey = 250 * np.exp(-((columns - 33.3) ** 2 + (rows - 29.6) ** 2) / 150)
    path = tmp_path / "blob.png"
    cv2.imwrite(str(path), np.stack([grey] * 3, axis=2).astype(np.uint8))
    return path


def test_the_command_line_passes_it_on_to_files(make_model, blob, tmp_path):
    pytest.importorskip("onnxruntime")
    file = make_model()
    assert main(["predict", str(blob), "--model", str(file), "--subpixel", "--out", str(tmp_path / "out")]) == 0
    document = json.loads((tmp_path / "out" / "predictions.json").read_text())
    (pose,) = PoseEstimator(file, subpixel=True).predict(blob)
    np.testing.assert_allclose(document["images"][0]["instances"][0]["keypoints"], pose.keypoints, atol=1e-3)
    assert not np.allclose(pose.keypoints[:, :2], np.rint(pose.keypoints[:, :2]), atol=0.02)


def test_the_command_line_passes_it_on_to_pytorch(untrained_checkpoint, blob, tmp_path, monkeypatch):
    asked = []
    load = TorchPoseEstimator.load.__func__
    monkeypatch.setattr(
        TorchPoseEstimator,
        "load",
        classmethod(lambda cls, *args, **options: asked.append(options) or load(cls, *args, **options)),
    )
    for extra in ([], ["--subpixel"]):
        arguments = ["predict", str(blob), "--weights", str(untrained_checkpoint), *extra]
        assert main([*arguments, "--out", str(tmp_path / f"out{len(extra)}")]) == 0
    assert [options["subpixel"] for options in asked] == [None, True]


def test_measure_always_reads_between_pixels(make_model, make_video, tmp_path):
    pytest.importorskip("onnxruntime")
    file, video = make_model(), make_video(num_frames=12)
    keypoints = []
    for command in (["predict"], ["predict", "--subpixel"], ["measure"]):
        out = tmp_path / f"out{len(keypoints)}"
        main([*command, str(video), "--model", str(file), "--out", str(out)])
        lines = (out / "clip_pose.jsonl").read_text().splitlines()
        keypoints.append(np.array([json.loads(line)["instances"][0]["keypoints"] for line in lines[1:]]))
    whole, between, measured = keypoints
    assert not np.allclose(whole, between)
    np.testing.assert_array_equal(measured, between)


def test_part_affinity_fields_refine_in_any_case(make_model, blob, tmp_path, capsys):
    arguments = ["predict", str(blob), "--model", "rt", "--people", "paf", "--subpixel"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "--people paf reads keypoints between pixels in any case: leave out --subpixel" in capsys.readouterr().err
