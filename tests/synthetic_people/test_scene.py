import numpy as np

from synthetic_people.scene import inside, sample_scene


def test_the_frame_decides_which_keypoints_are_labelled():
    points = np.array([[-0.5, 0], [-0.6, 0], [9.4, 4], [9.5, 4], [3, 4.4], [3, 4.5]])
    np.testing.assert_array_equal(inside(points, image_shape=(5, 10)), [True, False, True, False, True, False])


def test_scenes_are_annotated_as_described():
    statures, num_labelled = [], []
    for seed in range(40):
        scene = sample_scene(np.random.default_rng(seed))
        height, width = scene.image.shape[:2]
        assert scene.image.dtype == np.uint8
        assert 224 <= height <= 288
        assert 272 <= width <= 368
        np.testing.assert_array_equal(scene.labelled, inside(scene.keypoints, image_shape=(height, width)))
        assert 85 < scene.stature < 265
        low, high = scene.head_box
        assert np.all(high - low > 0.06 * scene.stature)
        assert np.all(high - low < 0.35 * scene.stature)
        # The crown lies on the head; nearly everything labelled lies in the crop the protocol takes.
        assert np.all((scene.keypoints[9] > low - 2) & (scene.keypoints[9] < high + 2))
        crop_centre = scene.centre + np.array([0, 0.075 * scene.stature])
        assert np.abs(scene.keypoints[scene.labelled] - crop_centre).max() < 0.8 * scene.stature
        statures.append(scene.stature)
        num_labelled.append(scene.labelled.sum())
    assert min(statures) < 130
    assert max(statures) > 180
    assert max(num_labelled) == 16
    assert 3 <= min(num_labelled) < 16
    assert np.mean(num_labelled) > 13


def test_the_same_numbers_give_the_same_picture_and_others_another():
    first, again, other = (sample_scene(np.random.default_rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.keypoints, again.keypoints)
    assert first.image.shape != other.image.shape or np.any(first.image != other.image)
