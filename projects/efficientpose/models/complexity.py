"""Count a variant's parameters and FLOPs on the built network, the way the paper does.

Counted is the deployed graph with the paper's dense transposed convolutions, without the prediction convolutions of
the earlier passes, which only serve training. Parameters include the batch norms' running statistics. One multiply-add
is two FLOPs; convolutions, transposed convolutions and batch norms count.
"""

from typing import NamedTuple

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from efficientpose.models.build import build_network
from efficientpose.models.head import EfficientPoseHead
from efficientpose.variants import Variant


class Complexity(NamedTuple):
    """Counts of a deployed network; ``fixed_`` ones have the fixed upsampling instead, as our own networks."""

    parameters: int
    flops: int
    fixed_parameters: int
    fixed_flops: int


class _Deployed(nn.Module):
    """The part of a pose estimator that runs at inference."""

    def __init__(self, network: TopdownPoseEstimator) -> None:
        super().__init__()
        self.extract_features = network.extract_feat
        self.head: EfficientPoseHead = network.head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, 3, H, W) to the final heatmaps."""
        return self.head.forward_deployed(self.extract_features(images))


def _batch_norm_flops(input_shape: torch.Size, *_args: object, **_kwargs: object) -> int:
    """One multiply-add an element, as a batch norm at inference is."""
    return 2 * input_shape.numel()


_BATCH_NORM_OPS = (torch.ops.aten.native_batch_norm, torch.ops.aten._native_batch_norm_legit_no_training)


def count_parameters(network: TopdownPoseEstimator) -> int:
    """Count parameters and running statistics of the deployed graph."""
    not_deployed = {id(parameter) for each in network.head.passes[:-1] for parameter in each.predict.parameters()}
    tensors = network.state_dict(keep_vars=True)
    return sum(
        tensor.numel()
        for key, tensor in tensors.items()
        if id(tensor) not in not_deployed and not key.endswith("num_batches_tracked")
    )


def count_complexity(variant: Variant) -> Complexity:
    """Count one variant, without computing anything (on PyTorch's meta device)."""
    counts = []
    for upsampling in ("transposed_conv", "bilinear"):
        network = build_network(variant.name, upsampling=upsampling).to("meta").eval()
        parameters = count_parameters(network)
        width, height = variant.input_size
        counter = FlopCounterMode(display=False, custom_mapping=dict.fromkeys(_BATCH_NORM_OPS, _batch_norm_flops))
        with counter, torch.no_grad():
            _Deployed(network)(torch.empty(1, 3, height, width, device="meta"))
        counts.append((parameters, counter.get_total_flops()))
    (parameters, flops), (fixed_parameters, fixed_flops) = counts
    return Complexity(parameters=parameters, flops=flops, fixed_parameters=fixed_parameters, fixed_flops=fixed_flops)
