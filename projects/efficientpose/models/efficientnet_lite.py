"""EfficientNet-Lite (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).

EfficientNet for devices: no squeeze-and-excitation, and ReLU6 in place of Swish. The stem, the head, and the numbers of
blocks in the first and last stage do not grow with the network.
"""

import math
from typing import Final

from mmpretrain.models.backbones import EfficientNet
from mmpretrain.models.utils import make_divisible

# kernel size, channels, stride, expansion, blocks of each stage of Lite0, which are EfficientNet-B0's
_STAGES: Final = (
    (3, 16, 1, 1, 1),
    (3, 24, 2, 6, 2),
    (5, 40, 2, 6, 2),
    (3, 80, 2, 6, 3),
    (5, 112, 1, 6, 3),
    (5, 192, 2, 6, 4),
    (3, 320, 1, 6, 1),
)
# width factor, depth factor, resolution on ImageNet
_SCALES: Final = {
    "lite0": (1.0, 1.0, 224),
    "lite1": (1.0, 1.1, 240),
    "lite2": (1.1, 1.2, 260),
    "lite3": (1.2, 1.4, 280),
    "lite4": (1.4, 1.8, 300),
}

LITE_ARCHITECTURES: Final = tuple(_SCALES)


def _layer_table(*, width: float, depth: float) -> list[list[list[int]]]:
    """Return a scaled architecture as MMPretrain writes one.

    A layer is kernel size, channels, squeeze ratio, stride, expansion, and 0 for an inverted bottleneck or -1 for a
    plain convolution.
    """
    table = [[[3, 32, 0, 2, 0, -1]]]
    for number, (kernel_size, channels, stride, expansion, num_blocks) in enumerate(_STAGES):
        is_fixed = number in (0, len(_STAGES) - 1)
        scaled_blocks = num_blocks if is_fixed else math.ceil(depth * num_blocks)
        scaled_channels = make_divisible(width * channels, 8)
        first = [kernel_size, scaled_channels, 0, stride, expansion, 0]
        later = [kernel_size, scaled_channels, 0, 1, expansion, 0]
        table.append([first] + [later] * (scaled_blocks - 1))
    return [*table, [[1, 1280, 0, 1, 0, -1]]]


class EfficientNetLite(EfficientNet):
    """MMPretrain's EfficientNet with the tables of the Lite ones; ``arch`` is their digit, "0" to "4".

    MMPretrain looks a table up by the first letter of the architecture and then scales it, here by 1.
    """

    layer_settings = {arch[-1]: _layer_table(width=width, depth=depth) for arch, (width, depth, _) in _SCALES.items()}
    arch_settings = {arch[-1]: (1.0, 1.0, resolution) for arch, (_, _, resolution) in _SCALES.items()}
