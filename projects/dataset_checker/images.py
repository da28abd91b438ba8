"""The image files behind annotations: absent, unreadable, of another size, or the same one twice."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from dataset_checker.annotations import Finding, LabelledDataset, Severity
from efficientpose.core.images import ImageError, read_image


def check_presence(dataset: LabelledDataset, folder: Path) -> Iterator[Finding]:
    """Yield images that are not in the folder."""
    for name in dataset.image_sizes:
        if not (folder / name).is_file():
            detail = f"{folder / name}: no such file"
            yield dataset.finding("missing_image", detail, image=name, severity=Severity.ERROR)


def check_files(
    dataset: LabelledDataset, folder: Path, *, advance: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    """Read every image that is there; yield those that are unusable or the same as an earlier one.

    Images without a size in the annotation file get theirs, so that borders can be checked.
    """
    first_with: dict[bytes, str] = {}
    for name, annotated in list(dataset.image_sizes.items()):
        path = folder / name
        if path.is_file():
            try:
                height, width = read_image(path).shape[:2]
            except ImageError as error:
                yield dataset.finding("unreadable_image", str(error), image=name, severity=Severity.ERROR)
            else:
                if annotated is None:
                    dataset.image_sizes[name] = (width, height)
                elif annotated != (width, height):
                    stated = f"{annotated[0]} x {annotated[1]}"
                    detail = f"the file has {width} x {height} pixels, the annotations say {stated}"
                    yield dataset.finding("image_size", detail, image=name, severity=Severity.ERROR)
                first = first_with.setdefault(hashlib.blake2b(path.read_bytes(), digest_size=16).digest(), name)
                if first != name:
                    yield dataset.finding("same_picture", f"the same file as {first}, byte by byte", image=name)
        advance()
