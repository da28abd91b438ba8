import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from mmpose.registry import TRANSFORMS

from efficientpose.datasets.transforms import PersonCenterScale


def box(*corners, image=(40, 60)):
    """What a pipeline holds of one person: a box x1, y1, x2, y2 in an image (height, width)."""
    return dict(bbox=np.array([corners], np.float32), img_shape=image)


@pytest.mark.parametrize("image", [(40, 60), (60, 40), (50, 50)], ids=str)
def test_box_that_is_the_whole_image_gets_no_context(image):
    height, width = image
    results = PersonCenterScale()(box(0, 0, width, height, image=image))
    assert results["bbox_center"].tolist() == [[width / 2, height / 2]]
    assert results["bbox_scale"].tolist() == [[width, height]]


@pytest.mark.parametrize(
    ("image", "first_inside", "shown"),
    # 60 × 40 doubles to 120 × 80, with 20 black rows above and below; 40 × 60 likewise to the sides.
    [((40, 60), (20, 0), (80, 120)), ((60, 40), (0, 20), (120, 80)), ((50, 50), (0, 0), (120, 120))],
    ids=str,
)
def test_whole_image_is_letterboxed(image, first_inside, shown):
    height, width = image
    init_default_scope("mmpose")
    pipeline = Compose([PersonCenterScale(), TRANSFORMS.build(dict(type="TopdownAffine", input_size=(120, 120)))])
    scale = 120 / max(image)
    corners = np.array([[[0, 0], [width / 2, height / 2]]], np.float32)
    results = box(0, 0, width, height, image=image) | dict(img=np.full((*image, 3), 200, np.uint8), keypoints=corners)
    results = pipeline(results)
    (top, left), (rows, columns) = first_inside, shown
    picture = results["img"][..., 0]
    # The picture's last rows and columns, and a row or column before its first, mix with the black around it.
    assert (picture[top : top + rows - 2, left : left + columns - 2] == 200).all()
    picture[max(top - 2, 0) : top + rows, max(left - 2, 0) : left + columns] = 0
    assert not picture.any()
    np.testing.assert_allclose(results["transformed_keypoints"][0], [[left, top], [60, 60]], atol=1e-4)
    np.testing.assert_allclose(results["input_scale"] / 120, 1 / scale)


@pytest.mark.parametrize("padding", [1.0, 1.25, 2.0])
def test_other_boxes_are_padded_about_their_centre(padding):
    results = PersonCenterScale(padding=padding)(box(10, 20, 30, 36))
    assert results["bbox_center"].tolist() == [[20, 28]]
    assert results["bbox_scale"].tolist() == [[20 * padding, 16 * padding]]


def test_default_padding_is_a_quarter():
    assert PersonCenterScale()(box(10, 20, 30, 36))["bbox_scale"].tolist() == [[25, 20]]


@pytest.mark.parametrize("corners", [(0, 0, 59, 40), (0, 1, 60, 40), (1, 0, 60, 40), (0, 0, 60, 39), (-1, 0, 60, 40)])
def test_box_that_is_almost_the_whole_image_is_padded(corners):
    results = PersonCenterScale()(box(*corners))
    x1, y1, x2, y2 = corners
    assert results["bbox_scale"].tolist() == [[1.25 * (x2 - x1), 1.25 * (y2 - y1)]]


@pytest.mark.parametrize("corners", [(10, 20, 30, 36), (0, 0, 60, 40)])
def test_centre_and_scale_of_the_dataset_are_kept_and_padded(corners):
    given = box(*corners) | dict(bbox_center=np.array([[7.0, 9.0]]), bbox_scale=np.array([[100.0, 80.0]]))
    scale = given["bbox_scale"]
    results = PersonCenterScale()(given)
    assert results["bbox_center"].tolist() == [[7, 9]]
    assert results["bbox_scale"].tolist() == [[125, 100]]
    assert scale.tolist() == [[100, 80]]  # the dataset's own array is not changed


@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize(
    "given",
    [
        box(10, 20, 30, 36),
        box(0, 0, 60, 40),
        box(10, 20, 30, 36) | dict(bbox_center=np.array([[7.0, 9.0]]), bbox_scale=np.array([[100.0, 80.0]])),
    ],
    ids=["box", "whole image", "of the dataset"],
)
def test_scale_enlarges_the_person_about_the_same_centre(given, scale):
    usual, scaled = PersonCenterScale()(dict(given)), PersonCenterScale(scale=scale)(dict(given))
    np.testing.assert_array_equal(scaled["bbox_center"], usual["bbox_center"])
    np.testing.assert_array_equal(scaled["bbox_scale"], usual["bbox_scale"] / scale)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match=f"scale must be positive, got {scale}"):
        PersonCenterScale(scale=scale)


@pytest.mark.parametrize("padding", [0.0, -1.25])
def test_padding_must_be_positive(padding):
    with pytest.raises(ValueError, match=f"padding must be positive, got {padding}"):
        PersonCenterScale(padding=padding)


def test_transform_is_registered_and_says_what_it_is():
    transform = TRANSFORMS.build(dict(type="PersonCenterScale", padding=1.5, scale=0.9))
    assert repr(transform) == "PersonCenterScale(padding=1.5, scale=0.9)"


def test_misspelt_argument_fails():
    with pytest.raises(TypeError, match="pading"):
        TRANSFORMS.build(dict(type="PersonCenterScale", pading=1.5))
