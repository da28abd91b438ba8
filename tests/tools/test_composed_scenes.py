"""Scenes of several people: keypoints stay on their people, and covered ones are known."""

import numpy as np
import pytest
from composed_scenes import compose, compose_at_random, cut_person, lay_out, resize_person


def make_photo(*, colour=200, size=(120, 90), low=(40, 30), high=(70, 90)):
    """A grey picture with a square of a colour around each of three keypoints."""
    image = np.full((size[0], size[1], 3), 50, np.uint8)
    keypoints = np.array([low, high, (low[0], high[1]), (0, 0)], float)
    for x, y in keypoints[:3].astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = colour
    return image, keypoints, np.array([True, True, True, False])


def test_cut_keeps_keypoints_on_their_marks():
    person = cut_person(*make_photo())
    assert person.size == 60
    # Margins of 12 around x 40 to 70 and y 30 to 90.
    assert person.image.shape == (85, 55, 3)
    np.testing.assert_allclose(person.keypoints[:3], [(12, 12), (42, 72), (12, 72)])


@pytest.mark.parametrize("size", [30, 90, 171])
def test_resized_keypoints_stay_on_their_marks(size):
    person = resize_person(cut_person(*make_photo()), size=size)
    assert person.size == pytest.approx(size, rel=0.03)
    for x, y in person.keypoints[:3]:
        marks = np.argwhere(person.image[..., 0] > 125)[:, ::-1]
        near = marks[np.linalg.norm(marks - (x, y), axis=1) < size / 8]
        np.testing.assert_allclose(near.mean(axis=0), (x, y), atol=0.6)


def test_who_is_covered_is_not_labelled():
    photos = [cut_person(*make_photo(colour=colour)) for colour in (150, 250)]
    scene = compose(photos, np.array([(60.0, 60.0), (95.0, 60.0)]), image_size=(130, 110))
    # The first crop spans x 32 to 86, the second 68 to 122: the first's keypoints at x 44 stay, that at 74 is covered.
    assert scene.labelled.tolist() == [[True, False, True, False], [True, True, True, False]]
    for person, colour in ((0, 150), (1, 250)):
        for x, y in scene.keypoints[person, scene.labelled[person]].astype(int):
            assert scene.image[y, x, 0] == colour
    np.testing.assert_allclose(scene.boxes[0], [44, 30, 74, 90])


def test_who_leaves_the_picture_is_not_labelled():
    scene = compose([cut_person(*make_photo())], np.array([(0.0, 50.0)]), image_size=(100, 100))
    assert scene.labelled[0].tolist() == [False, True, False, False]


def test_places():
    assert lay_out(3, num_columns=2, pitch=(10, 20)).tolist() == [[5, 10], [15, 10], [5, 30]]


@pytest.mark.parametrize(("spacing", "covered"), [(1.5, False), (0.3, True)])
def test_people_at_random(spacing, covered):
    photos = [cut_person(*make_photo()) for _ in range(5)]
    scene = compose_at_random(np.random.default_rng(0), photos, size=100, spacing=spacing)
    assert scene.keypoints.shape == (5, 4, 2)
    assert (scene.labelled.sum() < 15) == covered
    sides = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(axis=1)
    assert sides.min() > 75
    assert sides.max() < 130
    assert sides.max() / sides.min() > 1.1
    for person, joint in np.argwhere(scene.labelled):
        x, y = scene.keypoints[person, joint].round().astype(int)
        assert scene.image[y, x, 0] > 120


def test_nobody_to_cut():
    image, keypoints, _ = make_photo()
    with pytest.raises(ValueError, match="1 labelled keypoints do not span a person"):
        cut_person(image, keypoints, np.array([True, False, False, False]))
    with pytest.raises(ValueError, match="outside the photo"):
        cut_person(image, keypoints + 1000, np.array([True, True, True, False]))
