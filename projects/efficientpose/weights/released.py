"""Read the authors' released files as plain arrays: Keras ``.h5`` and TFLite ``.tflite``.

Both give the same: layer name → part → array, in PyTorch's layout. Nothing in a file is executed or unpickled, and no
other file is opened because of what is in it. The first part of this module has the released names and orders.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import tflite
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn

from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.models.backbone import DualEfficientNet
from efficientpose.models.efficientnet_lite import LITE_ARCHITECTURES

RELEASED_KEYPOINT_NAMES: Final = (
    *("head_top", "upper_neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("thorax", "left_shoulder", "left_elbow", "left_wrist", "pelvis"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
)
# (proximal, distal) released keypoints
_RELEASED_LIMBS: Final = (
    *((0, 1), (1, 2), (2, 3), (3, 4), (1, 6), (6, 7), (7, 8)),  # head and arms
    *((1, 5), (5, 10), (10, 11), (11, 12), (5, 13), (13, 14), (14, 15)),  # trunk and legs
)

KEYPOINT_ORDER: Final = tuple(RELEASED_KEYPOINT_NAMES.index(name) for name in KEYPOINT_NAMES)
"""Our keypoint ``i`` is the released keypoint ``KEYPOINT_ORDER[i]``."""

LIMB_ORDER: Final = tuple(
    _RELEASED_LIMBS.index((KEYPOINT_ORDER[limb.proximal], KEYPOINT_ORDER[limb.distal])) for limb in LIMBS
)
"""Our limb ``k`` is the released limb ``LIMB_ORDER[k]``."""

PAF_CHANNEL_ORDER: Final = tuple(2 * limb + component for limb in LIMB_ORDER for component in (0, 1))
"""Our channel ``c`` of the part affinity fields is the released channel ``PAF_CHANNEL_ORDER[c]``."""

LITE_PREFIX: Final = "efficientnet-"  # prefix of the layer names of a Lite backbone, before its architecture
_BRANCHES = {"high": "res1", "low": "res2"}
_BACKBONE_LAYERS = {
    "expand_conv.conv": "expand_conv",
    "expand_conv.bn": "expand_bn",
    "depthwise_conv.conv": "dwconv",
    "depthwise_conv.bn": "bn",
    "se.conv1.conv": "se_reduce",
    "se.conv2.conv": "se_expand",
    "linear_conv.conv": "project_conv",
    "linear_conv.bn": "project_bn",
}
_HEAD_LAYERS = {
    "expand.conv": "conv1",
    "expand.bn": "conv1_bn",
    "depthwise.conv": "dconv1",
    "depthwise.bn": "dconv1_bn",
    "squeeze_excite.conv1.conv": "se_se_squeeze_conv",
    "squeeze_excite.conv2.conv": "se_se_excite_conv",
    "project.conv": "conv2",
    "project.bn": "conv2_bn",
}
UPSAMPLER_LAYERS: Final = ("upscaled_deconv1", "upscaled_deconv2", "upscaled_confs")
_DENSE_POSITIONS = {"first": 1, "second": 2, "third": 3}
_PASSES = {
    "paf_pass": "pass1_{}skeleton{}",
    "heatmap_passes.0": "pass2_{}detection1{}",
    "heatmap_passes.1": "pass3_{}detection2{}",
}
_STEM = re.compile(r"backbone\.(high|low)\.layers\.0\.(conv|bn)")
_BACKBONE_BLOCK = re.compile(r"backbone\.(high|low)\.layers\.(\d)\.(\d+)\.(.+)")
_HEAD_BLOCK = re.compile(r"head\.(paf_pass|heatmap_passes\.\d)\.blocks\.(\d)\.(first|second|third)\.(.+)")
_PREDICTION = re.compile(r"head\.(paf_pass|heatmap_passes\.\d)\.predict")
_UPSAMPLER = re.compile(r"head\.upsampler\.stages\.(\d)")


def released_layer_names(network: TopdownPoseEstimator) -> dict[str, str]:
    """Return the released name of every convolution and batch norm of a network, by its path.

    Raises ValueError if the released networks have no such layer.
    """
    is_lite = network.backbone.high_arch in LITE_ARCHITECTURES
    lite_names = dict(_name_lite_backbone(network.backbone)) if is_lite else {}
    return {
        path: lite_names.get(path) or _released_layer_name(path)
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d)
    }


def _name_lite_backbone(backbone: DualEfficientNet) -> Iterator[tuple[str, str]]:
    """Yield path and released name; blocks are numbered through the stages, layers of one kind within a block."""
    stem, *stages = backbone.high.layers
    blocks = {"0": stem}
    blocks |= {f"{stage}.{place}": block for stage, each in enumerate(stages, 1) for place, block in enumerate(each)}
    for number, (path, block) in enumerate(blocks.items(), start=-1):
        released = f"{LITE_PREFIX}{backbone.high_arch}/model/" + ("stem" if block is stem else f"blocks_{number}")
        norms = (f"tpu_batch_normalization{suffix}" for suffix in ("", "_1", "_2"))
        convolutions = (f"conv2d{suffix}" for suffix in ("", "_1"))
        for name, module in block.named_modules(prefix=f"backbone.high.layers.{path}"):
            if isinstance(module, nn.BatchNorm2d):
                yield name, f"{released}/{next(norms)}/FusedBatchNormV3_0"
            elif isinstance(module, nn.Conv2d) and module.groups > 1:
                yield name, f"{released}/depthwise_conv2d/depthwise_0"
            elif isinstance(module, nn.Conv2d):
                yield name, f"{released}/{next(convolutions)}/Conv2D_0"


def _released_layer_name(path: str) -> str:
    """Return the released name of a convolution or batch norm by its path, such as "head.paf_pass.predict"."""
    if stem := _STEM.fullmatch(path):
        return f"stem_{stem[2]}_{_BRANCHES[stem[1]]}"
    if (block := _BACKBONE_BLOCK.fullmatch(path)) and block[4] in _BACKBONE_LAYERS:
        letter = chr(ord("a") + int(block[3]))
        return f"block{block[2]}{letter}_{_BACKBONE_LAYERS[block[4]]}_{_BRANCHES[block[1]]}"
    if (block := _HEAD_BLOCK.fullmatch(path)) and block[4] in _HEAD_LAYERS and block[1] in _PASSES:
        position = f"block{int(block[2]) + 1}_mbconv{_DENSE_POSITIONS[block[3]]}_"
        return _PASSES[block[1]].format(position, f"_{_HEAD_LAYERS[block[4]]}")
    if (prediction := _PREDICTION.fullmatch(path)) and prediction[1] in _PASSES:
        return _PASSES[prediction[1]].format("", "_pafs" if prediction[1] == "paf_pass" else "_confs")
    if stage := _UPSAMPLER.fullmatch(path):
        return UPSAMPLER_LAYERS[int(stage[1])]
    raise ValueError(f"the released networks have no layer like {path}")


Layers = dict[str, dict[str, np.ndarray]]
"""Layer name → part → array. Parts are ``kernel``, ``bias``, ``gamma``, ``beta``, ``mean`` and ``variance``.

