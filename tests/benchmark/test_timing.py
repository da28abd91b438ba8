"""Timing with a clock that is set by hand."""

import pytest

from efficientpose.benchmark.timing import PAUSE, Clocks, find_spread, time_in_turn


class FakeTime:
    """Ways move the clocks: the wall's by what they take, the processors' by twice that."""

    def __init__(self):
        self.wall = self.cpu = 0.0
        self.order = []

    def way(self, name, durations):
        left = iter(durations)

        def run():
            self.order.append(name)
            duration = next(left)
            self.wall += duration
            self.cpu += 2 * duration

        return run

    @property
    def clocks(self):
        return Clocks(wall=lambda: self.wall, cpu=lambda: self.cpu, sleep=self.sleep)

    def sleep(self, seconds):
        assert seconds == PAUSE
        self.wall += seconds


def test_ways_take_turns_and_every_round_begins_with_another():
    time = FakeTime()
    ways = {name: time.way(name, [0.01] * 5) for name in "abc"}
    time_in_turn(ways, rounds=3, warm_up=2, clocks=time.clocks)
    # rounds -2, -1 (warm-up), 0, 1, 2 begin with way number -2 % 3 = 1, 2, 0, 1, 2
    assert "".join(time.order) == "bcacababcbcacab"


def test_medians_and_quartiles_without_warm_up_and_pauses():
    time = FakeTime()
    # the first 100 s are warm-up; of 1, 2, 3, 4, 5 ms the quartiles are 2 and 4
    ways = {"one": time.way("one", [100, 0.005, 0.001, 0.003, 0.002, 0.004]), "two": time.way("two", [9] * 6)}
    timings = time_in_turn(ways, rounds=5, warm_up=1, clocks=time.clocks)
    assert timings["one"].wall == pytest.approx((3, 2, 4))
    assert timings["one"].cpu == pytest.approx((6, 4, 8))
    assert timings["two"].wall == pytest.approx((9000, 9000, 9000))


def test_spread_between_values():
    # at a quarter of 10, 20, 30, 40 lies 10 + 0.75 · 10
    assert find_spread([0.04, 0.01, 0.03, 0.02]) == pytest.approx((25, 17.5, 32.5))


def test_a_failing_way_is_not_hidden():
    def fail():
        raise RuntimeError("broken engine")

    with pytest.raises(RuntimeError, match="broken engine"):
        time_in_turn({"one": fail}, rounds=1)


def test_no_rounds():
    with pytest.raises(ValueError, match="rounds must be 1 or more, got 0"):
        time_in_turn({"one": print}, rounds=0)
