"""MMCV without its compiled extension: MMPose can be imported, and what cannot work says so."""

import importlib
import subprocess
import sys
from importlib.resources import files

import mmcv.ops
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpose.apis import MMPoseInferencer

from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.plugin import CompiledOpMissingError, install_placeholder

needs_placeholder = pytest.mark.skipif(not install_placeholder(), reason="MMCV has its compiled extension")


def run_python(code, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def random_boxes(num_boxes, seed):
    """Boxes (N, 4) of 5 to 40 pixels in 100 × 100, so that many overlap, and distinct scores (N,)."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 60, (num_boxes, 2))
    boxes = np.hstack([corners, corners + rng.uniform(5, 40, (num_boxes, 2))])
    scores = (rng.permutation(num_boxes) + 0.5) / num_boxes
    return torch.tensor(boxes, dtype=torch.float32), torch.tensor(scores, dtype=torch.float32)


def overlap(a, b, offset):
    """Intersection over union of two boxes whose sides are x2 - x1 + offset."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def loop_nms(boxes, scores, iou_threshold, *, offset=0, score_threshold=0.0):
    """Indices that non-maximum suppression keeps, best first, found box by box."""
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        worthy = score_threshold <= 0 or scores[i] > score_threshold
        if worthy and all(overlap(boxes[i], boxes[j], offset) <= iou_threshold for j in kept):
            kept.append(i)
    return kept


@needs_placeholder
def test_mmpose_needs_the_plugin_first():
    assert "mmcv._ext" in run_python("import mmcv.ops").stderr
    result = run_python("import efficientpose.plugin, mmpose.apis; print(mmpose.apis.MMPoseInferencer.__name__)")
    assert (result.returncode, result.stdout.split()[-1:]) == (0, ["MMPoseInferencer"]), result.stderr


@needs_placeholder
def test_a_compiled_operator_is_named_when_called():
    with pytest.raises(CompiledOpMissingError, match="'roi_align_forward' needs MMCV's compiled extension"):
        mmcv.ops.roi_align(torch.zeros(1, 1, 8, 8), torch.zeros(1, 5), 2)


@needs_placeholder
def test_the_placeholder_is_kept_and_has_no_made_up_attributes():
    extension = sys.modules["mmcv._ext"]
    assert install_placeholder()
    assert sys.modules["mmcv._ext"] is extension
    assert not hasattr(extension, "__version__")


def test_nms_of_two_boxes_worked_by_hand():
    # 10 × 10 boxes that share 5 × 10: 50 / 150 = 0.333; with sides of 11, 6 × 11: 66 / 176 = 0.375.
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10]])
    scores = torch.tensor([0.9, 0.8])
    assert mmcv.ops.nms(boxes, scores, 0.35, offset=0)[1].tolist() == [0, 1]
    assert mmcv.ops.nms(boxes, scores, 0.35, offset=1)[1].tolist() == [0]


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("score_threshold", [0.0, 0.4])
@pytest.mark.parametrize("max_num", [-1, 7])
def test_nms_equals_a_plain_loop(offset, score_threshold, max_num):
    boxes, scores = random_boxes(120, seed=offset)
    given = boxes.clone()
    detections, kept = mmcv.ops.nms(boxes, scores, 0.5, offset, score_threshold, max_num)
    expected = loop_nms(boxes.tolist(), scores.tolist(), 0.5, offset=offset, score_threshold=score_threshold)
    assert 7 < len(expected) < 120
    assert kept.tolist() == (expected if max_num < 0 else expected[:max_num])
    assert detections.equal(torch.hstack([boxes[kept], scores[kept, None]]))
    assert boxes.equal(given)


def test_batched_nms_keeps_classes_apart():
    boxes, scores = random_boxes(120, seed=2)
    classes = torch.arange(120) % 3
    _, kept = mmcv.ops.batched_nms(boxes, scores, classes, {"type": "nms", "iou_threshold": 0.4})
    expected = []
    for label in range(3):
        members = torch.where(classes == label)[0]
        of_class = loop_nms(boxes[members].tolist(), scores[members].tolist(), 0.4)
        expected += members[of_class].tolist()
    assert kept.tolist() == sorted(expected, key=lambda i: -scores[i])


@pytest.mark.parametrize("load_first", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_real_extension_is_left_alone(load_first, tmp_path):
    extension = tmp_path / "_ext.py"
    extension.write_text("def __getattr__(name):\n    return f'compiled {name}'\n")
    lines = [
        "import sys, mmcv",
        f"mmcv.__path__.insert(0, {str(tmp_path)!r})",
        "import mmcv._ext" if load_first else "",
        "before = sys.modules.get('mmcv._ext')",
        "from efficientpose.plugin import install_placeholder",
        "assert install_placeholder() is False",
        "assert before in (None, sys.modules['mmcv._ext'])",
        "import mmcv.ops",
        "print(mmcv.ops.nms.__module__, sys.modules['mmcv._ext'].__file__, sys.modules['mmcv._ext'].nms)",
    ]
    result = run_python("\n".join(lines))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"mmcv.ops.nms {extension} compiled nms"


@pytest.fixture
def _own_registry_scopes(monkeypatch):
    """A detector makes MMDetection's registries the ones that are searched; keep that from other tests."""
    monkeypatch.setattr(DefaultScope, "_instance_dict", DefaultScope._instance_dict.copy())


@pytest.mark.usefixtures("_own_registry_scopes")
def test_a_detector_finds_boxes_for_the_pose_network(tmp_path):
    """MMPose's inferencer with an MMDetection network before RT; both untrained, so only the path counts."""
    importlib.import_module("mmdet")
    rtmdet = files("mmdet") / ".mim" / "configs" / "rtmdet" / "rtmdet_tiny_8xb32-300e_coco.py"
    config = tmp_path / "detector.py"
    config.write_text(f"_base_ = [{str(rtmdet)!r}]\nmodel = dict(test_cfg=dict(max_per_img=5))\n")
    torch.manual_seed(0)
    inferencer = MMPoseInferencer(
        pose2d=str(mpii_config_path("rt")),
        det_model=str(config),
        det_weights=None,
        det_cat_ids=list(range(80)),
        device="cpu",
    )
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    people = next(inferencer(image, bbox_thr=0.0))["predictions"][0]
    assert people
    for person in people:
        assert np.array(person["keypoints"]).shape == (16, 2)
        assert np.isfinite(person["keypoints"]).all()
    boxes = np.array([person["bbox"][0] for person in people])
    assert (boxes != [0, 0, 120, 90]).any(axis=1).all(), "the whole picture is what MMPose takes without a detector"
