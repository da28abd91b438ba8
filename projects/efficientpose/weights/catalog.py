"""The files the authors released, at https://github.com/daniegr/EfficientPose (Apache-2.0)."""

from dataclasses import dataclass
from typing import Final, Literal

from efficientpose.variants import get_variant

MODELS_URL: Final = "https://github.com/daniegr/EfficientPose/raw/master/models/"

Kind = Literal["keras", "tflite"]


@dataclass(frozen=True, kw_only=True)
class ReleasedFile:
    """One released file.

    Attributes:
        variant: Name of its variant.
        kind: "keras" has every output in float32; "tflite" has float16 weights with batch norm folded in.
        name: File name.
        path: Where it is below :data:`MODELS_URL`.
        sha256: Its checksum; None where it was not at hand, so that a download cannot be checked.
    """

    variant: str
    kind: Kind
    name: str
    path: str
    sha256: str | None


def _keras(variant: str, sha256: str | None) -> ReleasedFile:
    name = f"EfficientPose{variant.upper()}.h5"
    return ReleasedFile(variant=variant, kind="keras", name=name, path=f"keras/{name}", sha256=sha256)


def _tflite(variant: str, sha256: str | None) -> ReleasedFile:
    name = f"EfficientPose{variant.upper()}.tflite"
    return ReleasedFile(variant=variant, kind="tflite", name=name, path=f"tflite/{name}", sha256=sha256)


RELEASED_FILES: Final = (
    _keras("rt", "508943cfdeb1d102d69aff4280b805c023585b0d9ae530344fb4c4fad3a175f1"),
    _keras("i", "003aea100c30c68103fb4c383fb8782f78adbea7a45451af85334327b79fc5bd"),
    _keras("ii", None),
    _keras("iii", None),
    _keras("iv", None),
    _tflite("rt", "baf3da751c55517b7072a13f37ad5ce89d2dee813a7f0038ce90a7c8776d63b7"),
    _tflite("i", "fc5aac01a3b10b00f110acf862ff241cfa687f66a54ed022784c946218d5d54b"),
    _tflite("ii", "0659b687e8c0d33f63855c2b196d355b317490a586275609e20787861a305ac3"),
)


def released_files(variant: str) -> tuple[ReleasedFile, ...]:
    """Return a variant's released files, the most exact first.

    Raises:
        ValueError: If the variant is unknown.
    """
    name = get_variant(variant).name
    return tuple(file for file in RELEASED_FILES if file.variant == name)


def released_file(variant: str, *, kind: Kind = "keras") -> ReleasedFile:
    """Return a variant's released file of one kind.

    Raises:
        ValueError: If the variant is unknown or was not released (or is not known here) in this kind.
    """
    files = released_files(variant)
    for file in files:
        if file.kind == kind:
            return file
    known = " or ".join(file.kind for file in files)
    raise ValueError(f"no {kind} file of {get_variant(variant).title} is known: choose {known}")
