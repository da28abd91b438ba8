"""Where keypoints stand in other tools' skeletons, and what those call them."""

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.movement.files.skeletons import BODY_25, COCO_17, marker_names, place


def test_mpii_in_body_25():
    by_place = dict(zip(BODY_25, place(KEYPOINT_NAMES, BODY_25), strict=True))
    assert len(BODY_25) == 25
    assert by_place["neck"] == KEYPOINT_NAMES.index("thorax")
    assert by_place["hip"] == KEYPOINT_NAMES.index("pelvis")
    assert by_place["left_wrist"] == 15
    missing = {name for name, index in by_place.items() if index is None}
    assert missing == {name for name in BODY_25 if name.split("_")[-1] in ("nose", "eye", "ear", "toe", "heel")}


def test_mpii_in_coco():
    assert place(KEYPOINT_NAMES, COCO_17) == (None,) * 5 + (13, 12, 14, 11, 15, 10, 3, 2, 4, 1, 5, 0)


def test_a_keypoint_of_the_very_name_wins():
    assert place(("thorax", "neck"), ("neck",)) == (1,)
    assert marker_names(("thorax", "neck", "head_top", "left_small_toe")) == ("Thorax", "Neck", "Head", "LSmallToe")


def test_orders_are_mmpose_s():
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    info = parse_pose_metainfo({"from_file": "configs/_base_/datasets/coco.py"})
    assert tuple(info["keypoint_id2name"].values()) == COCO_17
