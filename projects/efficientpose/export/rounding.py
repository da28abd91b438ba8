"""Numbers of eight bits for weights and for the values between layers."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.export.graph import Operation
from efficientpose.export.statistics import TensorStatistics

Floats = NDArray[np.float32]

LARGEST_WEIGHT: Final = 127
"""Weights are -127 to 127; -128 has no opposite."""

LARGEST_VALUE: Final = 255
"""Values are 0 to 255, with a zero that is exact, because padding is zero."""

_LARGEST_BIAS: Final = 2**30
_NUM_VALUES: Final = 65_536
_SHARES: Final = np.linspace(0.3, 1, 29)
_DAMPING: Final = 0.01
"""Of the mean square of the inputs; without it the rounding fits the sample's noise."""


class ValueScale(NamedTuple):
    """A value is ``scale`` · (q - ``zero``), with q of 0 to 255."""

    scale: np.float32
    zero: np.uint8


class QuantisedConvolution(NamedTuple):
    """Weights of a convolution.

    Attributes:
        weight: (out, in / groups, h, w) int8.
        scales: (out,) of the weights.
        bias: (out,) int32, in steps of ``scales`` times the input's scale.
    """

    weight: NDArray[np.int8]
    scales: Floats
    bias: NDArray[np.int32]


def find_scale(statistics: TensorStatistics) -> ValueScale:
    """Return the scale by which a tensor's values have the least square error.

    What exceeds the range is cut off; steps are fine for the many small values where few large ones are cut.
    """
    sample = statistics.sample.ravel()
    step = max(len(sample) // _NUM_VALUES, 1)
    values = sample[::step]
    low, high = min(float(statistics.low.min()), 0.0), max(float(statistics.high.max()), 0.0)
    candidates = [_make_scale(low * share, high * share) for share in _SHARES]
    errors = [np.square(_round_values(values, each) - values).mean() for each in candidates]
    return candidates[int(np.argmin(errors))]


def _make_scale(low: float, high: float) -> ValueScale:
    scale = max((high - low) / LARGEST_VALUE, float(np.finfo(np.float32).tiny))
    return ValueScale(np.float32(scale), np.uint8(np.clip(round(-low / scale), 0, LARGEST_VALUE)))


def _round_values(values: Floats, scale: ValueScale) -> Floats:
    zero = np.float32(scale.zero)
    rounded: Floats = (np.clip(np.rint(values / scale.scale) + zero, 0, LARGEST_VALUE) - zero) * scale.scale
    return rounded


def quantise_convolution(operation: Operation, read: TensorStatistics, read_scale: ValueScale) -> QuantisedConvolution:
    """Round a convolution's weights so that what it computes changes least.

    Args:
        operation: The convolution.
        read: Statistics of what it reads.
        read_scale: Of what it reads.
    """
    weight, bias = operation.weights["weight"], operation.weights["bias"]
    largest = np.abs(weight).max(axis=(1, 2, 3))
    # a channel of tiny weights and a real bias would need a bias of more than 32 bits
    floor = np.maximum(np.abs(bias) / (_LARGEST_BIAS * float(read_scale.scale)), np.finfo(np.float32).tiny)
    scales = np.maximum(largest / LARGEST_WEIGHT, floor).astype(np.float32)
    if operation.groups == 1 and weight.shape[2:] == (1, 1):
        rounded = _round_passing_errors(weight[:, :, 0, 0], scales, read.sample)[:, :, None, None]
    else:
        rounded = np.clip(np.rint(weight / scales.reshape(-1, 1, 1, 1)), -LARGEST_WEIGHT, LARGEST_WEIGHT)
    missing = (weight - rounded * scales.reshape(-1, 1, 1, 1)).sum(axis=(2, 3))
    corrected = bias + (missing @ read.mean if operation.groups == 1 else missing[:, 0] * read.mean)
    steps = np.rint(corrected.astype(np.float64) / (scales.astype(np.float64) * float(read_scale.scale)))
    limit = 2 * _LARGEST_BIAS - 1
    return QuantisedConvolution(rounded.astype(np.int8), scales, np.clip(steps, -limit, limit).astype(np.int32))


def _round_passing_errors(weight: Floats, scales: Floats, sample: Floats) -> NDArray[np.float64]:
    """Round a matrix column by column, each error made up for by the columns still to come.

    This is GPTQ (Frantar et al., ICLR 2023): with H the mean of x xᵀ over what is read, the best compensation of an
    error in one column is read off the Cholesky factor of the inverse of H.

    Args:
        weight: (out, in).
        scales: (out,).
        sample: (in, S).
    """
    inputs = sample.astype(np.float64)
    squares = inputs @ inputs.T / inputs.shape[1]
    squares += np.eye(len(squares)) * (_DAMPING * np.diag(squares).mean() + np.finfo(np.float32).tiny)
    order = np.argsort(-np.diag(squares))
    compensation = np.linalg.cholesky(np.linalg.inv(squares[np.ix_(order, order)])).T
    remaining = weight.astype(np.float64)[:, order]
    rounded = np.empty_like(remaining)
    for column in range(remaining.shape[1]):
        steps = np.rint(remaining[:, column] / scales)
        rounded[:, column] = np.clip(steps, -LARGEST_WEIGHT, LARGEST_WEIGHT)
        error = (remaining[:, column] - rounded[:, column] * scales) / compensation[column, column]
        remaining[:, column + 1 :] -= error[:, None] * compensation[column, column + 1 :]
    restored = np.empty_like(rounded)
    restored[:, order] = rounded
    return restored
