import dataclasses

import pytest

from efficientpose.variants import VARIANTS, get_variant

# Groos et al. 2020, Table 2: resolution, high and low backbone, C, D, millions of parameters, GFLOPs, PCKh@50, PCKh@10.
TABLE_2 = {
    "rt": (224, "b0", None, 40, 1, 0.46, 0.87, 82.88, 23.56),
    "i": (256, "b2", "b0", 48, 1, 0.72, 1.67, 85.18, 26.49),
    "ii": (368, "b4", "b0", 56, 2, 1.73, 7.70, 88.18, 30.17),
    "iii": (480, "b5", "b1", 64, 3, 3.23, 23.35, 89.51, 30.90),
    "iv": (600, "b7", "b3", 80, 4, 6.56, 72.89, 89.75, 35.63),
}


def test_variants_are_the_paper_s_five_from_small_to_large():
    assert list(VARIANTS) == list(TABLE_2)


@pytest.mark.parametrize("name", TABLE_2)
def test_variant_is_as_published(name):
    variant = VARIANTS[name]
    resolution, high_arch, low_arch, channels, num_blocks, millions, giga, pckh50, pckh10 = TABLE_2[name]
    assert (variant.name, variant.title) == (name, f"EfficientPose {name.upper()}")
    assert (variant.resolution, variant.high_arch, variant.low_arch) == (resolution, high_arch, low_arch)
    assert (variant.channels, variant.num_blocks) == (channels, num_blocks)
    assert variant.paper.parameters == pytest.approx(millions * 1e6)
    assert variant.paper.flops == pytest.approx(giga * 1e9)
    assert (variant.paper.pckh50, variant.paper.pckh10) == (pckh50, pckh10)


@pytest.mark.parametrize("name", TABLE_2)
def test_measured_figures_agree_with_the_paper_s(name):
    variant = VARIANTS[name]
    assert variant.deployed_parameters == pytest.approx(variant.paper.parameters, abs=0.005e6)
    assert variant.measured_flops == pytest.approx(variant.paper.flops, rel=0.004)


@pytest.mark.parametrize("name", TABLE_2)
def test_input_size_is_square_and_a_whole_number_of_cells(name):
    width, height = get_variant(name).input_size
    assert width == height == get_variant(name).resolution
    assert width % 8 == 0


def test_variant_is_found_in_upper_and_lower_case():
    assert get_variant("IV") is get_variant("iv") is VARIANTS["iv"]


@pytest.mark.parametrize("name", ["v", "", "EfficientPose RT"])
def test_unknown_variant_names_the_known_ones(name):
    with pytest.raises(ValueError, match=r"unknown variant '.*': choose one of rt, i, ii, iii, iv"):
        get_variant(name)


def test_variants_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        VARIANTS["rt"].channels = 48
