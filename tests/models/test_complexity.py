"""Counts on the built networks against the released ones and the paper."""

import json

import pytest

from efficientpose.models.complexity import count_complexity
from efficientpose.models.table import CountedVariant, print_json, print_table
from efficientpose.variants import VARIANTS, Variant

DENSE_UPSAMPLER_PARAMETERS = 3 * (4 * 4 * 16 * 16 + 16)


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def counted(request: pytest.FixtureRequest) -> CountedVariant:
    return CountedVariant(request.param, count_complexity(request.param))


def test_parameters_are_exactly_the_released_graphs(counted: CountedVariant) -> None:
    variant, complexity = counted
    assert complexity.parameters == variant.deployed_parameters
    assert complexity.fixed_parameters == variant.deployed_parameters - DENSE_UPSAMPLER_PARAMETERS


def test_flops_are_the_released_graphs_and_the_papers(counted: CountedVariant) -> None:
    variant, complexity = counted
    assert complexity.flops == pytest.approx(variant.measured_flops, rel=0.005)
    assert complexity.flops == pytest.approx(variant.paper.flops, rel=0.01)


def test_fixed_upsampling_saves_the_dense_convolutions(counted: CountedVariant) -> None:
    variant, complexity = counted
    cells = (variant.resolution // 8) ** 2
    transposed = 2 * 4 * 4 * 16 * 16 * cells * (1 + 4 + 16)
    assert complexity.flops - complexity.fixed_flops == transposed


def test_table_and_json_show_the_counts(capsys: pytest.CaptureFixture, counted: CountedVariant) -> None:
    variant: Variant = counted.variant
    print_json([counted])
    (document,) = json.loads(capsys.readouterr().out)
    assert document["name"] == variant.name
    assert document["input_size"] == [variant.resolution, variant.resolution]
    assert document["parameters"] == counted.counted.parameters
    assert document["flops"] == counted.counted.flops
    print_table([counted])
    assert f"{variant.deployed_parameters:,}" in capsys.readouterr().out
