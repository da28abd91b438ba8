"""What is finer than the network's pixels is blurred away, as scikit-image does it, and nothing moves."""

import cv2
import numpy as np
import pytest
from mmpose.datasets.transforms import TopdownAffine
from scipy.ndimage import gaussian_filter, map_coordinates

from efficientpose.core.crops import Region, cut_crop, find_region, smooth, to_image
from efficientpose.datasets.transforms import AntialiasedAffine, PersonCenterScale

SIZE = (32, 32)


@pytest.fixture
def picture():
    """Return a picture with details of every size, (151, 203, 3)."""
    rng = np.random.default_rng(0)
    layers = [cv2.resize(rng.uniform(0, 255, (n, n, 3)), (203, 151), interpolation=cv2.INTER_LINEAR) for n in (4, 40)]
    return np.mean([*layers, rng.uniform(0, 255, (151, 203, 3))], axis=0).astype(np.uint8)


def plainly(image, region, factor):
    """Blur all of the picture in float64 and take bilinear samples, (32, 32, 3)."""
    sigma = (factor - 1) / 2
    blurred = gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="mirror", truncate=4)
    x, y = (region.centre[axis] - region.size[axis] / 2 + np.arange(32) * factor for axis in (0, 1))
    rows, columns = np.meshgrid(y, x, indexing="ij")
    planes = [map_coordinates(blurred[..., plane], (rows, columns), order=1, cval=0) for plane in range(3)]
    return np.stack(planes, axis=-1)


@pytest.mark.parametrize(
    ("factor", "mean_error", "max_error"), [(1.5, 0.5, 2), (2.0, 0.5, 2), (3.7, 0.5, 2), (4.2, 1.5, 9), (4.7, 1.5, 9)]
)
@pytest.mark.parametrize("corner", [(0.0, 0.0), (33.25, 0.5)])
def test_crops_are_those_of_a_plain_reference(picture, factor, mean_error, max_error, corner):
    size = np.full(2, 32 * factor, np.float32)
    region = Region(np.array(corner, np.float32) + size / 2, size).aligned(SIZE)
    error = np.abs(cut_crop(picture, region, input_size=SIZE) - plainly(picture, region, factor))
    assert error.mean() < mean_error
    assert error.max() < max_error


def test_whole_pictures_are_shrunk_as_by_scikit_image(picture):
    rescale = pytest.importorskip("skimage.transform").rescale
    square = picture[:144, :144]
    region = find_region(np.array([0, 0, 144, 144], np.float32), image_size=(144, 144), input_size=SIZE)
    expected = 255 * rescale(square, 32 / 144, channel_axis=-1)
    error = np.abs(cut_crop(square, region, input_size=SIZE) - expected)
    assert error.mean() < 1.5  # 4.5 pixels become one, and a third of the picture is noise
    assert np.abs(through(TopdownAffine(input_size=SIZE), square)["img"] - expected).mean() > 10


@pytest.mark.parametrize("factor", [3.0, 4.7, 9.5, 17.0])
def test_a_fine_pattern_becomes_grey(factor):
    side = round(32 * factor)
    pattern = np.uint8(255 * (np.indices((side, side)).sum(axis=0) % 2))[..., None].repeat(3, axis=2)
    region = find_region(np.array([0, 0, side, side], np.float32), image_size=(side, side), input_size=SIZE)
    crop = cut_crop(pattern, region, input_size=SIZE)
    np.testing.assert_allclose(crop[1:-1, 1:-1], 127.5, atol=4)
    assert through(TopdownAffine(input_size=SIZE), pattern)["img"].std() > 40


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7, 3.0, 4.7, 8.3, 17.0])
def test_a_plain_colour_stays_and_outside_is_black(factor):
    image = np.full((200, 300, 3), (10, 120, 250), np.uint8)
    size = np.full(2, 32 * factor, np.float32)
    middle = cut_crop(image, Region(np.array((150, 100), np.float32), size / 4), input_size=(8, 8))
    np.testing.assert_array_equal(middle, np.broadcast_to(image[0, 0], middle.shape))
    outside = cut_crop(image, Region(np.array((-900, 100), np.float32), size), input_size=SIZE)
    assert not outside.any()


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.6, 2.5, 4.3, 8.3, 17.0])
@pytest.mark.parametrize("place", [(0.31, 0.55), (0.5, 0.5), (0.82, 0.2)])
def test_a_blob_goes_there_and_back(factor, place):
    side = round(64 * factor)
    x, y = np.array(place) * side + (40, 25)
    rows, columns = np.indices((side + 61, side + 90))
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (2 * max(factor, 1)) ** 2))
    image = np.uint8(np.round(255 * blob))[..., None].repeat(3, axis=2)
    box = np.array([40, 25, 40 + side, 25 + side], np.float32)
    region = find_region(box, image_size=image.shape[1::-1], input_size=(64, 64))
    crop = cut_crop(image, region, input_size=(64, 64))[..., 0].astype(float)
    seen = np.array([[[(crop.sum(axis=0) * np.arange(64)).sum(), (crop.sum(axis=1) * np.arange(64)).sum()]]])
    found = to_image(seen / crop.sum(), [region], input_size=(64, 64))[0, 0]
    np.testing.assert_allclose(found, (x, y), atol=0.05 * max(factor, 1))


