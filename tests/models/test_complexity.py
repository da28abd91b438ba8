"""Counts on the built networks against the released ones and the paper."""

import json

import pytest
import torch
from torch import nn

from efficientpose.core.variants import VARIANTS, Variant
from efficientpose.models.build import build_network
from efficientpose.models.complexity import CountedVariant, count_variant, print_json, print_table

DENSE_UPSAMPLER_PARAMETERS = 3 * (4 * 4 * 16 * 16 + 16)


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def counted(request: pytest.FixtureRequest) -> CountedVariant:
    return count_variant(request.param)


def test_parameters_are_exactly_the_released_graphs(counted: CountedVariant) -> None:
    variant = counted.variant
    assert counted.parameters == variant.deployed_parameters
    assert counted.fixed_parameters == variant.deployed_parameters - DENSE_UPSAMPLER_PARAMETERS


def test_flops_are_the_released_graphs_and_the_papers(counted: CountedVariant) -> None:
    variant = counted.variant
    assert counted.flops == pytest.approx(variant.measured_flops, rel=0.005)
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


def test_table_and_json_show_the_counts(capsys: pytest.CaptureFixture, counted: CountedVariant) -> None:
    variant: Variant = counted.variant
    print_json([counted])
    (document,) = json.loads(capsys.readouterr().out)
    assert document["name"] == variant.name
    assert document["input_size"] == [variant.resolution, variant.resolution]
    assert document["parameters"] == counted.parameters
    assert document["flops"] == counted.flops
    figures = {source: document[f"{source}_pckh50"] for source in ("paper", "repository")}
    known, unknown = ("repository", "paper") if variant.is_lite else ("paper", "repository")
    assert figures == {known: variant.reported.pckh50, unknown: None}
    assert document[f"{known}_parameters"] == variant.reported.parameters
    assert document[f"{unknown}_flops"] is None
    print_table([counted])
    assert f"{variant.deployed_parameters:,}" in capsys.readouterr().out
