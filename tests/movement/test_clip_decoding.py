"""Decoding over a clip, on a walker whose keypoints are known."""

import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES, NUM_KEYPOINTS
from efficientpose.movement.clip_decoding import decode_clip, person_sizes

RATE = 30
HEIGHT = 200.0
LEGS = [KEYPOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "ankle")]


def walk(num_frames=150):
    """Keypoints (T, K, 2) of a person who walks to the right, 2 steps a second, seen from the side."""
    seconds = np.arange(num_frames) / RATE
    keypoints = np.zeros((num_frames, NUM_KEYPOINTS, 2))
    forward = 60 * seconds
    keypoints[..., 0] = forward[:, None]
    for index, name in enumerate(KEYPOINT_NAMES):
        keypoints[:, index, 1] = HEIGHT * (
            0.1 if name in ("upper_neck", "thorax") else 0.25 if "elbow" in name else 0.45
        )
    keypoints[:, KEYPOINT_NAMES.index("head_top"), 1] = 0
    for side, phase in (("left", 0.0), ("right", np.pi)):
        swing = np.sin(2 * np.pi * seconds + phase)
        thigh = 0.45 * swing
        shank = thigh - 0.5 * np.clip(np.sin(2 * np.pi * seconds + phase + 1.2), 0, None)
        hip, knee, ankle = (KEYPOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        keypoints[:, hip, 1] = 0.5 * HEIGHT
        step = np.stack((np.sin(thigh), np.cos(thigh)), axis=1)
        keypoints[:, knee] = keypoints[:, hip] + 0.24 * HEIGHT * step
        keypoints[:, ankle] = keypoints[:, knee] + 0.24 * HEIGHT * np.stack((np.sin(shank), np.cos(shank)), axis=1)
    return seconds, keypoints


def as_peaks(keypoints, *, score=0.8, others=2):
    """One peak each, (T, K, 1 + others, 3)."""
    peaks = np.full((*keypoints.shape[:2], 1 + others, 3), np.nan)
    peaks[:, :, 0, :2], peaks[:, :, 0, 2] = keypoints, score
    return peaks


def exchange(peaks, frames):
    mirrored = [
        KEYPOINT_NAMES.index(name.replace("left", "?").replace("right", "left").replace("?", "right"))
        for name in KEYPOINT_NAMES
    ]
    peaks = peaks.copy()
    peaks[frames] = peaks[frames][:, mirrored]
    return peaks


def count_side_changes(left, right, size):
    """Count the frames at which left and right change places.

    A change is counted between two frames where exchanging the sides cuts the movement of the pair below 60 %, and the
    two keypoints lie more than 6 % of the person's size apart in both.
    """
    kept = np.linalg.norm(np.diff(left, axis=0), axis=1) + np.linalg.norm(np.diff(right, axis=0), axis=1)
    exchanged = np.linalg.norm(left[1:] - right[:-1], axis=1) + np.linalg.norm(right[1:] - left[:-1], axis=1)
    is_apart = np.linalg.norm(left - right, axis=1) > 0.06 * size
    return int(np.count_nonzero((exchanged < 0.6 * kept) & is_apart[1:] & is_apart[:-1]))


def error(decoded, keypoints):
    """Largest distance of a leg's keypoint, pixels."""
    return np.nanmax(np.linalg.norm(decoded.keypoints[:, LEGS] - keypoints[:, LEGS], axis=2))


def test_clean_peaks_stay():
    seconds, keypoints = walk()
    decoded = decode_clip(as_peaks(keypoints), seconds, KEYPOINT_NAMES)
    np.testing.assert_array_equal(decoded.keypoints, keypoints)


def test_sides_that_the_network_exchanges_stay():
    seconds, keypoints = walk()
    frames = np.random.default_rng(0).random(len(seconds)) < 0.3
    frames[:10] = False  # what comes first has no motion to go by
    peaks = exchange(as_peaks(keypoints), frames)
    left, right = KEYPOINT_NAMES.index("left_ankle"), KEYPOINT_NAMES.index("right_ankle")
    raw = peaks[:, :, 0, :2]
    assert count_side_changes(raw[:, left], raw[:, right], HEIGHT) > 20
    decoded = decode_clip(peaks, seconds, KEYPOINT_NAMES)
    assert count_side_changes(decoded.keypoints[:, left], decoded.keypoints[:, right], HEIGHT) == 0
    assert error(decoded, keypoints) < 0.06 * HEIGHT


def test_the_second_peak_is_taken_where_the_first_is_on_the_other_leg():
    seconds, keypoints = walk()
    peaks = as_peaks(keypoints)
    left, right = KEYPOINT_NAMES.index("left_ankle"), KEYPOINT_NAMES.index("right_ankle")
    both = slice(40, 60)
    peaks[both, left, 1] = np.concatenate((keypoints[both, left], np.full((20, 1), 0.3)), axis=1)
    peaks[both, left, 0] = peaks[both, right, 0]
    decoded = decode_clip(peaks, seconds, KEYPOINT_NAMES)
    assert error(decoded, keypoints) < 0.06 * HEIGHT


def test_a_peak_far_away_is_left_out():
    seconds, keypoints = walk()
    peaks = as_peaks(keypoints)
    ankle = KEYPOINT_NAMES.index("left_ankle")
    peaks[70:73, ankle, 0, :2] += (150, -120)
    decoded = decode_clip(peaks, seconds, KEYPOINT_NAMES)
    assert np.isnan(decoded.keypoints[70:73, ankle]).all()
    assert (decoded.scores[70:73, ankle] == 0).all()
    assert np.isfinite(decoded.keypoints[69, ankle]).all()


def test_side_evidence_is_negative_where_the_network_disagrees():
    seconds, keypoints = walk()
    decoded = decode_clip(exchange(as_peaks(keypoints), slice(60, 70)), seconds, KEYPOINT_NAMES)
    is_apart = np.linalg.norm(keypoints[:, LEGS[2]] - keypoints[:, LEGS[5]], axis=1) > 0.2 * HEIGHT
    assert (decoded.side_evidence[60:70, 0][is_apart[60:70]] < 0).all()
    assert (decoded.side_evidence[:60, 0][is_apart[:60]] > 0).all()


def test_nobody():
    decoded = decode_clip(np.full((5, NUM_KEYPOINTS, 3, 3), np.nan), np.arange(5) / RATE, KEYPOINT_NAMES)
    assert np.isnan(decoded.keypoints).all()
    assert (decoded.scores == 0).all()


def test_size_is_the_standing_height():
    seconds, keypoints = walk()
    np.testing.assert_allclose(person_sizes(keypoints, seconds), 0.98 * HEIGHT, rtol=0.03)


def test_side_changes_by_hand():
    left = np.array([[0.0, 0], [1, 0], [50, 0], [51, 0]])
    right = np.array([[50.0, 0], [51, 0], [2, 0], [3, 0]])
    assert count_side_changes(left, right, 100) == 1
    assert count_side_changes(left, right, 1000) == 0  # nearer than 6 % of the height: nothing can be told


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"peaks must be \(3 frames, 16 keypoints, M, 3\)"):
        decode_clip(np.zeros((2, 16, 3, 3)), np.arange(3.0), KEYPOINT_NAMES)


def test_a_chain_of_which_one_side_lacks_a_keypoint_stays_as_it_is():
    seconds, keypoints = walk(30)
    kept = [index for index, name in enumerate(KEYPOINT_NAMES) if name != "right_ankle"]
    names = [KEYPOINT_NAMES[index] for index in kept]
    decoded = decode_clip(as_peaks(keypoints[:, kept]), seconds, names)
    np.testing.assert_array_equal(decoded.keypoints, keypoints[:, kept])
    assert decoded.side_evidence.shape == (30, 1)  # of the arms alone
