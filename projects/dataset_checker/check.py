"""Read an annotation file, run all checks, write a report. Start here."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from dataset_checker.annotations import Finding, LabelledDataset, Severity
from dataset_checker.coco_layout import read_coco
from dataset_checker.geometry import check_duplicates, check_geometry
from dataset_checker.images import check_files, check_presence
from dataset_checker.mpii_layout import read_mpii
from dataset_checker.sides import check_sides
from efficientpose.core.files import replacing


def read_dataset(path: Path) -> LabelledDataset:
    """Read an annotation file in COCO's or MPII's layout.

    Raises OSError if it cannot be read; ValueError if it is not JSON, or of neither layout.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if isinstance(content, list) and content and all(isinstance(entry, dict) for entry in content):
        return read_mpii(path, content)
    if isinstance(content, dict) and "annotations" in content:
        return read_coco(path, content)
    raise ValueError(
        f"{path}: expected COCO's layout (an object with images, annotations and categories) or MPII's (a list of "
        "people with image, joints and joints_vis)"
    )


def check_dataset(
    dataset: LabelledDataset,
    *,
    images: Path | None = None,
    read_images: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> list[Finding]:
    """Check a dataset; return errors, then warnings, each by reason and in the file's order.

    Args:
        dataset: As it was read; its own findings are among those returned.
        images: Folder of the images; None to check the annotations alone.
        read_images: Read every image: it must be readable, of the annotated size, and there once.
        advance: Called after each image read.

    Raises:
        FileNotFoundError: If the folder of images does not exist.
        ValueError: If images should be read and no folder is given.
    """
    if images is None and read_images:
        raise ValueError("reading images needs their folder")
    findings = list(dataset.findings)
    if images is not None:
        if not images.is_dir():
            raise FileNotFoundError(f"{images}: no such folder of images")
        findings += check_presence(dataset, images)
        if read_images:
            findings += check_files(dataset, images, advance=advance)
    for check in (check_geometry, check_sides, check_duplicates):
        findings += check(dataset)
    return sorted(findings, key=lambda finding: (finding.severity is not Severity.ERROR, finding.reason))


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write a report: JSON to a ``.json`` file, otherwise CSV.

    Raises OSError if it cannot be written.
    """
    rows = [finding._asdict() | {"severity": finding.severity.value} for finding in findings]
    if path.suffix.lower() == ".json":
        text = json.dumps(rows, indent=1, allow_nan=False) + "\n"
    else:
        table = io.StringIO()
        writer = csv.DictWriter(table, Finding._fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text = table.getvalue()
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
