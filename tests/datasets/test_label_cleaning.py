"""Cleaning labels by a teacher, on a person whose distances are worked by hand."""

import numpy as np
import pytest

from efficientpose.datasets.label_cleaning import CleaningRule, clean_labels, measure_torso
from efficientpose.skeleton import FLIP_INDICES, KEYPOINT_NAMES

RIGHT = {"ankle": (40, 200), "knee": (40, 150), "hip": (40, 100), "shoulder": (40, 20), "elbow": (20, 50)}
RIGHT |= {"wrist": (10, 80)}


@pytest.fixture
def person() -> np.ndarray:
    """Seen from the front: the right side is at x <= 40, the left its mirror at 140 - x. The torso measures 100."""
    joints = np.zeros((16, 2))
    for name, (x, y) in RIGHT.items():
        joints[KEYPOINT_NAMES.index(f"right_{name}")] = x, y
        joints[KEYPOINT_NAMES.index(f"left_{name}")] = 140 - x, y
    for name, y in {"pelvis": 100, "thorax": 20, "upper_neck": 10, "head_top": -20}.items():
        joints[KEYPOINT_NAMES.index(name)] = 70, y
    return joints


def index(name: str) -> int:
    return KEYPOINT_NAMES.index(name)


def test_torso_is_the_diagonal_from_shoulder_to_hip(person: np.ndarray) -> None:
    labelled = np.ones(16, bool)
    assert measure_torso(person, labelled) == pytest.approx(100)  # 60 across, 80 down
    labelled[[index("left_shoulder"), index("right_shoulder")]] = False
    assert measure_torso(person, labelled) == pytest.approx(0.4 * 220)  # head top at -20, ankles at 200


def test_agreement_changes_nothing(person: np.ndarray) -> None:
    cleaned = clean_labels(person, np.ones(16, bool), person + 3, np.ones(16))
    np.testing.assert_array_equal(cleaned.joints, person)
    assert cleaned.labelled.all()
    assert cleaned[2:] == (0, 0, 0)


def test_legs_with_swapped_sides_are_swapped_back_and_arms_stay(person: np.ndarray) -> None:
    labels = person.copy()
    legs = [index(f"{side}_{name}") for side in ("right", "left") for name in ("hip", "knee", "ankle")]
    labels[legs] = person[[FLIP_INDICES[leg] for leg in legs]]
    cleaned = clean_labels(labels, np.ones(16, bool), person + 1, np.ones(16))
    np.testing.assert_array_equal(cleaned.joints, person)
    assert cleaned[2:] == (6, 0, 0)


def test_an_unsure_teacher_swaps_nothing(person: np.ndarray) -> None:
    labels = person[list(FLIP_INDICES)]
    cleaned = clean_labels(labels, np.ones(16, bool), person, np.full(16, 0.29))
    np.testing.assert_array_equal(cleaned.joints, labels)
    assert cleaned.labelled.all()


def test_visibility_is_swapped_along(person: np.ndarray) -> None:
    labelled = np.ones(16, bool)
    labelled[index("right_ankle")] = False
    cleaned = clean_labels(person[list(FLIP_INDICES)], labelled, person, np.ones(16))
    assert not cleaned.labelled[index("left_ankle")]
    assert cleaned.labelled[index("right_ankle")]
    assert cleaned.num_swapped == 11


@pytest.mark.parametrize(("offset", "score", "dropped"), [(51, 0.5, 1), (49, 0.5, 0), (51, 0.49, 0)])
def test_a_joint_half_a_torso_from_a_sure_teacher_is_dropped(
    person: np.ndarray, offset: float, score: float, dropped: int
) -> None:
    labels = person.copy()
    labels[index("left_wrist")] += (0, offset)
    cleaned = clean_labels(labels, np.ones(16, bool), person, np.full(16, score))
    assert cleaned.num_dropped == dropped
    assert cleaned.labelled[index("left_wrist")] == (dropped == 0)
    np.testing.assert_array_equal(cleaned.joints, labels)


@pytest.mark.parametrize(("distance", "filled"), [(35, 1), (36, 0)])
def test_a_pelvis_near_the_middle_of_the_hips_is_filled_in(
    person: np.ndarray, distance: float, filled: int
) -> None:
    labelled = np.ones(16, bool)
    labelled[index("pelvis")] = False
    teacher = person.copy()
    teacher[index("pelvis")] = 70, 100 - distance
    cleaned = clean_labels(person, labelled, teacher, np.ones(16), rule=CleaningRule())
    assert cleaned.num_filled == filled
    assert cleaned.labelled[index("pelvis")] == bool(filled)
    if filled:
        np.testing.assert_array_equal(cleaned.joints[index("pelvis")], (70, 65))
