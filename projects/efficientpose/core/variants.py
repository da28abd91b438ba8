"""The published networks as typed data: the paper's five (Groos et al. 2020, Table 2) and the Lite ones released later.

Figures are the authors'; ``deployed_parameters`` and ``measured_flops`` were read off the released networks and count
the graph that runs at inference: without the prediction convolutions of the earlier passes, with dense transposed
convolutions.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class ReportedFigures:
    """What the authors report for a variant.

    ``parameters`` and ``flops`` are counts (one multiply-add is two FLOPs); ``pckh50`` and ``pckh10`` are percentages
    on MPII validation. The paper's are of its own split, with multi-scale testing. The repository's FLOPs are those of
    convolutions alone; the paper's and ours count batch norms as well, 1.5% more.
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
        high_arch: EfficientNet of the high-resolution branch, an EfficientNet-Lite in the Lite variants.
        low_arch: EfficientNet of the branch on the halved input; None where there is none.
        channels: C, output channels of the high-resolution branch and of every convolution block in the head.
        num_blocks: D, Mobile DenseNets in each detection pass.
        deployed_parameters: Parameters and batch-norm statistics of the released inference graph.
        measured_flops: Counted on the released inference graph.
        paper: Figures from the paper's Table 2; None for the Lite variants, which it does not have.
        repository: Figures from the authors' repository, of the Lite variants; None where the paper has them.
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
    paper: ReportedFigures | None = None
    repository: ReportedFigures | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """Network input (width, height), pixels."""
        return (self.resolution, self.resolution)

    @property
    def is_lite(self) -> bool:
        """Whether it has ReLU6 and no squeeze-and-excitation, and reads pixels scaled to −1 to 1."""
        return self.high_arch.startswith("lite")

    @property
    def reported(self) -> ReportedFigures:
        """The paper's figures, or the repository's where the paper has none."""
        figures = self.paper or self.repository
        if figures is None:
            raise ValueError(f"{self.name} has no reported figures: give its paper's or its repository's")
        return figures


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
            paper=ReportedFigures(parameters=0.46e6, flops=0.87e9, pckh50=82.88, pckh10=23.56),
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
            paper=ReportedFigures(parameters=0.72e6, flops=1.67e9, pckh50=85.18, pckh10=26.49),
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
            paper=ReportedFigures(parameters=1.73e6, flops=7.70e9, pckh50=88.18, pckh10=30.17),
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
            paper=ReportedFigures(parameters=3.23e6, flops=23.35e9, pckh50=89.51, pckh10=30.90),
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
            paper=ReportedFigures(parameters=6.56e6, flops=72.89e9, pckh50=89.75, pckh10=35.63),
        ),
        Variant(
            name="rt_lite",
            title="EfficientPose RT Lite",
            resolution=224,
            high_arch="lite0",
            low_arch=None,
            channels=40,
            num_blocks=1,
            deployed_parameters=404_608,
            measured_flops=0.873e9,
            repository=ReportedFigures(parameters=0.40e6, flops=0.86e9, pckh50=80.6, pckh10=23.1),
        ),
        Variant(
            name="i_lite",
            title="EfficientPose I Lite",
            resolution=256,
            high_arch="lite2",
            low_arch=None,
            channels=48,
            num_blocks=1,
            deployed_parameters=591_632,
            measured_flops=1.563e9,
            repository=ReportedFigures(parameters=0.59e6, flops=1.54e9, pckh50=83.7, pckh10=27.7),
        ),
        Variant(
            name="ii_lite",
            title="EfficientPose II Lite",
            resolution=368,
            high_arch="lite4",
            low_arch=None,
            channels=56,
            num_blocks=2,
            deployed_parameters=1_464_960,
            measured_flops=7.354e9,
            repository=ReportedFigures(parameters=1.46e6, flops=7.25e9, pckh50=87.1, pckh10=30.8),
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
