"""What a skeleton must be, and how one is read."""

import json

import numpy as np
import pytest

from efficientpose.core.grouping import order_limbs
from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES, LIMBS, MPII_SKELETON
from efficientpose.custom_skeletons.description import SkeletonError, choose_limbs, make_skeleton, pairs_to_swaps
from efficientpose.custom_skeletons.reading import describe, parse_names, parse_pairs, read_skeleton

NAMES = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
TREE = [("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear")]


def test_a_skeleton_follows_from_names_and_limbs():
    skeleton = make_skeleton(NAMES, TREE)
    assert skeleton.keypoint_names == tuple(NAMES)
    assert skeleton.limbs == ((0, 1), (0, 2), (1, 3), (2, 4))
    assert skeleton.flip_indices == (0, 2, 1, 4, 3)
    assert skeleton.named_limbs == tuple(TREE)


def test_mpii_from_its_names_is_mpii():
    skeleton = make_skeleton(KEYPOINT_NAMES, MPII_SKELETON.named_limbs)
    assert (skeleton.limbs, skeleton.flip_indices) == (LIMBS, FLIP_INDICES)


def test_flip_pairs_take_the_place_of_names():
    skeleton = make_skeleton(["a", "b", "c"], [("c", "a"), ("c", "b")], swaps=pairs_to_swaps([("a", "b")]))
    assert skeleton.flip_indices == (1, 0, 2)
    assert make_skeleton(["left_a", "b"], [("b", "left_a")], swaps={}).flip_indices == (0, 1)


@pytest.mark.parametrize(
    ("names", "limbs", "swaps", "message"),
    [
        (NAMES, [*TREE, ("nose", "chin")], None, "limb nose-chin: there is no keypoint 'chin'; there are nose, left_"),
        (NAMES, [*TREE, ("left_ear", "right_ear")], None, "left_ear-right_ear closes a cycle .left_ear - left_eye - n"),
        (NAMES, [TREE[0], TREE[0]], None, "nose-left_eye closes a cycle"),
        ([*NAMES, "nose"], TREE, None, "nose comes twice: each keypoint needs a name of its own"),
        (NAMES[:4], TREE[:3], None, "left_ear has no mirror image: add right_ear, or"),
        (NAMES, TREE[:1], None, "limb nose-left_eye has no mirror image: add nose-right_eye, or leave it out"),
        (NAMES, [("nose", "left_eye"), ("right_eye", "nose")], None, "add nose-right_eye .not the other way round"),
        (NAMES, [("left_eye", "right_eye")], None, "joins a keypoint with its mirror image"),
        (NAMES, [("nose", "nose")], None, "joins a keypoint with itself"),
        (NAMES, [], None, "no limbs"),
        ([], [], None, "no keypoints"),
        (["a,b", "c"], [("a,b", "c")], None, "without commas"),
        (
            NAMES,
            TREE,
            {"left_eye": "right_eye", "right_eye": "nose", "nose": "right_eye"},
            "eye is right_eye, but",
        ),
        (NAMES, TREE, {"left_eye": "right_brow"}, "no keypoint 'right_brow'"),
    ],
)
def test_an_unusable_skeleton_is_refused(names, limbs, swaps, message):
    with pytest.raises(SkeletonError, match=message):
        make_skeleton(names, limbs, swaps=swaps)


def test_a_keypoint_in_two_flip_pairs_is_refused():
    with pytest.raises(SkeletonError, match="b is the mirror image of a and of c: flip pairs are mutual"):
        pairs_to_swaps([("a", "b"), ("c", "b")])


def test_pairs_are_read_with_hyphens_in_names():
    assert parse_pairs("a-b, b-c-d", ["a", "b", "c-d"], what="limb") == [("a", "b"), ("b", "c-d")]
    with pytest.raises(SkeletonError, match="limb 'a-x' is not two of the keypoints joined by a hyphen; there are a"):
        parse_pairs("a-x", ["a", "b"], what="limb")


@pytest.mark.parametrize("text", ["a,,b", "a,b,", ",a", " , "])
def test_an_empty_name_is_told(text):
    with pytest.raises(SkeletonError, match="an entry is empty"):
        parse_names(text)
    assert parse_names("") == []
    assert parse_names(" a,b ") == ["a", "b"]


