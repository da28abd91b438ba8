import dataclasses

import pytest

from efficientpose.core.variants import OPENPOSE, VARIANTS, ReportedFigures, get_variant

# Groos et al. 2020, Table 2; for the Lite variants the authors' repository: resolution, high and low backbone, C, D,
# millions of parameters, GFLOPs, PCKh@50, PCKh@10.
TABLE = {
    "rt": (224, "b0", None, 40, 1, 0.46, 0.87, 82.88, 23.56),
    "i": (256, "b2", "b0", 48, 1, 0.72, 1.67, 85.18, 26.49),
    "ii": (368, "b4", "b0", 56, 2, 1.73, 7.70, 88.18, 30.17),
    "iii": (480, "b5", "b1", 64, 3, 3.23, 23.35, 89.51, 30.90),
    "iv": (600, "b7", "b3", 80, 4, 6.56, 72.89, 89.75, 35.63),
    "rt_lite": (224, "lite0", None, 40, 1, 0.40, 0.86, 80.6, 23.1),
    "i_lite": (256, "lite2", None, 48, 1, 0.59, 1.54, 83.7, 27.7),
    "ii_lite": (368, "lite4", None, 56, 2, 1.46, 7.25, 87.1, 30.8),
}
LITE = ["rt_lite", "i_lite", "ii_lite"]
TITLES = {
    "rt": "EfficientPose RT",
    "i": "EfficientPose I",
    "ii": "EfficientPose II",
    "iii": "EfficientPose III",
    "iv": "EfficientPose IV",
    "rt_lite": "EfficientPose RT Lite",
    "i_lite": "EfficientPose I Lite",
    "ii_lite": "EfficientPose II Lite",
}


def test_variants_are_the_paper_s_five_then_the_lite_ones_from_small_to_large():
    assert list(VARIANTS) == list(TABLE)


def test_openpose_is_the_paper_s_baseline_and_no_variant():
    assert (OPENPOSE.name, OPENPOSE.title, OPENPOSE.input_size) == ("openpose", "OpenPose", (368, 368))
    assert OPENPOSE.name not in VARIANTS
    assert OPENPOSE.reported == OPENPOSE.paper == ReportedFigures(25.94e6, 160.36e9, 87.6, 22.8)
    assert OPENPOSE.deployed_parameters == OPENPOSE.fixed_parameters == pytest.approx(25.940e6, abs=0.0005e6)
    assert OPENPOSE.deployed_flops == OPENPOSE.fixed_flops == pytest.approx(160.32e9, abs=0.005e9)


@pytest.mark.parametrize("name", TABLE)
def test_variant_is_as_published(name):
    variant = VARIANTS[name]
    resolution, high_arch, low_arch, channels, num_blocks, millions, giga, pckh50, pckh10 = TABLE[name]
    assert (variant.name, variant.title) == (name, TITLES[name])
    assert (variant.resolution, variant.high_arch, variant.low_arch) == (resolution, high_arch, low_arch)
    assert (variant.channels, variant.num_blocks) == (channels, num_blocks)
    assert variant.reported.parameters == pytest.approx(millions * 1e6)
    assert variant.reported.flops == pytest.approx(giga * 1e9)
    assert (variant.reported.pckh50, variant.reported.pckh10) == (pckh50, pckh10)


@pytest.mark.parametrize("name", TABLE)
def test_the_paper_has_no_figures_of_the_lite_variants(name):
    variant = VARIANTS[name]
    assert variant.is_lite == (name in LITE)
    figures = (variant.paper, variant.repository)
    assert figures == ((None, variant.reported) if variant.is_lite else (variant.reported, None))


@pytest.mark.parametrize("name", TABLE)
def test_measured_figures_agree_with_the_authors(name):
    """The repository's FLOPs of the Lite variants leave out the batch norms, which are 1.5% of a network."""
    variant = VARIANTS[name]
    assert variant.deployed_parameters == pytest.approx(variant.reported.parameters, abs=0.005e6)
    if variant.is_lite:
        assert 1.01 < variant.deployed_flops / variant.reported.flops < 1.02
    else:
        assert variant.deployed_flops == pytest.approx(variant.reported.flops, rel=0.004)


@pytest.mark.parametrize("name", TABLE)
def test_input_size_is_square_and_a_whole_number_of_cells(name):
    width, height = get_variant(name).input_size
    assert width == height == get_variant(name).resolution
    assert width % 8 == 0


def test_variant_is_found_in_upper_and_lower_case():
    assert get_variant("IV") is get_variant("iv") is VARIANTS["iv"]


@pytest.mark.parametrize("name", ["v", "", "EfficientPose RT"])
def test_unknown_variant_names_the_known_ones(name):
    with pytest.raises(
        ValueError, match=r"unknown variant '.*': choose one of rt, i, ii, iii, iv, rt_lite, i_lite, ii_lite"
    ):
        get_variant(name)


def test_variants_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        VARIANTS["rt"].channels = 48