A kernel is (out, in / groups, h, w), of a transposed convolution (in, out, h, w).
"""

_KERAS_PARTS = {
    "kernel:0": "kernel",
    "depthwise_kernel:0": "kernel",
    "bias:0": "bias",
    "gamma:0": "gamma",
    "beta:0": "beta",
    "moving_mean:0": "mean",
    "moving_variance:0": "variance",
}
# end of a constant's name, after its layer's; kernels of the Lite files are called "ReadVariableOp"
_TFLITE_PARTS = {
    "kernel": "kernel",
    "convolution/ReadVariableOp": "kernel",
    "depthwise_kernel": "kernel",
    "depthwise/ReadVariableOp": "kernel",
    "convolution_bias": "bias",
    "depthwise_bias": "bias",
}
_TFLITE_DEPTHWISE_KERNELS = ("depthwise_kernel", "depthwise/ReadVariableOp")
# of the three equal kernels a file has one, under any of their names
_SHARED_UPSAMPLERS = tuple(
    f"{layer}/{part}_transposed"
    for layer in UPSAMPLER_LAYERS
    for part in ("kernel/read", "conv2d_transpose/ReadVariableOp")
)
_ESWISH_CONSTANT = "_eswish/mul/x"
_ESWISH_BETA = 1.25
_TFLITE_DTYPES = {tflite.TensorType.FLOAT32: "<f4", tflite.TensorType.FLOAT16: "<f2"}
_TFLITE_IDENTIFIER = b"TFL3"
# what flatbuffers raises on missing offsets and tables
_TFLITE_ERRORS = (struct.error, AttributeError, IndexError, TypeError, ValueError, OverflowError)
# what h5py raises on damaged files, besides OSError
_HDF5_ERRORS = (OSError, RuntimeError, LookupError, TypeError, ValueError)
_MAX_BYTES = 64 * 2**20  # many times the largest released tensor


class ReleasedFileError(ValueError):
    """A file is not a readable released file."""


def read_released(path: Path) -> Layers:
    """Read a ``.h5`` or ``.tflite`` file.

    Raises FileNotFoundError if there is no such file; ReleasedFileError if the ending is another or the file is not
    what its ending says.
    """
    readers = {".h5": _read_keras, ".tflite": _read_tflite}
    if path.suffix not in readers:
        raise ReleasedFileError(f"{path}: released weights end in {' or '.join(readers)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return readers[path.suffix](path)


def _read_keras(path: Path) -> Layers:
    """Read every array of a Keras ``.h5`` file, float32.

    Links and arrays that point to other files are not followed: they are errors, or their tensors are missing.
    """
    layers: Layers = defaultdict(dict)

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        *levels, part = name.split("/")
        # Keras writes layer/layer/part, and the layers of the Lite variants have names with slashes
        layer = "/".join(levels[: max(1, len(levels) // 2)])
        if part not in _KERAS_PARTS or _KERAS_PARTS[part] in layers[layer]:
            raise ReleasedFileError(f"{path}: {name} is not a weight of a Keras layer, or its layer has two of them")
        layers[layer][_KERAS_PARTS[part]] = _keras_to_torch(part, _read_dataset(path, name, item))

    try:
        with h5py.File(path, "r") as file:
            _keras_root(path, file).visititems(visit)
    except ReleasedFileError:
        raise
    except _HDF5_ERRORS as error:
        raise ReleasedFileError(f"{path}: not a readable HDF5 file ({error})") from error
    return dict(layers)


def _keras_root(path: Path, file: h5py.File) -> h5py.Group:
    """Return the group that holds the layers: ``model_weights`` of a whole model, the file itself of bare weights."""
    if "model_weights" not in file:
        return file
    root = file["model_weights"] if isinstance(file.get("model_weights", getlink=True), h5py.HardLink) else None
    if not isinstance(root, h5py.Group):
        raise ReleasedFileError(f"{path}: model_weights must be a group inside this file")
    return root


def _read_dataset(path: Path, name: str, dataset: h5py.Dataset) -> np.ndarray:
    if dataset.is_virtual or dataset.external:
        raise ReleasedFileError(f"{path}: the values of {name} are in another file; released files hold their own")
    if dataset.dtype.kind != "f" or dataset.shape is None or dataset.nbytes > _MAX_BYTES:
        raise ReleasedFileError(
            f"{path}: {name} is {dataset.dtype} {dataset.shape}, where floating-point numbers of at most "
            f"{_MAX_BYTES // 2**20} MiB are expected"
        )
    return np.asarray(dataset[()], dtype=np.float32)


def _keras_to_torch(part: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 4:
        return array
    # a depthwise kernel is (h, w, channels, 1), another (h, w, in, out), of a transposed convolution (h, w, out, in)
    return array.transpose((2, 3, 0, 1) if part == "depthwise_kernel:0" else (3, 2, 0, 1))


def _read_tflite(path: Path) -> Layers:
    """Read every floating-point constant of a ``.tflite`` file, widened to float32.

    Batch norm is folded into these convolutions, so all have a bias and there are no ``gamma``, ``beta``, ``mean`` and
    ``variance``. The three transposed convolutions share one kernel, returned under each of their names with a zero
    bias.
    """
    data = path.read_bytes()
    if data[4:8] != _TFLITE_IDENTIFIER:
        raise ReleasedFileError(f"{path}: not a TFLite model")
    try:
        constants = _tflite_constants(data)
    except _TFLITE_ERRORS as error:
        raise ReleasedFileError(f"{path}: the TFLite model is damaged ({error})") from error
    layers: Layers = defaultdict(dict)
    for name, array in constants.items():
        if name.endswith(_ESWISH_CONSTANT) and array.size == 1 and array.item() == _ESWISH_BETA:
            continue
        if name in _SHARED_UPSAMPLERS and array.ndim == 4 and layers.keys().isdisjoint(UPSAMPLER_LAYERS):
            kernel = array.transpose(3, 0, 1, 2)  # from (out, h, w, in)
            for layer in UPSAMPLER_LAYERS:
                layers[layer] = dict(kernel=kernel, bias=np.zeros(len(array), np.float32))
            continue
        part = next((each for each in _TFLITE_PARTS if name.endswith(f"/{each}")), "")
        layer = name.removesuffix(f"/{part}")
        if part not in _TFLITE_PARTS or not layer or _TFLITE_PARTS[part] in layers[layer]:
            raise ReleasedFileError(f"{path}: {name} is not a weight of a convolution, or its layer has two of them")
        # a depthwise kernel is (1, h, w, channels), another (out, h, w, in)
        order = (3, 0, 1, 2) if part in _TFLITE_DEPTHWISE_KERNELS else (0, 3, 1, 2)
        layers[layer][_TFLITE_PARTS[part]] = array.transpose(order) if array.ndim == 4 else array
    return dict(layers)


def _tflite_constants(data: bytes) -> dict[str, np.ndarray]:
    """Return the floating-point tensors that have data, by name."""
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    constants: dict[str, np.ndarray] = {}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        buffer = model.Buffers(tensor.Buffer())
        dtype = _TFLITE_DTYPES.get(tensor.Type())
        if dtype is None or buffer.DataLength() == 0:
            continue
        values = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype).astype(np.float32)
        shape = [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
        name = tensor.Name().decode()
        if name in constants:
            raise ValueError(f"two tensors are called {name}")
        constants[name] = values.reshape(shape)
    return constants
