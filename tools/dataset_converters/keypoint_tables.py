"""Read keypoints from comma-separated tables: one line a keypoint (tidy), or DeepLabCut's labelled data.

Tidy: a header with image, person, keypoint, x, y and perhaps visible, in any order; other columns are ignored.
``visible`` is as in COCO: 0 not labelled, 1 labelled but hidden, 2 visible. An empty x or y, or NaN, is not labelled.

DeepLabCut's ``CollectedData_<scorer>.csv``: header lines scorer, perhaps individuals, bodyparts and coords; in front of
the coordinates the image's path in one column or, in newer versions, in three.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

TIDY_COLUMNS: Final = ("image", "person", "keypoint", "x", "y")
DEEPLABCUT_ROWS: Final = ("scorer", "individuals", "bodyparts", "coords")
SINGLE: Final = "single"  # DeepLabCut's name of the individual in a project of one animal


class TablePoint(NamedTuple):
    """A labelled keypoint, in the table's coordinates; ``visible`` is 1 or 2, as in COCO."""

    x: float
    y: float
    visible: int


class KeypointTable(NamedTuple):
    """What a table says."""

    keypoint_names: tuple[str, ...]  # in the order of their first appearance
    images: dict[str, dict[str, dict[str, TablePoint]]]  # by image, person and name: the labelled keypoints


def read_table(path: Path) -> KeypointTable:
    """Read a table; its first line says of which kind it is."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not comma-separated text: {error}") from error
    if not rows:
        raise ValueError(f"{path} is empty: expected a header and lines of keypoints")
    table = _read_deeplabcut(path, rows) if rows[0][:1] == ["scorer"] else _read_tidy(path, rows)
    if not table.images:
        raise ValueError(f"{path} has a header and no line of keypoints")
    return table


def _read_tidy(path: Path, rows: Sequence[list[str]]) -> KeypointTable:
    header = [name.strip().lower() for name in rows[0]]
    if missing := [name for name in TIDY_COLUMNS if name not in header]:
        wanted = "image, person, keypoint, x, y and perhaps visible, or DeepLabCut's table, which begins with scorer"
        lacking, given = ", ".join(missing), ", ".join(header)
        raise ValueError(f"{path}: the header lacks {lacking}; it has {given}. Expected {wanted}")
    columns = {name: header.index(name) for name in (*TIDY_COLUMNS, "visible") if name in header}
    names: dict[str, None] = {}
    images: dict[str, dict[str, dict[str, TablePoint]]] = {}
    lines: dict[tuple[str, str, str], int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ValueError(f"{path}, line {line}: {len(row)} cells, expected {len(header)} as in the header")
        cells = {name: row[column].strip() for name, column in columns.items()}
        key = (cells["image"], cells["person"], cells["keypoint"])
        if not key[0] or not key[2]:
            raise ValueError(f"{path}, line {line}: image and keypoint must not be empty")
        if key in lines:
            raise ValueError(f"{path}, line {line}: {', '.join(key)} is in line {lines[key]} too")
        lines[key] = line
        names[key[2]] = None
        person = images.setdefault(key[0], {}).setdefault(key[1], {})
        point = _read_point(cells["x"], cells["y"], cells.get("visible", "2"), where=f"{path}, line {line}")
        if point is not None:
            person[key[2]] = point
    return KeypointTable(tuple(names), images)


def _read_point(x: str, y: str, visible: str, *, where: str) -> TablePoint | None:
    """Return a keypoint; None if it is not labelled."""
    coordinates: list[float] = []
    for name, text in (("x", x), ("y", y)):
        try:
            coordinates.append(float(text) if text else math.nan)
        except ValueError as error:
            expected = "expected a number, or nothing where not labelled"
            raise ValueError(f"{where}: {name} is {text!r}, {expected}") from error
    if visible not in {"0", "1", "2", "0.0", "1.0", "2.0"}:
        raise ValueError(f"{where}: visible is {visible!r}, expected 0 (not labelled), 1 (hidden) or 2 (visible)")
    if any(map(math.isinf, coordinates)):
        raise ValueError(f"{where}: x, y are {x}, {y}, expected finite numbers")
    flag = int(float(visible))
    return None if flag == 0 or any(map(math.isnan, coordinates)) else TablePoint(coordinates[0], coordinates[1], flag)


class _Column(NamedTuple):
    """Where a keypoint's x stands; y is next to it."""

    place: int
    individual: str
    bodypart: str


def _read_deeplabcut(path: Path, rows: Sequence[list[str]]) -> KeypointTable:
    header = {row[0]: row for row in rows[:4] if row[:1] and row[0] in DEEPLABCUT_ROWS}
    columns = _read_deeplabcut_header(path, header)
    num_cells, first = len(header["coords"]), columns[0].place
    images: dict[str, dict[str, dict[str, TablePoint]]] = {}
    for line, row in enumerate(rows[len(header) :], start=len(header) + 1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != num_cells:
            raise ValueError(f"{path}, line {line}: {len(row)} cells, expected {num_cells} as in the header")
        image = "/".join(part for cell in row[:first] for part in cell.strip().replace("\\", "/").split("/") if part)
        if not image or image in images:
            raise ValueError(f"{path}, line {line}: {'no image is named' if not image else image + ' is there twice'}")
        people = images.setdefault(image, {})
        for column in columns:
            x, y = row[column.place].strip(), row[column.place + 1].strip()
            point = _read_point(x, y, "2", where=f"{path}, line {line}, {column.bodypart}")
            person = people.setdefault(column.individual, {})
            if point is not None:
                person[column.bodypart] = point
    return KeypointTable(tuple(dict.fromkeys(column.bodypart for column in columns)), images)


def _read_deeplabcut_header(path: Path, header: dict[str, list[str]]) -> list[_Column]:
    """Return where each keypoint's x stands."""
    if missing := [name for name in ("bodyparts", "coords") if name not in header]:
        raise ValueError(f"{path}: DeepLabCut's header lacks {', '.join(missing)}; it has {', '.join(header)}")
    coords, bodyparts = header["coords"], header["bodyparts"]
    individuals = header.get("individuals", [SINGLE] * len(coords))
    if not len(coords) == len(bodyparts) == len(individuals):
        raise ValueError(f"{path}: the header's lines have different numbers of cells")
    first = next((index for index, cell in enumerate(coords) if cell == "x"), len(coords))
    kinds = coords[first:]
    step = 3 if "likelihood" in kinds else 2
    if not kinds or kinds != ["x", "y", "likelihood"][:step] * (len(kinds) // step):
        raise ValueError(f"{path}: the line coords must repeat x, y (and likelihood), got {', '.join(coords[1:7])}")
    places = range(first, len(coords), step)
    columns = [_Column(index, individuals[index], bodyparts[index]) for index in places]
    for column in columns:
        if bodyparts[column.place + 1] != column.bodypart:
            raise ValueError(f"{path}: x of {column.bodypart} is followed by y of {bodyparts[column.place + 1]}")
    return columns
