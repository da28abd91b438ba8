"""Between two networks: the weights of a fine-tuned one, drawn back towards those it started from.

A fine-tuned network forgets some of what it could. Weights on the straight line between both ends keep most of what
either can (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv 2109.01903).
"""

from collections.abc import Mapping

from torch import Tensor


def average_weights(
    released: Mapping[str, Tensor], finetuned: Mapping[str, Tensor], *, share: float
) -> dict[str, Tensor]:
    """Return (1 - share) · released + share · finetuned, batch norm statistics included.

    Args:
        released: State dict of the network that fine-tuning started from.
        finetuned: State dict of the same network.
        share: Of the fine-tuned weights, 0 to 1.

    Raises:
        ValueError: If the share is out of its range, or the two are of different networks.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be 0 to 1, got {share}")
    shapes = [{name: tuple(tensor.shape) for name, tensor in each.items()} for each in (released, finetuned)]
    if shapes[0] != shapes[1]:
        odd = sorted(name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name))
        raise ValueError(f"the two are of different networks: {len(odd)} weights differ in shape, first {odd[0]}")
    return {
        name: ((1 - share) * tensor + share * finetuned[name]) if tensor.is_floating_point() else finetuned[name]
        for name, tensor in released.items()
    }
