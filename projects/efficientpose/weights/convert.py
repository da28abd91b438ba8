"""Convert released weights to a checkpoint of ours, strict both ways: every tensor used, every tensor set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor, nn

from efficientpose.core.skeleton import NUM_KEYPOINTS
from efficientpose.core.variants import VARIANTS, get_variant
from efficientpose.models.build import build_network
from efficientpose.models.efficientnet_lite import LITE_ARCHITECTURES
from efficientpose.models.upsampling import bilinear_kernel
from efficientpose.weights.checkpoint import make_checkpoint, save_checkpoint
from efficientpose.weights.released import (
    KEYPOINT_ORDER,
    LITE_PREFIX,
    PAF_CHANNEL_ORDER,
    UPSAMPLER_LAYERS,
    Layers,
    read_released,
    released_layer_names,
)

_MAX_LISTED = 20


class ConversionError(ValueError):
    """A released file does not fit the network it is converted to."""


def convert_file(source: Path, destination: Path, *, variant: str | None = None) -> str:
    """Convert a released file to an MMPose checkpoint and return the name of its variant.

    Args:
        source: A released ``.h5`` or ``.tflite`` file.
        destination: The checkpoint to write; its folder must exist.
        variant: Its name; None to recognise it by its layers.

    Raises:
        FileNotFoundError: If ``source`` does not exist.
        ReleasedFileError: If it is no readable released file.
        ConversionError: If it is of another variant, or a tensor is missing, left over, of another shape or not finite;
            the message lists them.
        OSError: If ``destination`` cannot be written.
    """
    asked_for = None if variant is None else get_variant(variant).name
    layers = read_released(source)
    name = recognise_variant(layers, source, expected=asked_for)
    network = build_network(name)
    try:
        state_dict = convert_layers(layers, network)
    except ConversionError as error:
        raise ConversionError(f"{source} does not fit {VARIANTS[name].title}: {error}") from error
    save_checkpoint(make_checkpoint(state_dict, variant=name, source=source.name), destination)
    return name


def recognise_variant(layers: Layers, source: Path, *, expected: str | None = None) -> str:
    """Return the variant that has the head's width and depth, and the kind of backbone, of a released file's layers.

    ``expected``, the variant it should be, is returned where the head is too damaged to tell. Raises ConversionError if
    it is no released network's, or that of another variant than expected.
    """
    kernel = layers.get("pass1_block1_mbconv1_skeleton_conv2", {}).get("kernel")
    channels = 0 if kernel is None else len(kernel)
    num_blocks = sum(f"pass1_block{number}_mbconv1_skeleton_conv1" in layers for number in range(1, 10))
    is_lite = any(layer.startswith(LITE_PREFIX) for layer in layers)
    for variant in VARIANTS.values():
        if (variant.channels, variant.num_blocks, variant.is_lite) == (channels, num_blocks, is_lite):
            if expected not in (None, variant.name):
                raise ConversionError(
                    f"{source} is of {variant.title}, not {VARIANTS[expected].title}: use --model {variant.name}"
                )
            return variant.name
    if expected is not None and num_blocks:
        return expected
    if kernel is None:
        raise ConversionError(
            f"{source} is no released EfficientPose: it has no layer pass1_block1_mbconv1_skeleton_conv2"
        )
    raise ConversionError(
        f"{source} has {channels} channels and {num_blocks} blocks in each pass, which no variant has; "
        "to see which tensors are wrong, name its variant with --model"
    )


def convert_layers(layers: Layers, network: TopdownPoseEstimator) -> dict[str, Tensor]:
    """Rename, reshape and permute released arrays to a network's complete state dict, in our order of keypoints.

    The Lite files hold the deployed graph alone: the predictions of the earlier passes, among them the part affinity
    fields, are set to zero.

    Args:
        layers: See :func:`~efficientpose.weights.released.read_released`.
        network: The network to set; not changed.

    Raises:
        ConversionError: If a tensor is missing, left over or of another shape, or an upsampling kernel is not bilinear
            while the network's upsampling is fixed.
    """
    released = {(layer, part): array for layer, parts in layers.items() for part, array in parts.items()}
    is_folded = not any(part == "gamma" for _, part in released)
    expected_tensors = network.state_dict()
    names = released_layer_names(network)
    released |= _unreleased_predictions(network, names, released)
    problems: list[str] = []
    state_dict: dict[str, Tensor] = {}
    for module_name, layer in names.items():
        module = network.get_submodule(module_name)
        if isinstance(module, nn.BatchNorm2d):
            convolution = names[f"{module_name.removesuffix('.bn')}.conv"]
            arrays = _batch_norm(layer, module, released, folded_into=convolution if is_folded else None)
        else:
            arrays = {"weight": released.pop((layer, "kernel"), None)}
            if module.bias is not None:
                arrays["bias"] = released.pop((layer, "bias"), None)
        for key, array in arrays.items():
            full_key = f"{module_name}.{key}"
            expected = expected_tensors[full_key]
            if problem := _find_problem(f"{layer} ({full_key})", array, expected):
                problems.append(problem)
            elif array is not None:
                state_dict[full_key] = torch.from_numpy(array.copy()).to(expected.dtype)
    if network.head.upsampler is not None and not list(network.head.upsampler.parameters()):
        problems += _check_fixed_upsampler(released)
    problems += [f"left over: {layer} {part} {array.shape}" for (layer, part), array in released.items()]
    if not problems:
        problems += [f"not set: {key}" for key in expected_tensors if key not in state_dict]
    if problems:
        more = f"\n  and {len(problems) - _MAX_LISTED} more" if len(problems) > _MAX_LISTED else ""
        raise ConversionError(f"{len(problems)} tensors\n  " + "\n  ".join(problems[:_MAX_LISTED]) + more)
    return _permute_outputs(state_dict)


_Released = dict[tuple[str, str], np.ndarray]


def _unreleased_predictions(network: TopdownPoseEstimator, names: Mapping[str, str], released: _Released) -> _Released:
    """Return zeros for the predictions of the earlier passes if the network is Lite and none of them was released."""
    if network.backbone.high_arch not in LITE_ARCHITECTURES:
        return {}
    zeros: _Released = {}
    for path, layer in names.items():
        module = network.get_submodule(path)
        if any(module is each.predict for each in network.head.passes[:-1]):
            zeros[layer, "kernel"] = np.zeros(module.weight.shape, dtype=np.float32)
            zeros[layer, "bias"] = np.zeros(module.bias.shape, dtype=np.float32)
    return zeros if zeros.keys().isdisjoint(released) else {}


def _find_problem(name: str, array: np.ndarray | None, expected: Tensor) -> str | None:
    if array is None:
        return f"missing: {name} {tuple(expected.shape)}"
    if array.shape != tuple(expected.shape):
        return f"{name} has shape {array.shape}, not {tuple(expected.shape)}"
    if not np.isfinite(array).all():
        return f"{name} has values that are not finite"
    if name.endswith(".running_var)") and (array < 0).any():
        return f"{name} has negative values, which no variance has"
    return None


def _batch_norm(
    layer: str, module: nn.BatchNorm2d, released: _Released, *, folded_into: str | None
) -> dict[str, np.ndarray | None]:
    arrays: dict[str, Any] = {"num_batches_tracked": np.zeros((), dtype=np.int64)}
    if folded_into is None:
        parts = dict(weight="gamma", bias="beta", running_mean="mean", running_var="variance")
        return arrays | {key: released.pop((layer, part), None) for key, part in parts.items()}
    # a folded network has the convolution's bias alone: this batch norm adds it and changes nothing else
    ones = np.ones(module.num_features, dtype=np.float32)
    return arrays | dict(
        weight=ones,
        bias=released.pop((folded_into, "bias"), None),
        running_mean=np.zeros_like(ones),
        running_var=ones - np.float32(module.eps),
    )


def _check_fixed_upsampler(released: _Released) -> list[str]:
    """Take out the dense upsampler's tensors and compare them with the fixed upsampler."""
    expected = np.zeros((NUM_KEYPOINTS, NUM_KEYPOINTS, 4, 4), dtype=np.float32)
    expected[range(NUM_KEYPOINTS), range(NUM_KEYPOINTS)] = bilinear_kernel().numpy()
    problems = []
    for layer in UPSAMPLER_LAYERS:
        kernel, bias = released.pop((layer, "kernel"), None), released.pop((layer, "bias"), None)
        if kernel is None or bias is None:
            problems.append(f"missing: {layer}")
        elif not (np.array_equal(kernel, expected) and not bias.any()):
            problems.append(f"{layer} is not bilinear: convert to a network with upsampling='transposed_conv'")
    return problems


def _permute_outputs(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring keypoints and part affinity fields to our order."""
    keypoints = list(KEYPOINT_ORDER)
    permuted = dict(state_dict)
    for key, tensor in state_dict.items():
        if ".paf_pass.predict." in key:
            permuted[key] = tensor[list(PAF_CHANNEL_ORDER)]
        elif ".predict." in key or ".upsampler." in key:
            permuted[key] = tensor[keypoints]
        if ".upsampler." in key and key.endswith("weight"):  # (in, out, 4, 4)
            permuted[key] = permuted[key][:, keypoints]
    return permuted
