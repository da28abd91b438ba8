"""Quantise a network to eight bits after training: which parts, by which scales, with which weights."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from efficientpose.export.equalisation import equalise
from efficientpose.export.graph import Graph, Operation
from efficientpose.export.rounding import QuantisedConvolution, ValueScale, find_scale, quantise_convolution
from efficientpose.export.statistics import Floats, collect_statistics

INT8_KINDS: Final = frozenset({"add", "average_pool", "concatenate", "convolution", "relu", "relu6"})
"""What is computed in eight bits."""

_FIRST_LAYERS: Final = re.compile(r"branches_\d+_[01]_")
"""The stem and the first bottleneck of a branch. Their errors go through all the rest, and few channels at a high
resolution gain nothing in eight bits: left in float32, I Lite drifts by a fifth less and is 1.1 times as fast."""


@dataclass(frozen=True, kw_only=True)
class QuantisedGraph:
    """A network of which parts are computed in eight bits.

    Attributes:
        graph: The network with float32 weights.
        int8_operations: Names of the operations computed in eight bits.
        scales: Of every tensor that one of them reads or computes.
        convolutions: Weights of those that are convolutions.
        merged: Convolution → the activation that is left out behind it, because the range of its values does the same.
    """

    graph: Graph
    int8_operations: frozenset[str]
    scales: Mapping[str, ValueScale]
    convolutions: Mapping[str, QuantisedConvolution]
    merged: Mapping[str, str]


def quantise(graph: Graph, images: Sequence[Floats]) -> QuantisedGraph:
    """Quantise a network.

    Args:
        graph: The network.
        images: Crops as it takes them, (3, H, W) each.
    """
    balanced, statistics = equalise(graph, collect_statistics(graph, images))
    chosen = find_int8_operations(balanced)
    merged = _find_merged(balanced, chosen)
    tensors: dict[str, None] = {}
    for operation in balanced.operations:
        if operation.name in chosen:
            tensors |= dict.fromkeys(operation.inputs)
            tensors[operation.name] = None
    scales = {name: find_scale(statistics[name]) for name in tensors if name not in merged}
    convolutions = {
        operation.name: quantise_convolution(operation, statistics[operation.inputs[0]], scales[operation.inputs[0]])
        for operation in balanced.operations
        if operation.kind == "convolution" and operation.name in chosen
    }
    return QuantisedGraph(
        graph=balanced, int8_operations=chosen, scales=scales, convolutions=convolutions, merged=merged
    )


def find_int8_operations(graph: Graph) -> frozenset[str]:
    """Return the names of the operations to compute in eight bits.

    Not: the first layers of the backbone; the convolutions that predict the maps, because a peak is told from its
    neighbours by less than one of 256 steps; maps of one cell, the gates of squeeze-and-excitation, which cost nothing
    and scale whole channels; and what the normalisation of the input adds.
    """
    return frozenset(
        operation.name
        for operation in graph.operations
        if operation.kind in INT8_KINDS
        and operation.shape[2:] != (1, 1)
        and operation.name not in graph.outputs
        and not _FIRST_LAYERS.match(operation.name)
    )


def _find_merged(graph: Graph, chosen: frozenset[str]) -> dict[str, str]:
    readers: dict[str, list[Operation]] = {}
    for operation in graph.operations:
        for name in operation.inputs:
            readers.setdefault(name, []).append(operation)
    merged = {}
    for operation in graph.operations:
        following = readers.get(operation.name, [])
        if operation.kind == "convolution" and operation.name in chosen and len(following) == 1:
            (activation,) = following
            if activation.kind in {"relu", "relu6"} and activation.name in chosen:
                merged[operation.name] = activation.name
    return merged
