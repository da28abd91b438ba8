"""The files that the authors released, and their checksums."""

from dataclasses import dataclass
from typing import Final, Literal

from efficientpose.core.variants import get_variant

MODELS_URL: Final = "https://github.com/daniegr/EfficientPose/raw/master/models/"

Kind = Literal["keras", "tflite"]
_SUFFIXES: Final = {"keras": ".h5", "tflite": ".tflite"}


@dataclass(frozen=True)
class ReleasedFile:
    """One released file: "keras" in float32, or "tflite" in float16 with batch norm folded in.

    Both have every output, but of the Lite variants only the final one. ``sha256`` is None where it is not known, so
    that a download cannot be checked.
    """

    kind: Kind
    variant: str
    sha256: str | None

    @property
    def name(self) -> str:
        """File name."""
        return f"EfficientPose{self.variant.upper()}{_SUFFIXES[self.kind]}"

    @property
    def path(self) -> str:
        """Path below :data:`MODELS_URL`."""
        return f"{self.kind}/{self.name}"


# the most exact file of a variant first; of II Lite no Keras file is known
RELEASED_FILES: Final = (
    ReleasedFile("keras", "rt", "508943cfdeb1d102d69aff4280b805c023585b0d9ae530344fb4c4fad3a175f1"),
    ReleasedFile("keras", "i", "003aea100c30c68103fb4c383fb8782f78adbea7a45451af85334327b79fc5bd"),
    ReleasedFile("keras", "ii", None),
    ReleasedFile("keras", "iii", None),
    ReleasedFile("keras", "iv", None),
    ReleasedFile("tflite", "rt", "baf3da751c55517b7072a13f37ad5ce89d2dee813a7f0038ce90a7c8776d63b7"),
    ReleasedFile("tflite", "i", "fc5aac01a3b10b00f110acf862ff241cfa687f66a54ed022784c946218d5d54b"),
    ReleasedFile("tflite", "ii", "0659b687e8c0d33f63855c2b196d355b317490a586275609e20787861a305ac3"),
    ReleasedFile("keras", "rt_lite", "ce0c91259b075180177d070d0be1e71ff8695d7c123745efb950743aa90699ae"),
    ReleasedFile("keras", "i_lite", "3eb6eb2a595e47d3104590e6484533d64534e4b994397a9dd2bd3e5a11430516"),
    ReleasedFile("tflite", "rt_lite", "43c2257e6837c5b7a82e0ecef4bf44d9927952dad0fb473a8d536c545d6d8b56"),
    ReleasedFile("tflite", "i_lite", "95ae3a739cdb2115e9da5402947db957d7bffd8933c0e8fb42aaae6a772a3f10"),
    ReleasedFile("tflite", "ii_lite", "e0d23ecf1f689e9394a2f3768d5e9aebc8457c5e88ef418fea35fe727f5c92cc"),
)


def released_files(variant: str) -> tuple[ReleasedFile, ...]:
    """Return a variant's released files, the most exact first; a ValueError if the variant is unknown."""
    name = get_variant(variant).name
    return tuple(file for file in RELEASED_FILES if file.variant == name)


def released_file(variant: str, *, kind: Kind | None = None) -> ReleasedFile:
    """Return a variant's released file of one kind; None for the most exact there is.

    Raises ValueError if the variant is unknown or was not released (or is not known here) in this kind.
    """
    files = released_files(variant)
    for file in files:
        if kind in (None, file.kind):
            return file
    known = " or ".join(file.kind for file in files)
    raise ValueError(f"no {kind} file of {get_variant(variant).title} is known: choose {known}")
