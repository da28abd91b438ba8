"""Start a truncated classifier from ImageNet checkpoints, strict about every tensor."""

import pickle
import re
from typing import Final
from urllib.error import URLError

from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from efficientpose.models.state_dicts import list_misfits

IMAGENET: Final = "imagenet"  # stands for the URL of MMPretrain's own checkpoint of an architecture

_LAYER_KEY = re.compile(r"(?:layers|features)\.(\d+)\.")
_MAX_LISTED = 20


def imagenet_url(arch: str) -> str:
    """Return where MMPretrain keeps "vgg19", or an EfficientNet, "b0" to "b7", trained on ImageNet with AutoAugment."""
    from mmpretrain.apis import ModelHub

    try:
        is_vgg = arch.startswith("vgg")
        return ModelHub.get(f"{arch}_8xb32_in1k" if is_vgg else f"efficientnet-{arch}_3rdparty_8xb32-aa_in1k").weights
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
            "backbone's high_pretrained or low_pretrained (OpenPose: pretrained), or set these to None to start from "
            "random weights"
        ) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(f"{checkpoint} is not a checkpoint that PyTorch can read") from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("state_dict", loaded), dict):
        raise ValueError(f"{checkpoint} has no state_dict: it is not an MMPretrain checkpoint")
    return loaded.get("state_dict", loaded)


def load_imagenet_weights(branch: nn.Module, checkpoint: str, *, title: str = "EfficientNet") -> None:
    """Load a truncated classifier's first layers from a checkpoint of the whole; the branch is changed in place.

    It has numbered ``layers`` or ``features``, as MMPretrain's EfficientNet or VGG. The checkpoint is in MMPretrain's
    layout, or of a VGG in torchvision's. ``title`` names the network in errors.

    Raises:
        FileNotFoundError: If the file does not exist.
        ConnectionError: If the URL cannot be fetched.
        ValueError: If a tensor is missing, misshapen, or left over and not of the later stages or the head.
    """
    source = _read_state_dict(checkpoint)
    network = {key.removeprefix("backbone."): tensor for key, tensor in source.items() if not key.startswith("head.")}
    wanted = branch.state_dict()
    numbers = sorted({_layer_number(key) for key in wanted})
    if "features.0.weight" in network:
        network = _name_as_mmpretrain(network, numbers)
    later = {key for key in network if _layer_number(key) > numbers[-1] or key.startswith("classifier.")}
    offered = {key: tensor for key, tensor in network.items() if key not in later}
    if misfits := list_misfits(offered, wanted):
        shown = "\n  ".join(misfits[:_MAX_LISTED])
        raise ValueError(
            f"{checkpoint} is not an MMPretrain checkpoint of this {title}; "
            f"{len(misfits)} tensors do not fit:\n  {shown}"
        )
    branch.load_state_dict(offered)
    left_out = f"left out {len(source) - len(offered)} of the later stages and the classifier"
    print_log(f"{checkpoint}: loaded {len(offered)} tensors, {left_out}", logger="current")


def _layer_number(key: str) -> int:
    """Return the number of a tensor's layer, -1 outside them."""
    found = _LAYER_KEY.match(key)
    return int(found[1]) if found else -1


def _name_as_mmpretrain(vgg: dict[str, Tensor], numbers: list[int]) -> dict[str, Tensor]:
    """Rename torchvision's tensors of a VGG, which numbers activations; MMPretrain's convolutions include theirs."""
    own = dict(zip(sorted({_layer_number(key) for key in vgg} - {-1}), numbers, strict=False))  # the first of theirs
    places = {key: own[_layer_number(key)] for key in vgg if _layer_number(key) in own}
    return {_LAYER_KEY.sub(f"features.{place}.conv.", key): vgg[key] for key, place in places.items()}
