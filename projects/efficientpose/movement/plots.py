"""Angles over time as an image, drawn without a display: filtered values over the raw ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from efficientpose.core.files import replacing

if TYPE_CHECKING:
    import pandas

DOTS_PER_INCH = 120
PANEL_SIZE = (9.0, 1.8)  # inches, width and height
MARGIN = 0.7  # inches above and below all panels, together


def plot_angles(
    table: "pandas.DataFrame", path: Path, *, angles: Sequence[str] | None = None, person: int | None = None
) -> None:
    """Draw one panel for each angle, with degrees over seconds, as a PNG.

    The raw values are a thin grey line and the filtered ones a coloured line over it. A line breaks where values are
    missing, and a value alone between missing ones is a dot.

    Args:
        table: From ``angle_table``.
        path: The file to write, ending in ``.png``; its folder must exist.
        angles: Which to draw, in this order; None for all.
        person: Whose; None for all people, each in a colour.

    Raises:
        ValueError: If the table has no such angle or person or nothing to draw, or the file does not end in ``.png``.
        OSError: If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: plots are PNG files; try {path.with_suffix('.png')}")
    table = _choose(table, angles, person)
    names = list(dict.fromkeys(table["angle"])) if angles is None else list(angles)
    persons = sorted(table["person"].unique())
    height = PANEL_SIZE[1] * len(names) + MARGIN
    figure = Figure(figsize=(PANEL_SIZE[0], height))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(
        left=0.08, right=0.98, bottom=0.7 * MARGIN / height, top=1 - 0.4 * MARGIN / height, hspace=0.4
    )
    panels = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, names, strict=True):
        for number, of_person in table[table["angle"] == name].groupby("person"):
            color, degrees = f"C{persons.index(number) % 10}", of_person["degrees"]
            panel.plot(of_person["seconds"], of_person["raw_degrees"], color="0.7", linewidth=0.7, label="_raw")
            panel.plot(of_person["seconds"], degrees, color=color, linewidth=1.4, label=f"person {number}")
            alone = of_person[degrees.notna() & degrees.shift(1).isna() & degrees.shift(-1).isna()]
            panel.plot(alone["seconds"], alone["degrees"], color=color, marker=".", linestyle="")
        panel.set_title(name.replace("_", " "), loc="left", fontsize=9)
        panel.set_ylabel("degrees", fontsize=8)
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("seconds (grey: before filters)")
    if len(persons) > 1:
        panels[0].legend(fontsize=8)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=DOTS_PER_INCH)


def _choose(table: "pandas.DataFrame", angles: Sequence[str] | None, person: int | None) -> "pandas.DataFrame":
    for column, wanted in (("person", None if person is None else [person]), ("angle", angles)):
        known = list(dict.fromkeys(table[column]))
        missing = [name for name in wanted or () if name not in known]
        if missing:
            raise ValueError(f"no {column} {missing[0]!r}: there are {', '.join(map(str, known)) or 'none'}")
        table = table if wanted is None else table[table[column].isin(wanted)]
    if table.empty:
        raise ValueError("there are no angles to draw: nobody was found, or the skeleton has no joints with names")
    return table
