import numpy as np
import pytest
from lsp import (
    HEAD_PER_BOX,
    HEAD_PER_TORSO,
    REFERENCE_PER_HEAD,
    frame_person,
    is_validation,
    measure_head,
    place_head_box,
    read_collection,
)
from scipy.io import loadmat

from efficientpose.core.skeleton import KEYPOINT_NAMES


def test_person_frame_of_wide_box():
    centre, scale = frame_person(np.array([[10.0, 50.0], [110.0, 70.0], [60.0, 55.0]]))  # a box of 100, middle (60, 60)
    assert scale == pytest.approx(140 / 250)
    assert centre == pytest.approx((60, 60 - 15 * 140 / 250))


def place(positions):
    joints, labelled = np.full((16, 2), -1.0), np.zeros(16, dtype=bool)
    for name, position in positions.items():
        joints[KEYPOINT_NAMES.index(name)] = position
        labelled[KEYPOINT_NAMES.index(name)] = True
    return joints, labelled


HEAD = {"head_top": (30, 40), "upper_neck": (30, 60)}
TORSO = {"left_shoulder": (50, 60), "right_hip": (20, 100)}
OTHER_TORSO = {"right_shoulder": (0, 60), "left_hip": (0, 160)}


@pytest.mark.parametrize(
    ("positions", "length", "centre"),
    [
        pytest.param(HEAD | TORSO, 20, (30, 50), id="head"),
        pytest.param({"head_top": (30, 40)} | TORSO | OTHER_TORSO, 0.43 * 50, (30, 40), id="torso, no neck"),
        pytest.param({**HEAD, "head_top": (30, 60.5)} | TORSO, 0.43 * 50, (30, 60.25), id="torso, head in one place"),
        pytest.param(OTHER_TORSO, 0.43 * 100, (0, 110), id="other torso diagonal"),
        pytest.param({"left_shoulder": (50, 60), "left_wrist": (50, 160)}, 0.19 * 100, (50, 110), id="box"),
    ],
)
def test_head_box(positions, length, centre):
    joints, labelled = place(positions)
    assert measure_head(joints, labelled) == pytest.approx(length)
    x1, y1, x2, y2 = place_head_box(joints, labelled)
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx(centre)
    assert x2 - x1 == pytest.approx(y2 - y1)
    assert 0.6 * np.hypot(x2 - x1, y2 - y1) == pytest.approx(0.75 * length)


def test_proportions_are_those_measured(shared):
    """The constants come from these people."""
    truth = loadmat(shared / "data" / "mpii_val" / "mpii_gt_val.mat")
    joints, labelled = truth["pos_gt_src"].transpose(2, 0, 1), truth["jnt_missing"].T == 0
    corners = truth["headboxes_src"].astype(float)
    head = [KEYPOINT_NAMES.index(name) for name in ("head_top", "upper_neck")]
    known = labelled[:, head].all(axis=1)
    reference = 0.6 * np.linalg.norm(corners[1] - corners[0], axis=0)[known]
    ratio = reference / np.linalg.norm(joints[known, head[0]] - joints[known, head[1]], axis=1)
    np.testing.assert_allclose(np.quantile(ratio, [0.05, 0.5, 0.95]), REFERENCE_PER_HEAD, atol=1e-3)

    people = read_collection(shared / "data" / "lspet", skip_absent=True).people
    training = [person for person in people if not is_validation(person.number)]
    joints = np.stack([person.joints for person in training])
    joints[~np.stack([person.labelled for person in training])] = np.nan
    lengths = np.linalg.norm(joints[:, head[0]] - joints[:, head[1]], axis=1)
    shoulder, hip = KEYPOINT_NAMES.index("left_shoulder"), KEYPOINT_NAMES.index("right_hip")
    torsos = np.linalg.norm(joints[:, shoulder] - joints[:, hip], axis=1)
    boxes = np.array([np.ptp(person.joints[person.labelled], axis=0).max() for person in training])
    assert np.nanmedian(lengths / torsos) == pytest.approx(HEAD_PER_TORSO, abs=0.005)
    assert np.nanmedian(lengths / boxes) == pytest.approx(HEAD_PER_BOX, abs=0.005)
