"""What an exported model file says of itself, so that running it needs nothing else."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

from efficientpose.core.skeleton import Limb, Skeleton

METADATA_KEY = "efficientpose"
"""Where a model file keeps it: ONNX metadata property, OpenVINO rt_info entry, LiteRT metadata buffer, TorchScript
extra file."""

FORMAT = 1

Layout = Literal["nchw", "nhwc"]
Precision = Literal["float32", "float16", "int8"]

MAX_SIGMA: Final = 0.5
"""Peaks wider than half the input are none."""

MAX_BLUR_SIGMA: Final = 16.0
"""Pixels; a wider blur would join what lies two cells of the heatmaps apart."""


class MetadataError(ValueError):
    """A model file says nothing of itself, or something that cannot be used; the message says what."""


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """How to feed an exported network and to read its answer.

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
            MetadataError: If there is none, it is no such JSON, of a newer format, or an entry is missing or unusable.
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
        metadata = cls(**_as_tuples(entries))
        metadata._check(source)
        return metadata

    def _check(self, source: str) -> None:
        if (fault := self._find_fault()) is not None:
            raise MetadataError(f"{source}: its entry {METADATA_KEY!r} is unusable: {fault}; export the model again")
        try:
            fits = self._hangs_together()
        except (TypeError, ValueError):  # an entry of another type, or a list of another length
            fits = False
        if not fits:
            raise MetadataError(f"{source}: its entry {METADATA_KEY!r} does not hang together: {self}")

    def _find_fault(self) -> str | None:
        """Return which entry by itself cannot be right, and what would be; None if each can."""
        for name in ("variant", "version", "weights"):
            if not isinstance(value := getattr(self, name), str):
                return f"{name} is {value!r}, and must be a text"
        if self.precision not in get_args(Precision):
            return f"precision is {self.precision!r}, and must be one of {', '.join(get_args(Precision))}"
        if not (_is_number(self.sigma) and 0 < self.sigma <= MAX_SIGMA):
            return f"sigma is {self.sigma!r}, and must be a fraction of the input above 0, at most {MAX_SIGMA:g}"
        if not (_is_number(self.blur_sigma) and 0 <= self.blur_sigma <= MAX_BLUR_SIGMA):
            return f"blur_sigma is {self.blur_sigma!r}, and must be pixels, 0 to {MAX_BLUR_SIGMA:g}"
        return None

    def _hangs_together(self) -> bool:
        num_keypoints = len(self.keypoint_names)
        indices = [*self.flip_indices, *(joint for one, other in self.limbs for joint in (one, other))]
        width, height = self.input_size
        scales = [] if self.mean is None or self.std is None else [*zip(self.mean, self.std, strict=True)]
        return (
            self.input_layout in get_args(Layout)
            and self.heatmap_stride in (1, 8)
            and all(isinstance(name, str) for name in self.keypoint_names)
            and all(isinstance(number, int) for number in (width, height, *indices))
            and min(width, height) > 0
            and len(self.flip_indices) == num_keypoints
            and set(indices) <= set(range(num_keypoints))
            and (self.mean is None) == (self.std is None)
            and len(scales) in (0, 3)
            and all(math.isfinite(mean) and 0 < std < math.inf for mean, std in scales)
            and isinstance(self.has_pafs, bool)
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_tuples(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _as_tuple(value) for name, value in entries.items()}


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
