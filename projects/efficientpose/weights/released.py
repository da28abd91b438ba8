"""Read the authors' released files as plain arrays: Keras ``.h5`` and TFLite ``.tflite``.

Both come out as the same thing: layer name → part → array, in PyTorch's layout. Nothing in a file is executed or
unpickled, and no other file is opened because of what is in it.
"""

import struct
from collections import defaultdict
from pathlib import Path

import h5py
import numpy as np
import tflite

Layers = dict[str, dict[str, np.ndarray]]
"""Layer name → part → array. Parts are ``kernel``, ``bias``, ``gamma``, ``beta``, ``mean`` and ``variance``.

A kernel is (out, in / groups, h, w), of a transposed convolution (in, out, h, w).
"""

UPSAMPLER_LAYERS = ("upscaled_deconv1", "upscaled_deconv2", "upscaled_confs")

_KERAS_PARTS = {
    "kernel:0": "kernel",
    "depthwise_kernel:0": "kernel",
    "bias:0": "bias",
    "gamma:0": "gamma",
    "beta:0": "beta",
    "moving_mean:0": "mean",
    "moving_variance:0": "variance",
}
# how a constant's name goes on after its layer's; kernels of the Lite files are called "ReadVariableOp"
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
# what flatbuffers raises on offsets and tables that are not there
_TFLITE_ERRORS = (struct.error, AttributeError, IndexError, TypeError, ValueError, OverflowError)
# what h5py raises on damaged files, besides OSError
_HDF5_ERRORS = (OSError, RuntimeError, LookupError, TypeError, ValueError)
_MAX_BYTES = 64 * 2**20  # many times the largest released tensor


class ReleasedFileError(ValueError):
    """A file is no released file that can be read."""


def read_released(path: Path) -> Layers:
    """Read a released file by its ending.

    Args:
        path: A ``.h5`` or ``.tflite`` file.

    Raises:
        FileNotFoundError: If there is no such file.
        ReleasedFileError: If the ending is another or the file is not what its ending says.
    """
    readers = {".h5": read_keras, ".tflite": read_tflite}
    if path.suffix not in readers:
        raise ReleasedFileError(f"{path}: released weights end in {' or '.join(readers)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return readers[path.suffix](path)


def read_keras(path: Path) -> Layers:
    """Read every array of a Keras ``.h5`` file, float32.

    Links and arrays that point to other files are not followed: they are errors, or their tensors are missing.

    Raises:
        ReleasedFileError: If the file is no HDF5 file or holds an array that is not a layer's weight.
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
        layers[layer][_KERAS_PARTS[part]] = _keras_to_torch(layer, part, _read_dataset(path, name, item))

    try:
        with h5py.File(path, "r") as file:
            _keras_root(path, file).visititems(visit)
    except ReleasedFileError:
        raise
    except _HDF5_ERRORS as error:
        raise ReleasedFileError(f"{path}: not a readable HDF5 file ({error})") from error
    return dict(layers)


def _keras_root(path: Path, file: h5py.File) -> h5py.Group:
    """Return the group that holds the layers: of a whole model it is ``model_weights``, of bare weights the file."""
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


def _keras_to_torch(layer: str, part: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 4:
        return array
    if part == "depthwise_kernel:0" or layer in UPSAMPLER_LAYERS:
        # (h, w, channels, 1), and transposed convolutions' (h, w, out, in)
        to_torch = (2, 3, 0, 1) if part == "depthwise_kernel:0" else (3, 2, 0, 1)
        return array.transpose(to_torch)
    return array.transpose(3, 2, 0, 1)


def read_tflite(path: Path) -> Layers:
    """Read every floating-point constant of a ``.tflite`` file, widened to float32.

    Batch norm is folded into these convolutions, so all have a bias and there are no ``gamma``, ``beta``, ``mean`` and
    ``variance``. The three transposed convolutions share one kernel, returned under each of their names with a zero
    bias.

    Raises:
        ReleasedFileError: If the file is no TFLite model or holds a constant that is not a convolution's.
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
            # (out, h, w, in)
            for layer in UPSAMPLER_LAYERS:
                layers[layer] = dict(
                    kernel=array.transpose(3, 0, 1, 2), bias=np.zeros(array.shape[0], dtype=np.float32)
                )
            continue
        layer, part = _split_tflite_name(name)
        if part not in _TFLITE_PARTS or not layer or _TFLITE_PARTS[part] in layers[layer]:
            raise ReleasedFileError(f"{path}: {name} is not a weight of a convolution, or its layer has two of them")
        layers[layer][_TFLITE_PARTS[part]] = _tflite_to_torch(part, array)
    return dict(layers)


def _split_tflite_name(name: str) -> tuple[str, str]:
    """Return a constant's layer and part; the part is empty if it is none of :data:`_TFLITE_PARTS`."""
    for part in _TFLITE_PARTS:
        if name.endswith(f"/{part}"):
            return name.removesuffix(f"/{part}"), part
    return name, ""


def _tflite_to_torch(part: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 4:
        return array
    # (1, h, w, channels) and (out, h, w, in)
    return array.transpose((3, 0, 1, 2) if part in _TFLITE_DEPTHWISE_KERNELS else (0, 3, 1, 2))


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
