"""All checks of an annotation file, one after the other."""

from collections.abc import Callable
from pathlib import Path

from dataset_checker.annotations import LabelledDataset
from dataset_checker.duplicates import check_duplicates
from dataset_checker.findings import Finding, Severity
from dataset_checker.geometry import check_geometry
from dataset_checker.images import check_presence, read_pictures
from dataset_checker.sides import check_sides


def check_dataset(
    dataset: LabelledDataset,
    *,
    images: Path | None = None,
    read_images: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> list[Finding]:
    """Check a data set.

    Args:
        dataset: As it was read; its own findings are among those returned.
        images: Folder of the images; None to check the annotations alone.
        read_images: Whether to read every image: it must be readable, of the annotated size, and there once.
        advance: Called after each image read.

    Returns:
        Errors first, then warnings; within each by reason and in the file's order.

    Raises:
        FileNotFoundError: If the folder of images does not exist.
        ValueError: If images should be read and no folder is given.
    """
    if images is None and read_images:
        raise ValueError("reading images needs their folder")
    if images is not None and not images.is_dir():
        raise FileNotFoundError(f"{images}: no such folder of images")
    findings = list(dataset.findings)
    if images is not None:
        findings += check_presence(dataset, images)
    if images is not None and read_images:
        findings += read_pictures(dataset, images, advance=advance)
    findings += check_geometry(dataset)
    findings += check_sides(dataset)
    findings += check_duplicates(dataset)
    return sorted(findings, key=lambda finding: (finding.severity is not Severity.ERROR, finding.reason))
