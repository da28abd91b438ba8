"""The window shows people where the keypoints say."""

import numpy as np
import pytest

from efficientpose.datasets.scenes import SceneWindow, window_matrix


def make_scene():
    """Two people of two joints each, drawn as marks of 255."""
    image = np.zeros((200, 300, 3), np.uint8)
    keypoints = np.array([[[50, 60], [50, 120]], [[200, 80], [220, 150]]], np.float32)
    for x, y in keypoints.reshape(-1, 2).astype(int):
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
    boxes = np.concatenate((keypoints.min(axis=1) - 10, keypoints.max(axis=1) + 10), axis=1)
    return dict(img=image, img_shape=(200, 300), keypoints=keypoints, keypoints_visible=np.ones((2, 2)), bbox=boxes)


def test_a_point_by_hand():
    """A quarter turn against the clock as seen, twice as large: what lies to the right goes up."""
    matrix = window_matrix(np.array([10.0, 20.0]), np.array([100.0, 50.0]), zoom=2.0, rotation=90.0)
    np.testing.assert_allclose(matrix @ (10, 20, 1), (100, 50))
    np.testing.assert_allclose(matrix @ (13, 20, 1), (100, 44), atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_marks_lie_on_the_keypoints(seed):
    np.random.seed(seed)
    results = SceneWindow(input_size=(160, 128), person_size=(80, 120), max_rotation=30).transform(make_scene())
    assert results["img"].shape == (128, 160, 3)
    assert results["input_size"] == (160, 128)
    num_inside = 0
    for (x, y), box in zip(
        results["transformed_keypoints"].reshape(-1, 2), np.repeat(results["bbox"], 2, axis=0), strict=True
    ):
        assert (box[:2] < (x, y)).all()
        assert (box[2:] > (x, y)).all()
        if 2 < x < 157 and 2 < y < 125:
            num_inside += 1
            assert results["img"][round(float(y)), round(float(x)), 0] > 200
    assert num_inside


def test_somebody_has_the_size_asked_for():
    scene = make_scene()
    sides = (scene["bbox"][:, 2:] - scene["bbox"][:, :2]).max(axis=1)
    transform = SceneWindow(input_size=(160, 160), person_size=(50, 50), max_rotation=0, max_shift=0)
    for seed in range(4):
        np.random.seed(seed)
        boxes = transform.transform(make_scene())["bbox"]
        grown = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        (chosen,) = np.flatnonzero(np.isclose(grown, 50, atol=1e-3))
        np.testing.assert_allclose(grown / sides, 50 / sides[chosen], rtol=1e-5)
        np.testing.assert_allclose((boxes[chosen, :2] + boxes[chosen, 2:]) / 2, (80, 80), atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(person_size=(0, 9)), "smallest and the largest size"),
        (dict(person_size=(9, 5)), "smallest and the largest size"),
        (dict(person_size=(5, 9), max_shift=-1), "at least 0"),
    ],
)
def test_unusable_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        SceneWindow(input_size=(64, 64), **settings)
