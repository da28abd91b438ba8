"""The authors' pipeline: scikit-image, their TFLite model, a blur and the highest pixel of each heatmap.

It follows their ``track.py`` for an image, step by step, with LiteRT in the place of TensorFlow Lite.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.core.variants import Variant
from efficientpose.weights.catalog import released_file
from efficientpose.weights.released import KEYPOINT_ORDER

_PACKAGES = {"skimage": "scikit-image", "PIL": "pillow", "scipy": "scipy", "ai_edge_litert": "ai-edge-litert"}
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)
_BLUR_SIGMA = 1.0  # pixels


def find_released_model(folder: Path, variant: Variant) -> Path:
    """Return a variant's released .tflite file in a folder or below it; a ``FileNotFoundError`` where it is not."""
    name = released_file(variant.name, kind="tflite").name
    found = sorted(folder.rglob(name)) if folder.is_dir() else []
    if not found:
        raise FileNotFoundError(f"{folder}: there is no {name} in this folder; the authors' models/tflite has it")
    return found[0]


def check_packages() -> None:
    """Check that the pipeline's packages are installed."""
    missing = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ValueError(f"the released pipeline needs {', '.join(missing)}: pip install {' '.join(missing)}")


class ReleasedPipeline:
    """A variant's released .tflite file, and the authors' steps before and after it."""

    def __init__(self, file: Path, variant: Variant, *, threads: int) -> None:
        check_packages()
        from ai_edge_litert.interpreter import Interpreter
        from PIL import Image
        from skimage.transform import rescale

        self._open: Callable[..., Any] = Image.open
        self._rescale: Callable[..., np.ndarray] = rescale
        self._side = variant.resolution
        self._is_lite = variant.is_lite
        self._interpreter = Interpreter(str(file), num_threads=threads)
        self._interpreter.allocate_tensors()
        (taken,) = self._interpreter.get_input_details()
        wanted = [1, self._side, self._side, len(KEYPOINT_NAMES)]
        given = [each for each in self._interpreter.get_output_details() if each["shape"].tolist() == wanted]
        if taken["shape"].tolist() != [1, self._side, self._side, 3] or len(given) != 1:
            raise ValueError(f"{file}: not the released {variant.title} for {self._side} x {self._side} pixels")
        self._input, self._output = taken["index"], given[0]["index"]

    def predict(self, file: Path) -> np.ndarray:
        """Return the keypoints in an image, (16, 2) in our order, in its pixel-centre indices."""
        image = np.array(self._open(file))
        height, width = image.shape[:2]
        keypoints = self.decode(self.infer(self.normalise(self.cut(image))))
        # from the padded square to the image; theirs count from the pixel's corner
        side = max(height, width)
        padding = np.array((side - width, side - height)) / 2
        return (keypoints + 0.5) / self._side * side - padding - 0.5

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Return an image (H, W, 3) uint8 scaled down and padded to the network's square."""
        height, width = image.shape[:2]
        scaled = self._rescale(image, self._side / max(height, width), channel_axis=-1)
        rows, columns = (self._side - length for length in scaled.shape[:2])
        sides = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
        return np.uint8(255 * np.pad(scaled, sides))  # type: ignore[return-value]

    def normalise(self, crop: np.ndarray) -> np.ndarray:
        """Return a crop (H, W, 3) uint8 as the network takes it, (1, H, W, 3) float32."""
        pixels = crop[None].astype(np.float32)
        return pixels / np.float32(127.5) - 1 if self._is_lite else (pixels / 255 - _MEAN) / _STD

    def infer(self, batch: np.ndarray) -> np.ndarray:
        """Return the heatmaps at full resolution, (H, W, 16)."""
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        heatmaps: np.ndarray = self._interpreter.get_tensor(self._output)[0]
        return heatmaps

    def decode(self, heatmaps: np.ndarray) -> np.ndarray:
        """Return the keypoints (16, 2), our order, input pixels."""
        return find_blurred_peaks(np.moveaxis(heatmaps, -1, 0))[list(KEYPOINT_ORDER)]


def find_blurred_peaks(heatmaps: np.ndarray) -> np.ndarray:
    """Return the highest pixel of each heatmap (K, H, W) after the released decoder's blur, (K, 2) x and y."""
    from scipy.ndimage import gaussian_filter

    pixels = [int(np.argmax(gaussian_filter(heatmap, sigma=_BLUR_SIGMA))) for heatmap in heatmaps]
    rows, columns = np.divmod(pixels, heatmaps.shape[2])
    return np.stack((columns, rows), axis=1).astype(np.float64)
