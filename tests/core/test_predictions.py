"""predictions.json holds what it promises and is never half a file."""

import json
from pathlib import Path

import numpy as np
import pytest

from efficientpose.core import poses as predictions
from efficientpose.core.poses import ImagePoses, Pose, write_predictions
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS


@pytest.fixture
def poses() -> ImagePoses:
    keypoints = np.arange(48, dtype=np.float32).reshape(16, 3) + 0.25
    return ImagePoses(
        file="a/ä.jpg", width=60, height=40, instances=(Pose(np.array([0, 0, 60, 40], np.float32), keypoints),)
    )


def test_the_document_is_what_the_readme_says(tmp_path: Path, poses: ImagePoses) -> None:
    path = tmp_path / "predictions.json"
    write_predictions([poses], path, model="rt")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert list(document) == ["model", "keypoint_names", "skeleton", "images"]
    assert document["model"] == "rt"
    assert document["keypoint_names"] == list(KEYPOINT_NAMES)
    assert document["skeleton"] == [list(limb) for limb in LIMBS]
    (image,) = document["images"]
    assert (image["file"], image["width"], image["height"]) == ("a/ä.jpg", 60, 40)
    (instance,) = image["instances"]
    assert instance["bbox"] == [0, 0, 60, 40]
    assert instance["keypoints"][1] == [3.25, 4.25, 5.25]
    assert np.shape(instance["keypoints"]) == (16, 3)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, poses: ImagePoses, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "predictions.json"
    path.write_text("old")

    def fail(*_args: object, **_kwargs: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(predictions.json, "dumps", fail)
    with pytest.raises(OSError, match="disk full"):
        write_predictions([poses], path, model="rt")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
