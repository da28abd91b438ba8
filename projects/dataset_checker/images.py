"""The image files behind annotations: absent, unreadable, of another size, or the same one twice."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from dataset_checker.annotations import LabelledDataset
from dataset_checker.findings import Finding, Severity
from efficientpose.core.images import ImageError, read_image


def check_presence(dataset: LabelledDataset, folder: Path) -> Iterator[Finding]:
    """Yield images that are not in the folder."""
    for name in dataset.image_sizes:
        if not (folder / name).is_file():
            detail = f"{folder / name} is no file"
            yield Finding(str(dataset.path), name, None, "missing_image", Severity.ERROR, detail)


def read_pictures(
    dataset: LabelledDataset, folder: Path, *, advance: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    """Read every image that is there; yield those that are unusable or the same as an earlier one.

    Args:
        dataset: Gets the sizes of images that the file gives none of, so that borders can be checked afterwards.
        folder: Where the images are.
        advance: Called after each image.
    """
    by_content: dict[bytes, list[str]] = defaultdict(list)
    for name, annotated in list(dataset.image_sizes.items()):
        path = folder / name
        if path.is_file():
            try:
                height, width = read_image(path).shape[:2]
            except ImageError as error:
                yield Finding(str(dataset.path), name, None, "unreadable_image", Severity.ERROR, str(error))
            else:
                if annotated is None:
                    dataset.image_sizes[name] = (width, height)
                elif annotated != (width, height):
                    detail = (
                        f"the file has {width} x {height} pixels, the annotations say {annotated[0]} x {annotated[1]}"
                    )
                    yield Finding(str(dataset.path), name, None, "image_size", Severity.ERROR, detail)
                by_content[hashlib.blake2b(path.read_bytes(), digest_size=16).digest()].append(name)
        advance()
    for names in by_content.values():
        for name in names[1:]:
            detail = f"the same file as {names[0]}, byte by byte"
            yield Finding(str(dataset.path), name, None, "same_picture", Severity.WARNING, detail)
