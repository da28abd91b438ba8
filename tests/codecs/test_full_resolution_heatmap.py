import numpy as np
import pytest
import torch
from mmpose.registry import KEYPOINT_CODECS
from scipy.ndimage import gaussian_filter

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.core.decoding import blur_heatmap
from efficientpose.core.skeleton import LIMBS
from efficientpose.core.variants import VARIANTS
from efficientpose.models.upsampling import BilinearUpsampler

SIZES = [(64, 64), (96, 64), (64, 104)]


def random_points(size, *, num=60, margin=0.0, seed=0):
    """Keypoints (1, num, 2) on the pixels of an input, ``margin`` from its border."""
    rng = np.random.default_rng(seed)
    return rng.uniform(margin - 0.5, np.array(size) - 0.5 - margin, (1, num, 2))


def make(size, *, stride=1, **arguments):
    return FullResolutionHeatmap(input_size=size, heatmap_size=(size[0] // stride, size[1] // stride), **arguments)


@pytest.mark.parametrize("size", SIZES)
def test_rendered_targets_have_the_shapes_they_should(size):
    targets = FullResolutionHeatmap(input_size=size).render(torch.zeros(3, 16, 2), torch.ones(3, 16))
    width, height = size
    assert targets.full_heatmaps.shape == (3, 16, height, width)
    assert targets.heatmaps.shape == (3, 16, height // 8, width // 8)
    assert targets.pafs.shape == (3, 28, height // 8, width // 8)
    assert targets.keypoint_weights.shape == (3, 16)
    assert targets.limb_weights.shape == (3, 14)


def test_sigma_is_a_fraction_of_the_longer_side_at_both_resolutions():
    codec = FullResolutionHeatmap(input_size=(64, 160), sigma=0.05)
    assert codec.sigma_pixels == pytest.approx(8.0)
    point = torch.tensor([[[19.5, 43.5]]])
    targets = FullResolutionHeatmap(input_size=(64, 160), sigma=0.05, limbs=()).render(point, torch.ones(1, 1))
    # One cell, that is one sigma, beside the keypoint.
    assert targets.heatmaps[0, 0, 5, 3].item() == pytest.approx(np.exp(-1))
    assert targets.full_heatmaps[0, 0, 43, 27].item() == pytest.approx(np.exp(-(7.5**2 + 0.5**2) / 64))


def test_unlabelled_keypoints_may_hold_anything():
    codec = FullResolutionHeatmap(input_size=(64, 64))
    points = torch.from_numpy(random_points((64, 64), num=16)).float()
    labelled = torch.ones(1, 16)
    labelled[0, [2, 9]] = 0
    reference = codec.render(points, labelled)
    for anything in (float("nan"), float("inf"), -1e9):
        changed = points.clone()
        changed[0, [2, 9]] = anything
        for got, expected in zip(codec.render(changed, labelled)[:7], reference[:7], strict=True):
            assert torch.as_tensor(got).isfinite().all()
            torch.testing.assert_close(got, expected, rtol=0, atol=0)
    assert reference.keypoint_weights[0].tolist() == [0 if joint in (2, 9) else 1 for joint in range(16)]
    assert reference.limb_weights[0].tolist() == [0 if {2, 9} & set(limb) else 1 for limb in LIMBS]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [1, 8])
def test_encode_equals_render(size, stride):
    codec = make(size, stride=stride)
    points = random_points(size, num=16)
    points[0, 0], points[0, 1] = (np.nan, np.nan), (-20.0, 500.0)
    visible = np.ones((1, 16))
    visible[0, [0, 5]] = 0
    encoded = codec.encode(points, visible)
    targets = codec.render(torch.from_numpy(points).float(), torch.from_numpy(visible))
    expected = targets.full_heatmaps if stride == 1 else targets.heatmaps
    np.testing.assert_array_equal(encoded["heatmaps"], expected[0].numpy())
    np.testing.assert_array_equal(encoded["keypoint_weights"], targets.keypoint_weights.numpy())
    assert encoded["heatmaps"].dtype == np.float32
    assert encoded["keypoint_weights"].tolist() == [[0, 0, 1, 1, 1, 0] + [1] * 10]


@pytest.mark.parametrize("size", SIZES)
def test_encode_draws_part_affinity_fields_on_request(size):
    codec = FullResolutionHeatmap(input_size=size, encode_pafs=True)
    points, visible = random_points(size, num=16), np.ones((1, 16))
    points[0, 3], visible[0, 5] = (-20.0, 500.0), 0
    encoded = codec.encode(points, visible)
    targets = codec.render(torch.from_numpy(points).float(), torch.from_numpy(visible))
    np.testing.assert_array_equal(encoded["pafs"], targets.pafs[0].numpy())
    np.testing.assert_array_equal(encoded["limb_weights"], targets.limb_weights.numpy())
    assert np.abs(encoded["pafs"]).max() > 0.5
    assert "pafs" not in FullResolutionHeatmap(input_size=size).encode(points, visible)


def test_encode_takes_all_as_labelled_without_visibility():
    assert FullResolutionHeatmap(input_size=(64, 64)).encode(random_points((64, 64), num=3))[
        "keypoint_weights"
    ].tolist() == [[1, 1, 1]]


def test_encode_one_person_only():
    with pytest.raises(ValueError, match="one person a crop can be encoded, got 2"):
        FullResolutionHeatmap(input_size=(64, 64)).encode(np.zeros((2, 16, 2)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("stride", "margin"), [(1, 3), (8, 24)])
@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1, 0.15])
def test_round_trip_ends_within_half_a_cell(size, stride, margin, sigma):
    codec = make(size, stride=stride, sigma=sigma)
    points = random_points(size, margin=margin)
    decoded, scores = codec.decode(codec.encode(points)["heatmaps"])
    assert decoded.shape == (1, 60, 2)
    assert scores.shape == (1, 60)
    assert np.abs(decoded - points).max() <= 0.5 * stride + 1e-3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [1, 8])
@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_round_trip_without_blur_ends_within_half_a_cell_up_to_the_border(size, stride, sigma):
    codec = make(size, stride=stride, sigma=sigma, blur_sigma=0)
    points = random_points(size, num=200)
    width, height = size
    points[0, :4] = (0, 0), (width - 1, height - 1), (-0.49, 0), (width - 0.51, 0)
    decoded, _ = codec.decode(codec.encode(points)["heatmaps"])
    assert np.abs(decoded - points).max() <= 0.5 * stride + 1e-3


@pytest.mark.parametrize("stride", [1, 8])
def test_blur_draws_a_peak_beside_the_border_up_to_a_cell_towards_it(stride):
    """The released decoder mirrors the map at its border, so a peak there meets its own image."""
    codec = make((224, 224), stride=stride)
    points = random_points((224, 224), num=400)
    error = np.abs(codec.decode(codec.encode(points)["heatmaps"])[0] - points) / stride
    from_border = np.minimum(points + 0.5, 223.5 - points) / stride
    assert error[from_border > 2.5].max() <= 0.5 + 1e-3
    assert 0.5 < error.max() < 1.1


@pytest.mark.parametrize("shape", [(28, 28), (46, 30), (5, 64), (3, 2), (1, 1)], ids=str)
@pytest.mark.parametrize("sigma", [1.0, 0.5, 2.0])
def test_blur_is_scipy_s_gaussian_filter(shape, sigma):
    for heatmap in np.random.default_rng(0).random((5, *shape), dtype=np.float32):
        expected = gaussian_filter(heatmap.astype(float), sigma)
        np.testing.assert_allclose(blur_heatmap(heatmap, sigma=sigma), expected, rtol=0, atol=1e-6)


def test_decode_takes_the_peak_of_the_blurred_map_and_the_score_of_the_map_itself():
    maps = np.random.default_rng(0).random((20, 32, 24), dtype=np.float32)
    keypoints, scores = FullResolutionHeatmap(input_size=(24, 32)).decode(maps)
    num_moved = 0
    for heatmap, (x, y), score in zip(maps, keypoints[0], scores[0], strict=True):
        peak = np.unravel_index(gaussian_filter(heatmap.astype(float), 1).argmax(), heatmap.shape)
        assert (y, x) == peak
        assert score == heatmap[peak]
        num_moved += score < heatmap.max()
    assert num_moved > 10  # on noise the blur matters


def test_decode_by_hand():
    maps = np.zeros((2, 8, 8), np.float32)
    maps[0, 2, 5], maps[1, 7, 0] = 1, 0.5
    codec = FullResolutionHeatmap(input_size=(64, 64), blur_sigma=0)
    keypoints, scores = codec.decode(maps)
    assert keypoints.tolist() == [[[43.5, 19.5], [3.5, 59.5]]]
    assert scores.tolist() == [[1, 0.5]]
    keypoints, _ = FullResolutionHeatmap(input_size=(8, 8), blur_sigma=0).decode(maps)
    assert keypoints.tolist() == [[[5, 2], [0, 7]]]


def test_decode_takes_the_first_of_equal_peaks_in_reading_order():
    maps = np.zeros((1, 8, 8), np.float32)
    maps[0, 3, 6] = maps[0, 5, 1] = 1
    keypoints, _ = FullResolutionHeatmap(input_size=(8, 8), blur_sigma=0).decode(maps)
    assert keypoints.tolist() == [[[6, 3]]]


def test_decode_leaves_its_input_alone_and_takes_any_layout():
    maps = np.random.default_rng(0).random((3, 8, 16))
    before = maps.copy()
    codec = FullResolutionHeatmap(input_size=(16, 8))
    keypoints, scores = codec.decode(maps)
    mirrored, mirrored_scores = codec.decode(maps[:, :, ::-1])
    np.testing.assert_array_equal(maps, before)
    np.testing.assert_allclose(mirrored[..., 0], 15 - keypoints[..., 0])
    np.testing.assert_allclose(mirrored_scores, scores, atol=1e-6)
    np.testing.assert_array_equal(codec.decode(maps.astype(np.float16))[0], keypoints)


def test_decode_of_empty_maps_is_the_first_pixel_with_score_zero():
    keypoints, scores = FullResolutionHeatmap(input_size=(16, 16)).decode(np.zeros((2, 16, 16), np.float32))
    assert keypoints.tolist() == [[[0, 0], [0, 0]]]
    assert scores.tolist() == [[0, 0]]


def test_decode_of_flat_maps_is_somewhere_inside_with_their_value():
    keypoints, scores = FullResolutionHeatmap(input_size=(16, 16)).decode(np.full((2, 16, 16), 0.3, np.float32))
    assert ((keypoints >= 0) & (keypoints <= 15)).all()
    assert scores[0].tolist() == pytest.approx([0.3, 0.3])


def test_decode_of_nan_maps_is_the_first_pixel_with_score_nan():
    keypoints, scores = FullResolutionHeatmap(input_size=(16, 16)).decode(np.full((2, 16, 16), np.nan, np.float32))
    assert keypoints.tolist() == [[[0, 0], [0, 0]]]
    assert np.isnan(scores).all()


def test_decode_of_one_nan_is_the_corner_of_what_it_blurs_to():
    maps = np.zeros((1, 16, 16), np.float32)
    maps[0, 8, 9] = np.nan
    keypoints, scores = FullResolutionHeatmap(input_size=(16, 16)).decode(maps)
    assert keypoints.tolist() == [[[5, 4]]]
    assert scores.tolist() == [[0]]


@pytest.mark.parametrize(
    ("size", "nearest"), [((100, 64), (96, 64)), ((64, 7), (64, 8)), ((0, 64), (8, 64)), ((60, -8), (64, 8))]
)
def test_input_size_that_is_no_multiple_of_eight_says_which_is_near(size, nearest):
    with pytest.raises(ValueError) as failure:  # noqa: PT011
        FullResolutionHeatmap(input_size=size)
    assert str(failure.value) == f"input_size must hold multiples of 8, got {size}: try {nearest}"


@pytest.mark.parametrize("heatmap_size", [(64, 32), (3, 3), (128, 128), (0, 0), (24, 24)])
def test_heatmap_size_that_does_not_divide_the_input(heatmap_size):
    with pytest.raises(ValueError, match=r"do not fit an input of \(64, 64\): .* divided by one whole number"):
        FullResolutionHeatmap(input_size=(64, 64), heatmap_size=heatmap_size)


def test_maps_of_another_input_are_not_decoded():
    with pytest.raises(ValueError, match=r"maps of \(width, height\) \(96, 64\) do not fit an input of \(64, 64\)"):
        FullResolutionHeatmap(input_size=(64, 64)).decode(np.zeros((1, 64, 96), np.float32))


@pytest.mark.parametrize("arguments", [dict(limb_half_width=-1.0), dict(blur_sigma=-0.1)])
def test_widths_must_be_positive(arguments):
    with pytest.raises(ValueError, match="limb_half_width must be positive and blur_sigma at least 0, got"):
        FullResolutionHeatmap(input_size=(64, 64), **arguments)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_codec_fits_every_variant(variant):
    codec = KEYPOINT_CODECS.build(dict(type="FullResolutionHeatmap", input_size=variant.input_size))
    assert (codec.heatmap_size, codec.heatmap_stride, len(codec.limbs)) == (variant.input_size, 1, 14)


def test_misspelt_argument_fails():
    with pytest.raises(TypeError, match="sigmas"):
        KEYPOINT_CODECS.build(dict(type="FullResolutionHeatmap", input_size=(64, 64), sigmas=0.05))


def upsample(heatmaps):
    return BilinearUpsampler()(torch.from_numpy(heatmaps)).numpy()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("blur_sigma", [0, 1.0])
def test_sparse_decoding_equals_decoding_upsampled_maps(size, blur_sigma):
    width, height = size
    maps = np.random.default_rng(0).random((4, 16, height // 8, width // 8), dtype=np.float32)
    codec = FullResolutionHeatmap(input_size=size, blur_sigma=blur_sigma)
    keypoints, scores = codec.decode_sparsely(maps)
    expected = [codec.decode(full) for full in upsample(maps)]
    np.testing.assert_array_equal(keypoints, np.concatenate([points for points, _ in expected]))
    np.testing.assert_allclose(scores, np.concatenate([each for _, each in expected]), atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_sparse_decoding_equals_decoding_upsampled_maps_that_are_not_finite(bad):
    maps = np.random.default_rng(0).random((3, 5, 6, 7), dtype=np.float32)
    maps[0, :, 2, 3] = maps[1, :, 0, 0] = maps[2, :, 5, 6] = bad
    codec = FullResolutionHeatmap(input_size=(56, 48))
    keypoints, scores = codec.decode_sparsely(maps)
    expected = [codec.decode(full) for full in upsample(maps)]
    np.testing.assert_array_equal(keypoints, np.concatenate([points for points, _ in expected]))
    np.testing.assert_allclose(scores, np.concatenate([each for _, each in expected]), atol=1e-6)


def test_sparse_decoding_of_maps_of_another_input():
    with pytest.raises(ValueError, match=r"heatmaps of shape \(1, 16, 8, 7\) do not fit a peak finder for .* 8, 8\)"):
        FullResolutionHeatmap(input_size=(64, 64)).decode_sparsely(np.zeros((1, 16, 8, 7), np.float32))


@pytest.mark.parametrize("sigma", [0.0, 1, 2, -0.05])
def test_sigma_in_cells_is_refused_and_its_unit_named(sigma):
    with pytest.raises(ValueError, match=rf"sigma must be .* a fraction of the input's longer side .*got {sigma}; "):
        FullResolutionHeatmap(input_size=(64, 64), sigma=sigma)
