"""The published networks: the paper's five (Groos et al. 2020, Table 2) and the Lite ones released later."""

from dataclasses import dataclass, replace
from typing import Any, Final

_TRANSPOSED_WEIGHTS = 4 * 4 * 16 * 16  # of each transposed convolution, 16 keypoints to 16


@dataclass(frozen=True)
class ReportedFigures:
    """What the authors report for a variant.

    The paper's scores are of its own split, with multi-scale testing. The repository's FLOPs are those of convolutions
    alone; the paper's and ours count batch norms as well, 1.5% more.
    """

    parameters: float
    flops: float  # two per multiply-add
    pckh50: float  # PCKh@50 on MPII validation, percent
    pckh10: float


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One published network.

    ``deployed_parameters`` and ``deployed_flops`` are those of the released inference graph: with batch-norm statistics
    and dense transposed convolutions, without the earlier passes' prediction convolutions. Tests count them.
    """

    name: str  # in the command line and the configs
    title: str  # in the paper
    resolution: int  # side of the square input, pixels
    high_arch: str  # EfficientNet of the high-resolution branch, an EfficientNet-Lite in the Lite variants
    low_arch: str | None  # EfficientNet of the branch on the halved input; None where there is none
    channels: int  # C, of the high-resolution branch's output and of every convolution block in the head
    num_blocks: int  # D, Mobile DenseNets in each detection pass
    deployed_parameters: int
    deployed_flops: int
    paper: ReportedFigures | None = None  # Table 2, which has no Lite variants
    repository: ReportedFigures | None = None  # the authors' repository, of the Lite variants
    is_upsampled: bool = True  # to the input's resolution

    @property
    def input_size(self) -> tuple[int, int]:
        """Network input (width, height), pixels."""
        return (self.resolution, self.resolution)

    @property
    def fixed_parameters(self) -> int:
        """``deployed_parameters`` with our fixed upsampling, which learns nothing."""
        return self.deployed_parameters - self.is_upsampled * 3 * (_TRANSPOSED_WEIGHTS + 16)

    @property
    def fixed_flops(self) -> int:
        """``deployed_flops`` without the dense transposed convolutions, which read 1, 4 and 16 times the cells."""
        cells = self.is_upsampled * (self.resolution // 8) ** 2
        return self.deployed_flops - 2 * _TRANSPOSED_WEIGHTS * cells * (1 + 4 + 16)

    @property
    def is_lite(self) -> bool:
        """Whether it has ReLU6 and no squeeze-and-excitation, and reads pixels scaled to −1 to 1."""
        return self.high_arch.startswith("lite")

    @property
    def reported(self) -> ReportedFigures:
        """The paper's figures, or the repository's where the paper has none."""
        figures = self.paper or self.repository
        assert figures is not None, self.name  # noqa: S101 - every variant has one
        return figures


_FIELDS = (
    *("name", "resolution", "high_arch", "low_arch", "channels", "num_blocks"),
    *("deployed_parameters", "deployed_flops"),
)
_ROWS = (
    ("paper", ("rt", 224, "b0", None, 40, 1, 460_284, 873_054_976), (0.46e6, 0.87e9, 82.88, 23.56)),
    ("paper", ("i", 256, "b2", "b0", 48, 1, 719_736, 1_671_994_624), (0.72e6, 1.67e9, 85.18, 26.49)),
    ("paper", ("ii", 368, "b4", "b0", 56, 2, 1_732_944, 7_688_046_272), (1.73e6, 7.70e9, 88.18, 30.17)),
    ("paper", ("iii", 480, "b5", "b1", 64, 3, 3_229_772, 23_296_397_696), (3.23e6, 23.35e9, 89.51, 30.90)),
    ("paper", ("iv", 600, "b7", "b3", 80, 4, 6_560_938, 72_749_640_800), (6.56e6, 72.89e9, 89.75, 35.63)),
    ("repository", ("rt_lite", 224, "lite0", None, 40, 1, 404_608, 872_949_504), (0.40e6, 0.86e9, 80.6, 23.1)),
    ("repository", ("i_lite", 256, "lite2", None, 48, 1, 591_632, 1_563_361_280), (0.59e6, 1.54e9, 83.7, 27.7)),
    ("repository", ("ii_lite", 368, "lite4", None, 56, 2, 1_464_960, 7_354_064_896), (1.46e6, 7.25e9, 87.1, 30.8)),
)


def _make(source: str, row: tuple, figures: tuple[float, float, float, float]) -> Variant:
    fields: dict[str, Any] = {**dict(zip(_FIELDS, row, strict=True)), source: ReportedFigures(*figures)}
    numeral, *lite = row[0].split("_")
    title = " ".join(("EfficientPose", numeral.upper(), *(word.title() for word in lite)))
    return Variant(title=title, **fields)


VARIANTS: Final = {variant.name: variant for variant in (_make(*row) for row in _ROWS)}

# The paper's baseline, whose biases count as batch norms do. Its trained weights were not released.
_OPENPOSE_ROW = ("openpose", 368, "vgg19", None, 128, 5, 25_939_664, 160_322_311_808)
OPENPOSE: Final = replace(
    _make("paper", _OPENPOSE_ROW, (25.94e6, 160.36e9, 87.6, 22.8)), title="OpenPose", is_upsampled=False
)


def get_variant(name: str) -> Variant:
    """Return the variant called ``name`` (upper or lower case).

    Raises:
        ValueError: If there is no such variant.
    """
    try:
        return VARIANTS[name.lower()]
    except KeyError:
        raise ValueError(f"unknown variant {name!r}: choose one of {', '.join(VARIANTS)}") from None
