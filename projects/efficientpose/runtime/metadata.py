"""What an exported model file says of itself, so that running it needs nothing else."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from efficientpose.core.skeleton import Limb, Skeleton

METADATA_KEY = "efficientpose"
"""Where a model file keeps it: ONNX metadata property, OpenVINO rt_info entry, LiteRT metadata buffer, TorchScript
extra file."""

FORMAT = 1

Layout = Literal["nchw", "nhwc"]
Precision = Literal["float32", "float16", "int8"]


class MetadataError(ValueError):
    """A model file does not say how to use it, or keeps no promise it makes; the message says what."""


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """How to feed an exported network and to read its output.

    Attributes:
        variant: Name of the variant, such as "rt" or "ii_lite".
        version: Version of efficientpose that exported it.
        keypoint_names: K names, in the order of the heatmaps.
        limbs: Pairs (proximal, distal) of keypoint indices, in the order of the part affinity fields.
        flip_indices: For each keypoint, the one on the other side of the body.
        input_size: (width, height) of the crop, pixels.
        input_layout: Order of the input's axes; channels are red, green, blue.
        mean: What is subtracted from each channel of 0 to 255; None where the network does it itself.
        std: What each channel is then divided by; None where the network does it itself.
        heatmap_stride: Input pixels per cell of the heatmaps: 8, or 1 where the network upsamples them itself.
        has_pafs: Whether there is a second output, the part affinity fields, (B, 2L, H / 8, W / 8).
        sigma: Width of the heatmaps' peaks, as a fraction of the input.
        blur_sigma: Blur before the peak is looked for, pixels.
        precision: Type of the weights.
        weights: Where the weights come from, in words.

    Outputs are always (B, channels, height, width), whatever the input's layout.
    """

    variant: str
    version: str
    keypoint_names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    flip_indices: tuple[int, ...]
    input_size: tuple[int, int]
    input_layout: Layout
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    heatmap_stride: Literal[1, 8]
    has_pafs: bool
    sigma: float
    blur_sigma: float
    precision: Precision
    weights: str

    @property
    def skeleton(self) -> Skeleton:
        """Keypoints and limbs."""
        return Skeleton(self.keypoint_names, tuple(Limb(*limb) for limb in self.limbs), self.flip_indices)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | None, *, source: str) -> "ModelMetadata":
        """Read what :meth:`to_json` wrote.

        Args:
            text: The JSON; None where the file has none.
            source: The file, for messages.

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
