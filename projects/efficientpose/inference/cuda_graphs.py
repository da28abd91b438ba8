"""Run a network on a GPU without the cost of launching its kernels one by one."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

_NUM_WARM_UP = 3


class _Recording(NamedTuple):
    """A recorded run, with the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    images: Tensor
    maps: tuple[Tensor, ...]


class CudaGraphs:
    """Records a network once for each shape of input and plays it back.

    Each shape keeps its memory; use few batch sizes.

    Args:
        network: In evaluation mode, on a CUDA device when it runs.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._recordings: dict[torch.Size, _Recording] = {}

    @torch.inference_mode()
    def run(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what the network makes of images."""
        if images.shape not in self._recordings:
            self._recordings[images.shape] = self._record(images)
        recording = self._recordings[images.shape]
        recording.images.copy_(images)
        recording.graph.replay()
        return tuple(each.clone() for each in recording.maps)

    def _record(self, images: Tensor) -> _Recording:
        given = images.clone()
        # a run that is recorded must not initialise libraries any more, and these runs must not be on the main stream
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_NUM_WARM_UP):
                self._network(given)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            maps = self._network(given)
        return _Recording(graph, given, maps)
