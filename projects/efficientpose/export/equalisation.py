"""Give the channels of a tensor similar ranges, so that one scale for all of them wastes few of 256 steps.

Between a convolution without activation and the convolutions that read it, a channel may be divided by any number if
the readers multiply their weights with it (Nagel et al., ICCV 2019, data-free quantisation). This is exact, and costs
nothing when the network runs.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from efficientpose.export.graph import INPUT_NAME, Graph, Operation
from efficientpose.export.statistics import TensorStatistics

BALANCE = 0.8
"""1 makes the ranges of values equal, 0 those of the weights that read them. From 0.5 to 1, RT Lite errs alike."""

_FIXED = 0
"""Number of all channels that must stay as they are."""


def equalise(graph: Graph, statistics: Mapping[str, TensorStatistics]) -> tuple[Graph, dict[str, TensorStatistics]]:
    """Return a network that computes the same, and the statistics of its tensors.

    Args:
        graph: The network.
        statistics: Of its tensors on real crops.
    """
    channels = _number_channels(graph)
    factors = _find_factors(graph, channels, statistics)
    by_tensor = {name: factors[numbers] for name, numbers in channels.items()}
    operations = tuple(
        _rescale(operation, by_tensor) if operation.kind == "convolution" else operation
        for operation in graph.operations
    )
    scaled = {name: each.divided(by_tensor[name]) for name, each in statistics.items()}
    return replace(graph, operations=operations), scaled


def _number_channels(graph: Graph) -> dict[str, NDArray[np.intp]]:
    """Number the channels of every tensor, (C,); those with one number must be scaled alike."""
    numbers = {INPUT_NAME: np.zeros(graph.input_shape[1], np.intp)}
    tied: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    count = _FIXED + 1
    for operation in graph.operations:
        read = [numbers[name] for name in operation.inputs]
        if operation.kind == "convolution":
            given = np.arange(count, count + operation.shape[1])
            count += operation.shape[1]
            if operation.groups > 1:
                tied.append((read[0], np.zeros_like(read[0])))
        elif operation.kind == "add":
            given = read[0]
            tied.append((read[0], read[1]))
        elif operation.kind == "concatenate":
            given = np.concatenate(read)
        else:
            given = np.zeros(operation.shape[1], np.intp)
            tied += [(each, np.zeros_like(each)) for each in read]
        if operation.name in graph.outputs:
            tied.append((given, np.zeros_like(given)))
        numbers[operation.name] = given
    left, right = (np.concatenate(side) for side in zip(*tied, strict=True))
    links = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    _, roots = connected_components(links, directed=False)
    # the fixed ones keep their number
    roots = np.where(roots == roots[_FIXED], _FIXED, roots + 1)
    return {name: roots[each] for name, each in numbers.items()}


def _find_factors(
    graph: Graph, channels: Mapping[str, NDArray[np.intp]], statistics: Mapping[str, TensorStatistics]
) -> NDArray[np.float64]:
    """Return by what the channels of each number are divided."""
    count = 1 + max(int(numbers.max()) for numbers in channels.values())
    values, weights = np.zeros(count), np.zeros(count)
    for operation in graph.operations:
        np.maximum.at(values, channels[operation.name], statistics[operation.name].largest)
        if operation.kind == "convolution" and operation.groups == 1:
            weight = np.abs(operation.weights["weight"])
            relative = weight / np.maximum(weight.max(axis=(1, 2, 3), keepdims=True), np.finfo(np.float32).tiny)
            np.maximum.at(weights, channels[operation.inputs[0]], relative.max(axis=(0, 2, 3)))
    is_usable = (values > 0) & (weights > 0)
    is_usable[_FIXED] = False
    factors = np.ones(count)
    factors[is_usable] = values[is_usable] ** BALANCE / weights[is_usable] ** (1 - BALANCE)
    return factors


def _rescale(operation: Operation, factors: Mapping[str, NDArray[np.float64]]) -> Operation:
    """Divide what a convolution computes, and undo it for what it reads."""
    given, read = factors[operation.name], factors[operation.inputs[0]]
    weight = operation.weights["weight"] / given.reshape(-1, 1, 1, 1)
    if operation.groups == 1:
        weight = weight * read.reshape(1, -1, 1, 1)
    bias = operation.weights["bias"] / given
    return replace(operation, weights={"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)})
