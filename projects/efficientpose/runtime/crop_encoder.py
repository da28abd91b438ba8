"""Crops as the batch that an exported network takes."""

import cv2
import numpy as np

from efficientpose.runtime.metadata import ModelMetadata


class CropEncoder:
    """Turns crops into the batch that a network takes: channels in RGB order, normalised, in its layout and dtype.

    A table of the 256 values does all arithmetic in one pass; it gives the very bits of (value − mean) / std.
    """

    def __init__(self, metadata: ModelMetadata, *, dtype: np.dtype) -> None:
        values = np.arange(256, dtype=np.float32)
        if metadata.mean is None or metadata.std is None:
            tables = [values] * 3
        else:
            spread = zip(metadata.mean, metadata.std, strict=True)
            tables = [(values - np.float32(mean)) / np.float32(std) for mean, std in spread]
        self._tables = [table.astype(dtype) for table in tables]
        self._dtype = dtype
        self._layout = metadata.input_layout

    def encode(self, crops: list[np.ndarray]) -> np.ndarray:
        """Return the batch (B, 3, H, W) or (B, H, W, 3), as the network's layout is, of crops (H, W, 3) uint8, BGR."""
        height, width = crops[0].shape[:2]
        if self._layout == "nhwc":
            table = np.stack(self._tables, axis=-1)[:, None]
            return np.stack([cv2.LUT(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), table) for crop in crops])
        batch = np.empty((len(crops), 3, height, width), self._dtype)
        for crop, encoded in zip(crops, batch, strict=True):
            for plane, table, target in zip(reversed(cv2.split(crop)), self._tables, encoded, strict=True):
                cv2.LUT(plane, table, dst=target)
        return batch
