"""Counts on the built networks against the released ones and the paper."""

from typing import NamedTuple

import pytest
import torch
from torch import nn

from efficientpose.core.variants import VARIANTS, Variant
from efficientpose.models.build import build_network

RELEASED_GFLOPS = {  # measured on the released inference graphs
    **{"rt": 0.873, "i": 1.672, "ii": 7.688, "iii": 23.30, "iv": 72.75},
    **{"rt_lite": 0.873, "i_lite": 1.563, "ii_lite": 7.354},
}
DENSE_UPSAMPLER_PARAMETERS = 3 * (4 * 4 * 16 * 16 + 16)


class CountedVariant(NamedTuple):
    """A variant and the counts of its deployed graph; ``fixed_`` ones have fixed upsampling, as our networks."""

    variant: Variant
    parameters: int
    flops: int
    fixed_parameters: int
    fixed_flops: int


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def counted(request: pytest.FixtureRequest, count_parameters, count_flops) -> CountedVariant:
    counts = []
    for upsampling in ("transposed_conv", "bilinear"):
        network = build_network(request.param.name, upsampling=upsampling)
        counts += [count_parameters(network), count_flops(network, request.param.input_size)]
    return CountedVariant(request.param, *counts)


def test_parameters_are_exactly_the_released_graphs(counted: CountedVariant) -> None:
    variant = counted.variant
    assert counted.parameters == variant.deployed_parameters
    assert counted.fixed_parameters == variant.deployed_parameters - DENSE_UPSAMPLER_PARAMETERS
    assert counted.fixed_parameters == variant.fixed_parameters


def test_flops_are_the_released_graphs_and_the_papers(counted: CountedVariant) -> None:
    variant = counted.variant
    assert counted.flops == variant.deployed_flops == pytest.approx(RELEASED_GFLOPS[variant.name] * 1e9, rel=0.0007)
    assert counted.fixed_flops == variant.fixed_flops
    assert counted.flops == pytest.approx(variant.reported.flops, rel=0.02 if variant.is_lite else 0.01)


def plain_convolution_flops(variant: Variant) -> int:
    """Two per multiply-add of every convolution of the deployed graph, from the shapes of outputs and kernels."""
    network = build_network(variant.name, upsampling="transposed_conv").eval()
    total = 0

    def add(module: nn.Conv2d | nn.ConvTranspose2d, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal total
        positions = (inputs[0] if isinstance(module, nn.ConvTranspose2d) else output)[0, 0].numel()
        total += 2 * positions * module.weight.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(add)
    with torch.inference_mode():
        network.head.forward_deployed(network.extract_feat(torch.zeros(1, 3, *variant.input_size)))
    return total


@pytest.mark.parametrize("name", ["rt_lite", "i_lite", "ii_lite"])
def test_the_repository_counts_the_lite_variants_convolutions_alone(name: str) -> None:
    variant = VARIANTS[name]
    assert plain_convolution_flops(variant) == pytest.approx(variant.reported.flops, abs=0.005e9)


def test_fixed_upsampling_saves_the_dense_convolutions(counted: CountedVariant) -> None:
    cells = (counted.variant.resolution // 8) ** 2
    transposed = 2 * 4 * 4 * 16 * 16 * cells * (1 + 4 + 16)
    assert counted.flops - counted.fixed_flops == transposed
