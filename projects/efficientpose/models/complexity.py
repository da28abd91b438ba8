"""Count the parameters and FLOPs of a built network, as the table of variants states them."""

from typing import NamedTuple

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch.utils.flop_counter import FlopCounterMode

from efficientpose.core.variants import Variant
from efficientpose.models.build import build_network

_BATCH_NORM_OPS = (torch.ops.aten.native_batch_norm, torch.ops.aten._native_batch_norm_legit_no_training)


class CountedVariant(NamedTuple):
    """A variant and the counts of its deployed graph; ``fixed_`` ones have fixed upsampling, as our networks."""

    variant: Variant
    parameters: int
    flops: int
    fixed_parameters: int
    fixed_flops: int


def count_variant(variant: Variant) -> CountedVariant:
    """Count one variant, without computing anything (on PyTorch's meta device)."""
    counts = []
    for upsampling in ("transposed_conv", "bilinear"):
        network = build_network(variant.name, upsampling=upsampling)
        counts += [count_parameters(network), count_flops(network, variant.input_size)]
    return CountedVariant(variant, *counts)


def count_flops(network: TopdownPoseEstimator, input_size: tuple[int, int]) -> int:
    """Count two FLOPs a multiply-add of the deployed graph; the network is moved to the meta device."""
    width, height = input_size
    counter = FlopCounterMode(display=False, custom_mapping=dict.fromkeys(_BATCH_NORM_OPS, _batch_norm_flops))
    network = network.to("meta").eval()
    with counter, torch.no_grad():
        network.head.forward_deployed(network.extract_feat(torch.empty(1, 3, height, width, device="meta")))
    return counter.get_total_flops()


def _batch_norm_flops(input_shape: torch.Size, *_args: object, **_kwargs: object) -> int:
    """Count one multiply-add an element, as a batch norm at inference is."""
    return 2 * input_shape.numel()


def count_parameters(network: TopdownPoseEstimator) -> int:
    """Count parameters and running statistics of the deployed graph."""
    only_trained = () if network.head.hands_on_maps else network.head.passes[:-1]
    not_deployed = {id(parameter) for each in only_trained for parameter in each.predict.parameters()}
    tensors = network.state_dict(keep_vars=True)
    return sum(
        tensor.numel()
        for key, tensor in tensors.items()
        if id(tensor) not in not_deployed and not key.endswith("num_batches_tracked")
    )
