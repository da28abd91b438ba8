"""The check that follows every export sees what is wrong with a file."""

import numpy as np
import pytest

from efficientpose.codecs.full_resolution_heatmap import FullResolutionHeatmap
from efficientpose.export.check import compare, find_peaks, measure_drift
from efficientpose.export.deployed import ExportOptions

DECODER = FullResolutionHeatmap(input_size=(64, 64))
FULL = ExportOptions(outputs="full")


def blobs(*centres, height=1.0):
    """One crop a centre (x, y), each with two maps."""
    rows, columns = np.mgrid[:64, :64]
    maps = [height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 25) for x, y in centres]
    return np.stack([np.stack((each, each[::-1])) for each in maps]).astype(np.float32)


GOOD = blobs((20, 30), (40.5, 12.25))


def agreement(given, expected=(GOOD,), options=FULL):
    return compare(tuple(expected), [tuple(given)], decoder=DECODER, options=options)


def test_peaks_lie_between_pixels():
    peaks = find_peaks(GOOD, DECODER, FULL)
    np.testing.assert_allclose(peaks[:, 0], [(20, 30), (40.5, 12.25)], atol=0.02)
    np.testing.assert_allclose(peaks[:, 1], [(20, 33), (40.5, 50.75)], atol=0.02)


def test_peaks_of_maps_at_stride_8_are_in_pixels():
    maps = np.zeros((1, 1, 8, 8), np.float32)
    maps[0, 0, 2, 5] = 1
    np.testing.assert_allclose(find_peaks(maps, DECODER, ExportOptions()), [[(8 * 5 + 3.5, 8 * 2 + 3.5)]], atol=1e-6)


def test_equal_maps():
    found = agreement([GOOD])
    assert (found.difference, found.shift, found.is_good) == (0, 0, True)


@pytest.mark.parametrize(("error", "is_good"), [(0.9e-4, True), (1.1e-4, False)])
def test_limit_of_values(error, is_good):
    given = GOOD.copy()
    given[1, 0, 60, 60] += error
    assert agreement([given]).difference == pytest.approx(error, rel=1e-2)
    assert agreement([given]).is_good is is_good


@pytest.mark.parametrize(("step", "is_good"), [(0.2, True), (0.3, False)])
def test_limit_of_keypoints(step, is_good):
    options = ExportOptions(outputs="full", precision="float16")
    # low maps, so that the values alone do not tell
    expected, given = blobs((20, 30), height=0.01), blobs((20 + step, 30), height=0.01)
    found = agreement([given], [expected], options)
    assert found.shift == pytest.approx(step, abs=0.02)
    assert found.is_good is is_good


@pytest.mark.parametrize("given", [np.zeros_like(GOOD), np.stack((GOOD[0], GOOD[0]))], ids=["flat", "all the same"])
def test_constant_output(given):
    assert agreement([given]).is_constant
    almost_flat = 1e-5 * GOOD
    assert not agreement([almost_flat], [almost_flat]).is_constant


def test_of_several_ways_to_run_a_file_the_worst_counts():
    """In any order, and each number by itself."""
    higher, moved = (1 + 2e-4) * GOOD, blobs((20.5, 30), (40.5, 12.25))
    ways = [(GOOD,), (higher,), (moved,)]
    for order in (ways, ways[::-1]):
        found = compare((GOOD,), order, decoder=DECODER, options=FULL)
        assert found.difference == pytest.approx(np.abs(moved - GOOD).max())
        assert found.shift == pytest.approx(0.5, abs=0.03)
        assert not found.is_good
    assert compare((GOOD,), ways[:1], decoder=DECODER, options=FULL).is_good
    assert compare((GOOD,), [(GOOD,), (np.zeros_like(GOOD),)], decoder=DECODER, options=FULL).is_constant
    assert not compare((GOOD,), [(GOOD,), (GOOD[:1],)], decoder=DECODER, options=FULL).is_good


def test_what_is_no_number_or_of_another_shape_is_not_good():
    broken = GOOD.copy()
    broken[0, 0, 0, 0] = np.nan
    assert not agreement([broken]).is_good
    # also where another output is fine
    assert not agreement([GOOD, broken], [GOOD, GOOD]).is_good
    assert not agreement([GOOD[..., :-1]]).is_good
    assert not agreement([GOOD, GOOD]).is_good


def measure(distances, peaks):
    expected = np.zeros((2, 2, 4, 4), np.float32)
    expected[:, :, 1, 2] = peaks
    given = expected.copy()
    given[1, 1, 0, 0] = -0.25
    return measure_drift((expected,), (given,), distances=np.array(distances, float), input_size=(100, 50))


def test_found_keypoints_and_all():
    drift = measure([[0, 1], [2, 9]], [[0.3, 0.5], [0.9, 0.2]])
    assert (drift.num_crops, drift.side, drift.difference) == (2, 100, 0.25)
    assert (drift.found.num_keypoints, drift.found.median, drift.found.share_far) == (3, 1, 0)
    assert drift.found.percentile_95 == pytest.approx(1.9)  # a tenth below the largest of 0, 1, 2
    assert (drift.every.num_keypoints, drift.every.median, drift.every.share_far) == (4, 1.5, 0.25)
    assert drift.is_within(1.91)
    assert not drift.is_within(1.89)
    document = drift.as_document()
    assert document["every"]["median_of_side"] == 0.015


def test_nothing_found_is_never_within():
    drift = measure([[0, 0], [0, 0]], 0.1)
    assert not drift.is_within(1e9)
    assert drift.as_document()["found"] == {
        "num_keypoints": 0,
        "median": None,
        "percentile_95": None,
        "share_far": None,
        "median_of_side": None,
        "percentile_95_of_side": None,
    }
