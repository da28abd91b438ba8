"""A deployed network as a list of operations, from which the writers of file formats work."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from efficientpose.export.deployed import DeployedNetwork
from efficientpose.export.layers import NO_PADS, InputShift, PaddedConv2d, Pads, Resampling

INPUT_NAME = "images"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation; tensors are (B, channels, height, width)."""

    # a value of the two tables below. "average_pool" and "pixel_shuffle" work on squares of 2×2, "concatenate" joins
    # channels, "shift" adds ``weights["shift"]`` (1, C, 1, 1), "resample" multiplies with ``rows`` from the left and
    # ``columns`` from the right
    kind: str
    name: str  # name of its output
    inputs: tuple[str, ...]  # names of its inputs
    shape: tuple[int, ...]  # shape of its output, for a batch of one
    # a convolution's ``weight`` (out, in / groups, h, w) and ``bias`` (out,)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    pads: Pads = NO_PADS  # a convolution's, as its stride and groups
    stride: int = 1
    groups: int = 1


@dataclass(frozen=True, kw_only=True)
class Graph:
    """All operations of a network."""

    input_shape: tuple[int, ...]  # (1, 3, height, width) of "images"
    operations: tuple[Operation, ...]  # in an order in which they can run
    outputs: tuple[str, ...]  # "heatmaps" and, if exported, "pafs"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape of the input and of every operation's output, for a batch of one."""
        return {INPUT_NAME: self.input_shape} | {operation.name: operation.shape for operation in self.operations}


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        if isinstance(module, PaddedConv2d | InputShift | Resampling):
            return True
        return super().is_leaf_module(module, qualified_name)


_MODULES: Mapping[type, str] = {
    PaddedConv2d: "convolution",
    InputShift: "shift",
    Resampling: "resample",
    nn.SiLU: "silu",
    nn.Sigmoid: "sigmoid",
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.AvgPool2d: "average_pool",
    nn.PixelShuffle: "pixel_shuffle",
}
_FUNCTIONS: Mapping[Any, str] = {
    operator.add: "add",
    operator.mul: "multiply",
    torch.cat: "concatenate",
    "mean": "global_mean",
}


def trace(network: DeployedNetwork) -> Graph:
    """List a network's operations."""
    traced = fx.GraphModule(network, _Tracer().trace(network))
    width, height = network.input_size
    example = torch.zeros(1, 3, height, width)
    with torch.no_grad():
        ShapeProp(traced).propagate(example)
    nodes = list(traced.graph.nodes)
    results = nodes[-1].args[0]
    names = {node: node.name for node in nodes} | dict(zip(results, network.output_names, strict=True))
    names[nodes[0]] = INPUT_NAME
    assert nodes[0].op == "placeholder" and nodes[-1].op == "output"  # noqa: S101, PT018 - ours
    operations = tuple(_read(node, names, dict(traced.named_modules())) for node in nodes[1:-1])
    return Graph(input_shape=tuple(example.shape), operations=operations, outputs=network.output_names)


def _read(node: fx.Node, names: Mapping[fx.Node, str], modules: Mapping[str, nn.Module]) -> Operation:
    arguments = node.args[0] if node.target is torch.cat else node.args
    assert isinstance(arguments, list | tuple)  # noqa: S101 - how torch.cat is called in our layers
    inputs = tuple(names[argument] for argument in arguments if isinstance(argument, fx.Node))
    basics = dict(name=names[node], inputs=inputs, shape=tuple(node.meta["tensor_meta"].shape))
    if node.op != "call_module":
        return Operation(kind=_FUNCTIONS[node.target], **basics)  # type: ignore[arg-type]
    module = modules[str(node.target)]
    weights = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in module.state_dict().items()}
    settings = {}
    if isinstance(module, PaddedConv2d):
        settings = dict(pads=module.pads, stride=module.stride[0], groups=module.groups)
    return Operation(kind=_MODULES[type(module)], weights=weights, **basics, **settings)  # type: ignore[arg-type]
