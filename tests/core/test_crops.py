"""The crop is MMPose's to the bit where it does not shrink the picture, and so is the way back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmpose.datasets.transforms import TopdownAffine
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.structures import PoseDataSample

from efficientpose.core.crops import cut_crop, find_region, to_image
from efficientpose.datasets.transforms import AntialiasedAffine, PersonCenterScale
from efficientpose.runtime.crop_encoder import CropEncoder

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def through_mmpose(image, box, transform):
    results = PersonCenterScale().transform(dict(img=image, img_shape=image.shape[:2], bbox=box[None]))
    return transform.transform(results)


@pytest.mark.parametrize("input_size", [(64, 64), (224, 224), (192, 256), (96, 72)])
@pytest.mark.parametrize("kind", [TopdownAffine, AntialiasedAffine])
def test_crop_and_way_back_are_those_of_mmpose(input_size, kind):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (97, 131, 3), dtype=np.uint8)
    corners = rng.uniform((-30, -30), (100, 70), (40, 2))
    boxes = np.concatenate((corners, corners + rng.uniform(1, 200, (40, 2))), axis=1).astype(np.float32)
    boxes = np.concatenate((boxes, np.array([[0, 0, 131, 97], [0, 0, 131, 96], [3, 4, 50, 60]], np.float32)))
    keypoints = rng.uniform(0, 60, (len(boxes), 5, 2)).astype(np.float32)
    regions = [find_region(box, image_size=(131, 97), input_size=input_size) for box in boxes]
    back = to_image(keypoints, regions, input_size=input_size)
    shrinks = [region.factor(input_size) > 1 for region in regions]
    assert len(set(shrinks)) == 2 or input_size == (224, 224)
    for box, region, moved, points, shrunk in zip(boxes, regions, back, keypoints, shrinks, strict=True):
        if shrunk and kind is TopdownAffine:
            continue  # MMPose samples single pixels
        expected = through_mmpose(image, box, kind(input_size=input_size))
        np.testing.assert_array_equal(cut_crop(image, region, input_size=input_size), expected["img"])
        scale, centre = expected["input_scale"], expected["input_center"]
        np.testing.assert_array_equal(moved, (points / input_size * scale + centre - 0.5 * scale).astype(np.float32))


def test_a_box_has_a_quarter_of_context_and_the_whole_image_none():
    region = find_region(np.array([10, 20, 30, 60], np.float32), image_size=(100, 80), input_size=(64, 64))
    assert (region.centre.tolist(), region.size.tolist()) == ([20, 40], [50, 50])
    whole = find_region(np.array([0, 0, 100, 80], np.float32), image_size=(100, 80), input_size=(128, 128))
    assert (whole.centre.tolist(), whole.size.tolist()) == ([50, 40], [100, 100])
    tall = find_region(np.array([0, 0, 80, 40], np.float32), image_size=(100, 80), input_size=(32, 64))
    assert tall.size.tolist() == [100, 200]


def test_a_region_that_is_shrunk_is_sampled_in_the_middle_of_its_areas():
    region = find_region(np.array([0, 0, 100, 80], np.float32), image_size=(100, 80), input_size=(20, 20))
    # a pixel spans 5: the first is sampled at 2, not at 0
    assert (region.centre.tolist(), region.size.tolist()) == ([52, 42], [100, 100])
    assert to_image(np.zeros((1, 1, 2)), [region], input_size=(20, 20)).tolist() == [[[2, -8]]]


def test_a_pixel_goes_there_and_back():
    image = np.zeros((200, 300, 3), np.uint8)
    image[92:97, 146:151] = 255  # around (148, 94)
    region = find_region(np.array([100, 60, 180, 140], np.float32), image_size=(300, 200), input_size=(256, 256))
    rows, columns = np.nonzero(cut_crop(image, region, input_size=(256, 256))[..., 0] > 127)
    seen = np.array([[[columns.mean(), rows.mean()]]])
    np.testing.assert_allclose(to_image(seen, [region], input_size=(256, 256))[0, 0], (148, 94), atol=0.2)


def test_normalisation_is_that_of_mmpose_to_the_bit(metadata):
    crops = [np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8) for seed in range(3)]
    encoder = CropEncoder(replace(metadata, mean=MEAN, std=STD), dtype=np.dtype(np.float32))
    batch = encoder.encode(crops)
    preprocessor = PoseDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=True)
    images = [torch.from_numpy(crop.transpose(2, 0, 1).copy()) for crop in crops]
    expected = preprocessor({"inputs": images, "data_samples": [PoseDataSample() for _ in crops]})["inputs"].numpy()
    np.testing.assert_array_equal(batch, expected)
    last = CropEncoder(replace(metadata, mean=MEAN, std=STD, input_layout="nhwc"), dtype=np.dtype(np.float32))
    np.testing.assert_array_equal(last.encode(crops), batch.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_network_that_normalises_itself_gets_the_pixels(metadata, dtype, layout):
    crop = np.arange(64 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(64, 64, 3)
    batch = CropEncoder(replace(metadata, input_layout=layout), dtype=np.dtype(dtype)).encode([crop, crop])
    assert batch.dtype == dtype
    first = batch[1] if layout == "nhwc" else batch[1].transpose(1, 2, 0)
    np.testing.assert_array_equal(first, crop[..., ::-1])
