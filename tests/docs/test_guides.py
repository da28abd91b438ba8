"""Every command and every piece of Python in the guides runs, in order, on small data."""

import json
import re
import runpy
import shlex
import sys
from functools import reduce
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from efficientpose.cli import main
from efficientpose.core.skeleton import KEYPOINT_NAMES
from synthetic_people.generate import Plan, generate

REPOSITORY = Path(__file__).parents[2]
GUIDES = REPOSITORY / "docs" / "guides"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUM_FRAMES = 24


@pytest.fixture
def folder(tmp_path, shared):
    """A checkout's tools, configs and checkpoints, with the released weights where a download would find them."""
    for name in ("tools", "configs", "checkpoints"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    weights = tmp_path / "released"
    weights.mkdir()
    for file in (*(shared / "official" / "keras").glob("*.h5"), *(shared / "official" / "tflite").glob("*.tflite")):
        (weights / file.name).symlink_to(file)
    return tmp_path


def read_demo_frames():
    from efficientpose.inference.sample_crops import demo_video

    video = cv2.VideoCapture(str(demo_video()))
    for _ in range(NUM_FRAMES):
        is_read, frame = video.read()
        assert is_read
        yield cv2.resize(frame, None, fx=0.5, fy=0.5)
    video.release()


@pytest.fixture
def clip(folder):
    """Of a person who fills a third of the picture's height."""
    frames = list(read_demo_frames())
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return folder / "clip.mp4"


@pytest.fixture
def photo(folder):
    cv2.imwrite(str(folder / "photo.jpg"), next(read_demo_frames())[0:250, 220:440])


@pytest.fixture
def mpii_release(folder):
    """Twelve people whose joints lie anywhere, on pictures of noise, in the release's structure."""
    others = runpy.run_path(str(REPOSITORY / "tests" / "tools" / "test_mpii_annotations.py"))
    rectangle, write_release = others["rectangle"], others["write_release"]
    images = folder / "data" / "mpii" / "images"
    images.mkdir(parents=True)
    names = [f"{number:09d}.jpg" for number in range(1, 15)]
    for name in names:
        cv2.imwrite(str(images / name), np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))
    people = [(name, [rectangle(10 + index)]) for index, name in enumerate(names[:12])]
    people += [(name, [rectangle(40, ids=[], head=False)]) for name in names[12:]]
    is_train = [1] * 12 + [0] * 2
    write_release(folder / "mpii_human_pose_v1_u12_1.mat", people, is_train, [[1]] * len(names))


@pytest.fixture
def marked_photos(folder):
    """Drawn people, of whom seven joints are marked where they can be seen."""
    generate(Plan(num_train=12, num_val=1, seed=0), folder / "drawn")
    (folder / "drawn" / "images").rename(folder / "photos")
    people = json.loads((folder / "drawn" / "annotations" / "mpii_train.json").read_text())
    marked = ("head_top", "right_shoulder", "left_shoulder", "right_hip", "left_hip", "right_knee", "left_knee")
    rows = ["image,person,keypoint,x,y"]
    for number, person in enumerate(people, start=1):
        (folder / "photos" / person["image"]).rename(folder / "photos" / f"{number:04d}.jpg")
        for name in marked:
            index = KEYPOINT_NAMES.index(name)
            if person["joints_vis"][index]:
                x, y = (coordinate - 1 for coordinate in person["joints"][index])  # MPII counts from 1
                rows.append(f"{number:04d}.jpg,0,{name},{x:.1f},{y:.1f}")
    (folder / "keypoints.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def run_guide(folder, monkeypatch, capsys):
    """Run a guide's blocks as they stand, in this process: ``efficientpose``, ``python`` of a tool, or Python itself.

    ``shorter`` holds pairs of texts, what to replace by what; each must be in the guide. Returns what the last block
    printed.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EFFICIENTPOSE_WEIGHTS_DIR", str(folder / "released"))
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(folder / "cache"))

    def run(name, *, shorter=()):
        blocks = [match.groups() for match in BLOCK.finditer((GUIDES / name).read_text(encoding="utf-8"))]
        assert blocks
        for old, _ in shorter:
            assert any(old in block for _, block in blocks), f"{name} says {old!r} no more"
        for language, written in blocks:
            block = reduce(lambda text, pair: text.replace(*pair), shorter, written)
            capsys.readouterr()
            if language == "python":
                exec(compile(block, name, "exec"), {"__name__": "__main__"})
                continue
            for line in block.replace("\\\n", " ").splitlines():
                run_command(line, monkeypatch)
        return capsys.readouterr().out

    return run


def run_command(line, monkeypatch):
    line, _, fallback = line.partition(" || ")
    command, *arguments = shlex.split(line)
    if command == "efficientpose":
        status = main(arguments)
    else:
        assert command == "python", f"no guide needs {command!r}"
        monkeypatch.setattr(sys, "argv", arguments)
        try:
            runpy.run_path(arguments[0], run_name="__main__")
            status = 0
        except SystemExit as stop:
            status = stop.code
    assert not status or fallback, f"{line}: status {status}"


def test_one_person(run_guide, folder, clip):
    run_guide("one_person.md", shorter=[("--model i ", "--model rt ")])
    walk = folder / "walk"
    assert (walk / "clip_angles.png").stat().st_size > 10_000
    assert len(list((walk / "clip_json").iterdir())) == NUM_FRAMES
    assert (walk / "clip_person00.trc").is_file()
    assert (folder / "walk_10hz").is_dir()


def test_several_people(run_guide, folder, clip):
    run_guide("several_people.md", shorter=[("--model i ", "--model rt "), ("--detect-every 5", "--detect-every 12")])
    for name in ("everybody", "largest", "clicked"):
        assert (folder / name / "clip_angles.csv").is_file()


@pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="LiteRT is not installed")
def test_phone(run_guide, folder, photo):
    printed = run_guide("phone.md")
    for name in ("on_phone", "on_phone_onnx"):
        (image,) = json.loads((folder / name / "predictions.json").read_text())["images"]
        found = np.array(image["instances"][0]["keypoints"])[:, :2]
        np.testing.assert_allclose(json.loads(printed), found, atol=0.06 if name == "on_phone" else 1.1)


def test_own_data(run_guide, folder, marked_photos):
    shorter = [("--epochs 20", "--epochs 1"), ("--batch-size 16", "--batch-size 4"), ("epoch_20", "epoch_1")]
    run_guide("own_data.md", shorter=shorter)
    predicted = json.loads((folder / "mine" / "predictions.json").read_text())
    assert len(predicted["keypoint_names"]) == len(predicted["images"][0]["instances"][0]["keypoints"]) == 7
    assert (folder / "people.png").is_file()


def test_evaluate_on_mpii(run_guide, folder, mpii_release):
    loader = "test_dataloader.num_workers=0 test_dataloader.persistent_workers=False test_evaluator.num_bootstrap=10"
    run_guide(
        "evaluate_on_mpii.md",
        shorter=[
            ("--num-val 3000", "--num-val 4"),
            ("efficientpose download i\n", ""),
            ("--cfg-options", f"--cfg-options {loader}"),
        ],
    )
    assert (folder / "scores.json").is_file()
    assert (folder / "pred_keypoints_mpii.mat").is_file()


def test_every_guide_is_tested():
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {file.stem for file in GUIDES.glob("*.md")} <= tests
