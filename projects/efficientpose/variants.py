"""The five published networks (Groos et al. 2020, Table 2) as typed data.

Figures are the paper's; ``deployed_parameters`` and ``measured_flops`` were read off the released networks and count
the graph that runs at inference: without the prediction convolutions of the earlier passes, with dense transposed
convolutions.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class PaperFigures:
    """What the paper reports for a variant.

    ``parameters`` and ``flops`` are counts (one multiply-add is two FLOPs); ``pckh50`` and ``pckh10`` are percentages
    on the paper's own MPII validation split, with multi-scale testing.
    """

    parameters: float
    flops: float
    pckh50: float
    pckh10: float


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One published network.

    Attributes:
        name: What the command line and the configs call it.
        title: What the paper calls it.
        resolution: Side of the square input, pixels.
        high_arch: EfficientNet of the high-resolution branch.
        low_arch: EfficientNet of the branch on the halved input; None where there is none.
        channels: C, output channels of the high-resolution branch and of every convolution block in the head.
        num_blocks: D, Mobile DenseNets in each detection pass.
        deployed_parameters: Parameters and batch-norm statistics of the released inference graph.
        measured_flops: Counted on the released inference graph.
        paper: Figures from the paper's Table 2.
    """

    name: str
    title: str
    resolution: int
    high_arch: str
    low_arch: str | None
    channels: int
    num_blocks: int
    deployed_parameters: int
    measured_flops: float
    paper: PaperFigures

    @property
    def input_size(self) -> tuple[int, int]:
        """Network input (width, height), pixels."""
        return (self.resolution, self.resolution)


VARIANTS: Final = {
    variant.name: variant
    for variant in (
        Variant(
            name="rt",
            title="EfficientPose RT",
            resolution=224,
            high_arch="b0",
            low_arch=None,
            channels=40,
            num_blocks=1,
            deployed_parameters=460_284,
            measured_flops=0.873e9,
            paper=PaperFigures(parameters=0.46e6, flops=0.87e9, pckh50=82.88, pckh10=23.56),
        ),
        Variant(
            name="i",
            title="EfficientPose I",
            resolution=256,
            high_arch="b2",
            low_arch="b0",
            channels=48,
            num_blocks=1,
            deployed_parameters=719_736,
            measured_flops=1.672e9,
            paper=PaperFigures(parameters=0.72e6, flops=1.67e9, pckh50=85.18, pckh10=26.49),
        ),
        Variant(
            name="ii",
            title="EfficientPose II",
            resolution=368,
            high_arch="b4",
            low_arch="b0",
            channels=56,
            num_blocks=2,
            deployed_parameters=1_732_944,
            measured_flops=7.688e9,
            paper=PaperFigures(parameters=1.73e6, flops=7.70e9, pckh50=88.18, pckh10=30.17),
        ),
        Variant(
            name="iii",
            title="EfficientPose III",
            resolution=480,
            high_arch="b5",
            low_arch="b1",
            channels=64,
            num_blocks=3,
            deployed_parameters=3_229_772,
            measured_flops=23.30e9,
            paper=PaperFigures(parameters=3.23e6, flops=23.35e9, pckh50=89.51, pckh10=30.90),
        ),
        Variant(
            name="iv",
            title="EfficientPose IV",
            resolution=600,
            high_arch="b7",
            low_arch="b3",
            channels=80,
            num_blocks=4,
            deployed_parameters=6_560_938,
            measured_flops=72.75e9,
            paper=PaperFigures(parameters=6.56e6, flops=72.89e9, pckh50=89.75, pckh10=35.63),
        ),
    )
}


def get_variant(name: str) -> Variant:
    """Return the variant called ``name`` (upper or lower case).

    Raises:
        ValueError: If there is no such variant.
    """
    try:
        return VARIANTS[name.lower()]
    except KeyError:
        raise ValueError(f"unknown variant {name!r}: choose one of {', '.join(VARIANTS)}") from None
