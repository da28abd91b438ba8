"""What a head's tensors say about the maps it predicts."""

from collections.abc import Mapping
from typing import Final

from torch import Tensor

_PREDICTION: Final = ".predict."
_UPSAMPLER: Final = "upsampler."
_COUNTED: Final = {"heatmap_passes.": "keypoints", "paf_pass.": "part affinity channels"}


def explain_map_counts(offered: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    """Say how many maps a checkpoint's head predicts, if nothing else keeps it from fitting another head.

    Args:
        offered: Tensors of the checkpoint's head, which do not fit.
        wanted: Tensors of the other.

    Returns:
        A sentence, and what can be done; None if more than the number of maps differs.
    """
    if offered.keys() != wanted.keys():
        return None
    differing = [name for name, tensor in wanted.items() if offered[name].shape != tensor.shape]
    if not all(_is_for_maps(name, offered[name], wanted[name]) for name in differing):
        return None
    counts = []
    for beginning, things in _COUNTED.items():
        predictions = [name for name in differing if name.startswith(beginning)]
        if predictions:
            counts.append(
                f"it predicts {len(offered[predictions[0]])} {things}, this config {len(wanted[predictions[0]])}"
            )
    if not counts:
        return None
    return (
        f"{'; '.join(counts)}. Give the config the checkpoint's skeleton, or start from all other layers with "
        'model.init_cfg.type="PretrainedKeypoints"'
    )


def _is_for_maps(name: str, offered: Tensor, wanted: Tensor) -> bool:
    """Return whether a tensor has a row for each map: a prediction's, or learnt upsampling."""
    return name.startswith(_UPSAMPLER) or (_PREDICTION in name and offered.shape[1:] == wanted.shape[1:])
