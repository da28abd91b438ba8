"""What a check found, and how it is written down."""

import csv
import io
import json
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from efficientpose.core.files import replacing


class Severity(Enum):
    """How sure it is that something is wrong."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One thing that is wrong or suspicious.

    Attributes:
        file: The annotation file.
        image: The image's file name; empty if it is about no one image.
        annotation: The annotation's id (in MPII's layout its place in the list, from 0); None if about no one person.
        reason: A short name, always the same for the same kind.
        severity: An error is certainly wrong; a warning should be looked at.
        detail: What exactly, with numbers.
    """

    file: str
    image: str
    annotation: int | str | None
    reason: str
    severity: Severity
    detail: str


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write a report: JSON if the name ends so, otherwise CSV.

    Raises:
        OSError: If it cannot be written.
    """
    rows = [finding._replace(severity=finding.severity.value)._asdict() for finding in findings]  # type: ignore[arg-type]
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
