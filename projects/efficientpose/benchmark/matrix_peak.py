"""The largest rate of multiplications that this machine reaches, to hold networks' rates against."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch.nn import functional as F

from efficientpose.benchmark.timing import Timing

MATRIX_SIDE: Final = 1024
CHANNELS: Final = 256
MAP_SIDE: Final = 32


class Product(NamedTuple):
    """Something that does nothing but multiply and add, float32.

    Attributes:
        run: Does it.
        flops: Two a multiply-add.
    """

    run: Callable[[], torch.Tensor]
    flops: int


class Rate(NamedTuple):
    """Thousand million FLOPs a second, by the median.

    Attributes:
        wall: Of time that passed.
        cpu: Of time that processors worked.
    """

    wall: float
    cpu: float


def make_products() -> Mapping[str, Product]:
    """Return a product of square matrices and a dense convolution; the higher rate is the machine's.

    Different libraries do them, which differ in what they make of a processor: the one behind the product leaves half
    of AVX-512 unused on some.
    """
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(MATRIX_SIDE, MATRIX_SIDE, generator=generator) for _ in range(2))
    maps = torch.randn(1, CHANNELS, MAP_SIDE + 2, MAP_SIDE + 2, generator=generator)
    kernel = torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator)
    maps, kernel = (each.contiguous(memory_format=torch.channels_last) for each in (maps, kernel))

    def multiply() -> torch.Tensor:
        with torch.inference_mode():
            return one @ other

    def convolve() -> torch.Tensor:
        with torch.inference_mode():
            return F.conv2d(maps, kernel)

    return {
        "matrix product": Product(multiply, 2 * MATRIX_SIDE**3),
        "3x3 convolution": Product(convolve, 2 * 9 * CHANNELS**2 * MAP_SIDE**2),
    }


def find_rate(timing: Timing, *, flops: float) -> Rate:
    """Return the rate of something that takes so many FLOPs."""
    return Rate(wall=flops / timing.wall.median / 1e6, cpu=flops / timing.cpu.median / 1e6)
