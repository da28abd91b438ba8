"""Start a truncated EfficientNet from MMPretrain's ImageNet checkpoints, strict about every tensor."""

import pickle
import re
from typing import Final
from urllib.error import URLError

from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader
from mmpretrain.models.backbones import EfficientNet
from torch import Tensor

from efficientpose.models.state_dicts import list_misfits

IMAGENET: Final = "imagenet"  # stands for the URL of MMPretrain's own checkpoint of an architecture

_LAYER_KEY = re.compile(r"layers\.(\d+)\.")
_MAX_LISTED = 20


def imagenet_url(arch: str) -> str:
    """Return where MMPretrain keeps an EfficientNet, "b0" to "b7", trained on ImageNet with AutoAugment."""
    from mmpretrain.apis import ModelHub

    try:
        return ModelHub.get(f"efficientnet-{arch}_3rdparty_8xb32-aa_in1k").weights
    except ValueError as error:
        raise ValueError(
            f"MMPretrain has no AutoAugment ImageNet checkpoint of EfficientNet {arch!r}; name a file or URL"
        ) from error


def _read_state_dict(checkpoint: str) -> dict[str, Tensor]:
    try:
        loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location="cpu")
    except URLError as error:
        raise ConnectionError(
            f"{checkpoint} cannot be fetched ({error.reason}): get it by other means and name the file in the "
            "backbone's high_pretrained or low_pretrained, or set these to None to start from random weights"
        ) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(f"{checkpoint} is not a checkpoint that PyTorch can read") from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("state_dict", loaded), dict):
        raise ValueError(f"{checkpoint} has no state_dict: it is not an MMPretrain checkpoint")
    return loaded.get("state_dict", loaded)


def load_imagenet_weights(branch: EfficientNet, checkpoint: str) -> None:
    """Load a truncated EfficientNet's stem and stages from an MMPretrain classifier; the branch is changed in place.

    Raises:
        FileNotFoundError: If the file does not exist.
        ConnectionError: If the URL cannot be fetched.
        ValueError: If a tensor is missing, misshapen, or left over and not of the later stages or the head.
    """
    source = _read_state_dict(checkpoint)
    network = {key.removeprefix("backbone."): tensor for key, tensor in source.items() if not key.startswith("head.")}
    numbers = {key: _LAYER_KEY.match(key) for key in network}
    later = {key for key, number in numbers.items() if number and int(number.group(1)) >= len(branch.layers)}
    offered = {key: tensor for key, tensor in network.items() if key not in later}
    if misfits := list_misfits(offered, branch.state_dict()):
        shown = "\n  ".join(misfits[:_MAX_LISTED])
        raise ValueError(
            f"{checkpoint} is not an MMPretrain checkpoint of this EfficientNet ({branch.arch_setting}); "
            f"{len(misfits)} tensors do not fit:\n  {shown}"
        )
    branch.load_state_dict(offered)
    left_out = f"left out {len(source) - len(offered)} of the later stages and the classifier"
    print_log(f"{checkpoint}: loaded {len(offered)} tensors, {left_out}", logger="current")