def test_a_point_is_located_in_what_was_smoothed(picture):
    smoothed = smooth(picture, corners=np.array([[60.0, 50.0], [150.0, 140.0]]), factor=4.5)
    assert smoothed.block == 2
    # margin of 3 sigma = 5.25, block and 1: from 51 on; pixels 51 and 52 become the first, behind one more
    assert smoothed.offset.tolist() == [49, 39]
    assert smoothed.locate(np.array([51.5, 43.5])).tolist() == [1, 2]
    assert smoothed.image.shape == (56, 56, 3)  # to 159 and 149, 54 blocks


def through(transform, image, **more):
    height, width = image.shape[:2]
    results = dict(img=image, img_shape=(height, width), bbox=np.array([[0, 0, width, height]], np.float32), **more)
    return transform.transform(PersonCenterScale().transform(results))


def test_in_mmpose_keypoints_move_with_the_crop(picture):
    keypoints = np.array([[[12.0, 30.0], [200.0, 150.0]]], np.float32)
    found = through(AntialiasedAffine(input_size=SIZE), picture, keypoints=keypoints)
    back = found["transformed_keypoints"] / 32 * found["input_scale"] + found["input_center"] - found["input_scale"] / 2
    np.testing.assert_allclose(back, keypoints, atol=1e-4)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7, 3.9, 4.7, 8.3, 17.0])
def test_the_picture_s_border_does_not_fade(factor):
    white = np.full((round(40 * factor), round(40 * factor), 3), 255, np.uint8)
    size = np.full(2, 32 * factor, np.float32)
    corner = Region(size / 2 - 2 * np.float32(factor), size).aligned(SIZE)  # two pixels of the crop are outside
    crop = cut_crop(white, corner, input_size=SIZE)
    assert not crop[:1].any()
    assert not crop[:, :1].any()
    np.testing.assert_array_equal(crop[2:, 2:], 255)


@pytest.mark.parametrize("rotation", [0.0, 30.0, -120.0])
@pytest.mark.parametrize("factor", [0.8, 1.6, 4.5])
def test_in_mmpose_keypoints_move_with_what_is_seen(factor, rotation):
    rows, columns = np.indices((400, 500))
    x, y = 261.0, 194.0
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (2 * max(factor, 1)) ** 2))
    results = dict(
        img=np.uint8(np.round(255 * blob))[..., None].repeat(3, axis=2),
        bbox_center=np.array([[250.0, 200.0]], np.float32),
        bbox_scale=np.full((1, 2), 64 * factor, np.float32),
        bbox_rotation=np.array([rotation], np.float32),
        keypoints=np.array([[[x, y], [250.0, 200.0]]], np.float32),
    )
    found = AntialiasedAffine(input_size=(64, 64)).transform(results)
    crop = found["img"][..., 0].astype(float)
    seen = np.array([(crop.sum(axis=0) * np.arange(64)).sum(), (crop.sum(axis=1) * np.arange(64)).sum()]) / crop.sum()
    np.testing.assert_allclose(found["transformed_keypoints"][0, 0], seen, atol=0.1)
    assert found["keypoints"].tolist() == [[[x, y], [250, 200]]]
    plain = TopdownAffine(input_size=(64, 64)).transform(results)["transformed_keypoints"]
    shift = np.linalg.norm(plain - found["transformed_keypoints"], axis=2)  # towards the middle of the areas
    np.testing.assert_allclose(shift, np.sqrt(2) * max(0, (factor - 1) / 2 / factor), atol=1e-4)


@pytest.mark.parametrize("rotation", [0.0, 30.0, -45.0, 90.0, 135.0])
@pytest.mark.parametrize("factor", [1.6, 4.5])
def test_all_of_a_turned_crop_is_seen_that_is_not_square(factor, rotation):
    results = dict(
        img=np.full((800, 800, 3), 255, np.uint8),
        bbox_center=np.full((1, 2), 400, np.float32),
        bbox_scale=np.array([[24, 96]], np.float32) * factor,
        bbox_rotation=np.array([rotation], np.float32),
    )
    crop = AntialiasedAffine(input_size=(24, 96)).transform(results)["img"]
    np.testing.assert_array_equal(crop, 255)
