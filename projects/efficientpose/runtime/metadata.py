"""What an exported model file says of itself, so that running it needs nothing else."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from efficientpose.core.skeleton import Limb, Skeleton

METADATA_KEY = "efficientpose"  # of the ONNX property, OpenVINO rt_info, LiteRT buffer or TorchScript extra file
FORMAT = 1

Layout = Literal["nchw", "nhwc"]
Precision = Literal["float32", "float16", "int8"]


class MetadataError(ValueError):
    """A model file does not say how to use it, or keeps no promise it makes; the message says what."""


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """How to feed an exported network and to read its output, always (B, channels, height, width)."""

    variant: str  # such as "rt" or "ii_lite"
    version: str  # of efficientpose that exported it
    keypoint_names: tuple[str, ...]  # K, in the order of the heatmaps
    limbs: tuple[tuple[int, int], ...]  # (proximal, distal) keypoint indices, in the order of the part affinity fields
    flip_indices: tuple[int, ...]  # for each keypoint, the one on the other side of the body
    input_size: tuple[int, int]  # (width, height) of the crop, pixels
    input_layout: Layout  # channels are red, green, blue
    mean: tuple[float, float, float] | None  # of each channel of 0 to 255; None where the network subtracts it itself
    std: tuple[float, float, float] | None  # likewise, to divide by
    heatmap_stride: Literal[1, 8]  # input pixels per cell; 1 where the network upsamples heatmaps itself
    has_pafs: bool  # whether part affinity fields, (B, 2L, H / 8, W / 8), are the second output
    sigma: float  # width of the heatmaps' peaks, as a fraction of the input
    blur_sigma: float  # of the blur before the peak is looked for, pixels
    precision: Precision  # of the weights
    weights: str  # where they come from, in words

    @property
    def skeleton(self) -> Skeleton:
        """Keypoints and limbs."""
        return Skeleton(self.keypoint_names, tuple(Limb(*limb) for limb in self.limbs), self.flip_indices)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | None, *, source: str) -> "ModelMetadata":
        """Read what :meth:`to_json` wrote; ``source`` is the file, for messages.

        Raises:
            MetadataError: If there is none, it is no such JSON, of another format, or has other entries.
        """
        if not text:
            raise MetadataError(
                f"{source}: this model file does not say how to use it; export it with efficientpose export, in our "
                "own layout (without --layout rtmlib)"
            )
        try:
            entries = json.loads(text)
        except json.JSONDecodeError as error:
            raise MetadataError(f"{source}: its entry {METADATA_KEY!r} is no JSON ({error})") from error
        if not isinstance(entries, dict) or entries.pop("format", None) != FORMAT:
            raise MetadataError(
                f"{source}: its entry {METADATA_KEY!r} is not of format {FORMAT}; export the model again, or bring "
                "efficientpose up to date"
            )
        expected = {field.name for field in fields(cls)}
        if wrong := sorted(expected ^ entries.keys()):
            raise MetadataError(f"{source}: entries missing or unknown: {', '.join(wrong)}; export the model again")
        return cls(**{name: _as_tuple(value) for name, value in entries.items()})


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