def test_sigmas_are_coco_s_where_it_has_the_joint():
    names = ["nose", "left_hip", "right_hip", "tail"]
    limbs = [("nose", "tail"), ("nose", "left_hip"), ("nose", "right_hip")]
    assert describe(names, limbs).sigmas == (0.026, 0.107, 0.107, 0.079)
    assert describe(names, limbs, sigmas=[0.1, 0.2, 0.2, 0.3]).sigmas == (0.1, 0.2, 0.2, 0.3)
    with pytest.raises(SkeletonError, match="expected 4 positive numbers"):
        describe(names, limbs, sigmas=[0.1])


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".py"])
def test_a_description_is_read_from_a_file(suffix, tmp_path):
    path = tmp_path / f"face{suffix}"
    limbs = ["-".join(limb) for limb in TREE]
    text = json.dumps({"keypoint_names": NAMES, "limbs": limbs})  # JSON is YAML, too
    path.write_text(f"keypoint_names = {NAMES}\nlimbs = {TREE}\n" if suffix == ".py" else text)
    description = read_skeleton(str(path))
    assert description.skeleton == make_skeleton(NAMES, TREE)
    assert description.sigmas == (0.026, 0.025, 0.025, 0.035, 0.035)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"limbs": []}, "lacks keypoint_names"),
        ({"keypoint_names": NAMES, "limbs": [], "flips": []}, "has flips: a description has keypoint_names, limbs"),
        ({"keypoint_names": NAMES, "limbs": [["nose"]]}, "limbs has 'nose': expected pairs"),
        ({"dataset_info": {"keypoint_info": {}}}, "its dataset_info is not MMPose's, it lacks or misspells 'skeleton"),
    ],
)
def test_an_unusable_file_is_refused(content, message, tmp_path):
    path = tmp_path / "face.json"
    path.write_text(json.dumps(content))
    with pytest.raises(SkeletonError, match=message):
        read_skeleton(str(path))


def test_an_absent_or_broken_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.py: no such file"):
        read_skeleton(str(tmp_path / "no.py"))
    broken = tmp_path / "broken.py"
    broken.write_text("keypoint_names = [")
    for name, text in (("broken.yaml", "keypoint_names: [a, b"), ("list.json", "[]")):
        (tmp_path / name).write_text(text)
        with pytest.raises(SkeletonError, match=rf"{name} cannot be read"):
            read_skeleton(str(tmp_path / name))
    with pytest.raises(SkeletonError, match="cannot be read"):
        read_skeleton(str(broken))


def test_coco_from_mmpose_s_own_file_becomes_a_tree_from_the_nose():
    read = read_skeleton("mmpose::_base_/datasets/coco.py")
    skeleton = read.skeleton
    assert len(skeleton.keypoint_names) == 17
    assert skeleton.flip_indices == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
    assert skeleton.named_limbs[:6] == (
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_eye", "left_ear"),
        ("right_eye", "right_ear"),
        ("left_ear", "left_shoulder"),
        ("right_ear", "right_shoulder"),
    )
    assert [limb.distal for limb in skeleton.limbs] == list(range(1, 17))  # a tree: every keypoint but the nose
    assert set(read.dropped_links) == {
        ("left_hip", "right_hip"),
        ("left_shoulder", "right_shoulder"),
        ("left_eye", "right_eye"),
    }
    assert read.sigmas[:2] == (0.026, 0.025)
    np.testing.assert_equal(len(order_limbs(skeleton.limbs)), 16)


def test_links_without_a_mirror_image_are_dropped():
    """The nose hangs on both eyes; whichever is reached first would have a limb that the other lacks."""
    links = [("neck", "left_eye"), ("neck", "right_eye"), ("left_eye", "nose"), ("right_eye", "nose")]
    swaps = {"left_eye": "right_eye", "right_eye": "left_eye"}
    limbs, dropped = choose_limbs(["nose", "left_eye", "right_eye", "neck"], links, swaps)
    assert limbs == (("neck", "left_eye"), ("neck", "right_eye"))
    assert dropped == (("left_eye", "nose"), ("right_eye", "nose"))
    with pytest.raises(SkeletonError, match="link a-b: there is no keypoint 'b'"):
        choose_limbs(["a"], [("a", "b")], {})
    with pytest.raises(SkeletonError, match="describe the limbs"):
        choose_limbs(["a"], [], {})
