"""Time several ways in turn: a slow moment of the machine then hits all of them, and ratios keep."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Final, NamedTuple, TypeVar

import numpy as np

Key = TypeVar("Key", bound=Hashable)
Clock = Callable[[], float]

PAUSE: Final = 0.005  # seconds before each run: engines keep their threads spinning for a moment after they are done


class Spread(NamedTuple):
    """Median and quartiles of several runs, milliseconds."""

    median: float
    lower: float
    upper: float


class Timing(NamedTuple):
    """Time of one way: that passed, and that all threads worked, in sum, which other load touches less."""

    wall: Spread
    cpu: Spread


class Clocks(NamedTuple):
    """Where time comes from, all in seconds."""

    wall: Clock = time.perf_counter
    cpu: Clock = time.process_time
    sleep: Callable[[float], None] = time.sleep


def time_in_turn(
    ways: Mapping[Key, Callable[[], object]], *, rounds: int, warm_up: int = 2, clocks: Clocks | None = None
) -> dict[Key, Timing]:
    """Run each way once a round, every round beginning with another one; rounds of warm-up do not count."""
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more, got {rounds}")
    now = clocks or Clocks()
    keys = list(ways)
    wall: dict[Key, list[float]] = {key: [] for key in keys}
    cpu: dict[Key, list[float]] = {key: [] for key in keys}
    for number in range(-warm_up, rounds):
        start = number % len(keys)
        for key in keys[start:] + keys[:start]:
            now.sleep(PAUSE)
            wall_start, cpu_start = now.wall(), now.cpu()
            ways[key]()
            cpu_end, wall_end = now.cpu(), now.wall()
            if number >= 0:
                wall[key].append(wall_end - wall_start)
                cpu[key].append(cpu_end - cpu_start)
    return {key: Timing(wall=find_spread(wall[key]), cpu=find_spread(cpu[key])) for key in keys}


def find_spread(seconds: list[float]) -> Spread:
    """Return median and quartiles in milliseconds."""
    lower, median, upper = (float(value) for value in 1000 * np.percentile(seconds, (25, 50, 75)))
    return Spread(median=median, lower=lower, upper=upper)
