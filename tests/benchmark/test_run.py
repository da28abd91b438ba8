"""Ratios and shares worked by hand."""

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from efficientpose.benchmark.contenders import Contender
from efficientpose.benchmark.plan import RELEASED, Case
from efficientpose.benchmark.run import Rate, Shifts, find_rate, find_shifts, make_products, make_rows
from efficientpose.benchmark.timing import Spread, Timing
from efficientpose.core.variants import get_variant
from efficientpose.inference.sample_crops import Crops

RT = get_variant("rt")
BASE = Case(variant="rt", engine=RELEASED, precision="float32", threads=2)
OURS = Case(variant="rt", engine="openvino", precision="float32", threads=2)


def timing(wall, cpu):
    return Timing(wall=Spread(wall, wall, wall), cpu=Spread(cpu, cpu, cpu))


def contender(offset):
    return Contender(
        network=print,
        end_to_end=print,
        find_in_crop=lambda crop: np.zeros((16, 2)) + crop[0, 0, 0] + offset,
        find_in_image=lambda: np.zeros((16, 2)) + 10 * offset,
    )


def test_ratios_and_shares():
    timings = {
        (BASE, "network"): timing(8.0, 16.0),
        (BASE, "end_to_end"): timing(90.0, 100.0),
        (OURS, "network"): timing(6.0, 10.0),
        (OURS, "end_to_end"): timing(15.0, 25.0),
    }
    contenders = {BASE: contender(0), OURS: contender(0)}
    shifts = {BASE: Shifts(0.0, 0.0, 0.0), OURS: Shifts(0.5, 2.0, 1.0)}
    base, ours = make_rows(
        contenders, timings, variant=RT, flops=0.72e9, batch=2, peak=Rate(wall=480.0, cpu=288.0), shifts=shifts
    )
    assert (base.network_ratio, base.end_to_end_ratio, base.network_cpu_ratio, base.end_to_end_cpu_ratio) == (
        1,
        1,
        1,
        1,
    )
    assert ours.network_ratio == 0.75
    assert ours.end_to_end_ratio == pytest.approx(1 / 6)
    assert ours.network_cpu_ratio == 0.625
    assert ours.end_to_end_cpu_ratio == 0.25
    # two crops of 0.72 G in 6 ms are 240 G a second, half of 480; in 10 ms of processors 144 G, half of 288
    assert ours.share_of_peak == pytest.approx(0.5)
    assert ours.share_of_peak_cpu == pytest.approx(0.5)
    # the released network upsamples: two times 0.873055 G in 8 ms are 218.26 G a second
    assert base.share_of_peak == pytest.approx(218.264 / 480, rel=1e-5)
    assert (ours.crop_shift, ours.picture_shift, ours.picture_shift_median) == (0.5, 2.0, 1.0)
    (alone, _) = make_rows(contenders, timings, variant=RT, flops=1, batch=1, peak=None, shifts=shifts)
    assert alone.share_of_peak is None


def test_shifts_are_to_the_first_one():
    crops = Crops(np.full((2, 224, 224, 3), 7, np.uint8), "grey")
    shifts = find_shifts({BASE: contender(0), OURS: contender(3)}, crops, side=224, image_size=(448, 300))
    assert shifts[BASE] == (0, 0, 0)
    # 3 in x and y on the crop; 30 in x and y of a picture of 448 pixels, which are 15 of the network's 224
    np.testing.assert_allclose(shifts[OURS], (np.hypot(3, 3), np.hypot(15, 15), np.hypot(15, 15)))


def test_rates():
    # 1200 million in 100 ms that passed, and 200 ms of processors
    assert find_rate(timing(100.0, 200.0), flops=1.2e9) == pytest.approx((12.0, 6.0))


def test_products_multiply_as_often_as_they_say():
    for product in make_products().values():
        counter = FlopCounterMode(display=False)
        with counter:
            product.run()
        assert counter.get_total_flops() == product.flops
