"""From stride 8 to every input pixel: three doublings.

Output pixels 2j and 2j + 1 of a doubling lie a quarter of a cell before and behind the centre of cell j. After three,
cell j is centred on output index 8j + 3.5.
"""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

BILINEAR_TAPS = (0.25, 0.75, 0.75, 0.25)


def bilinear_kernel() -> Tensor:
    """Return the (4, 4) kernel of a transposed convolution with stride 2 that interpolates bilinearly."""
    taps = torch.tensor(BILINEAR_TAPS)
    return torch.outer(taps, taps)


class BilinearUpsampler(BaseModule):
    """Fixed upsampling by 2 ** ``num_doublings``, each heatmap on its own, zero beyond the border.

    Equal to :class:`TransposedConvUpsampler` as released, whose kernels are bilinear and mix no heatmaps. It has no
    parameters.
    """

    def __init__(self, *, num_doublings: int = 3) -> None:
        super().__init__()
        self.num_doublings = num_doublings

    def forward(self, heatmaps: Tensor) -> Tensor:
        """Upsample (B, K, H, W) to (B, K, H · 2 ** num_doublings, W · 2 ** num_doublings)."""
        for _ in range(self.num_doublings):
            padded = F.pad(heatmaps, (1, 1, 1, 1))  # (B, K, H + 2, W + 2)
            doubled = F.interpolate(padded, scale_factor=2.0, mode="bilinear", align_corners=False)
            heatmaps = doubled[..., 2:-2, 2:-2]  # (B, K, 2H, 2W)
        return heatmaps


class TransposedConvUpsampler(BaseModule):
    """Learnable upsampling: transposed convolutions 4×4 with stride 2 over all heatmaps, bilinear to begin with."""

    def __init__(self, *, num_maps: int, num_doublings: int = 3) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.ConvTranspose2d(num_maps, num_maps, 4, stride=2, padding=1) for _ in range(num_doublings)
        )
        self.reset_to_bilinear()

    def init_weights(self) -> None:
        """Start from bilinear interpolation (MMEngine calls this after the generic initialisation)."""
        super().init_weights()
        self.reset_to_bilinear()

    @torch.no_grad()
    def reset_to_bilinear(self) -> None:
        """Set every kernel to bilinear interpolation of each heatmap on its own."""
        for name, parameter in self.stages.named_parameters():
            parameter.zero_()
            if name.endswith("weight"):
                parameter[range(len(parameter)), range(len(parameter))] = bilinear_kernel()

    def forward(self, heatmaps: Tensor) -> Tensor:
        """Upsample (B, K, H, W) to (B, K, H · 2 ** num_doublings, W · 2 ** num_doublings)."""
        for stage in self.stages:
            heatmaps = stage(heatmaps)
        return heatmaps


def build_upsampler(upsampling: str | None, *, num_maps: int) -> BilinearUpsampler | TransposedConvUpsampler | None:
    """Return the upsampling of ``num_maps`` heatmaps by its name, "bilinear" or "transposed_conv"; None for None."""
    if upsampling is None:
        return None
    if upsampling == "bilinear":
        return BilinearUpsampler()
    if upsampling == "transposed_conv":
        return TransposedConvUpsampler(num_maps=num_maps)
    raise ValueError(f'upsampling must be "bilinear", "transposed_conv" or None, got {upsampling!r}')
