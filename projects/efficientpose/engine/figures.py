"""Write figures to files, whole or not at all, without a display."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from efficientpose.core.files import make_writable_folder, replacing

DOTS_PER_INCH = 150


def check_figure_path(path: Path) -> str:
    """Return the format that a path's suffix names, and make its folder; also for use before hours of measuring.

    Raises:
        ValueError: If there is no such format.
        OSError: If the folder cannot be written to.
    """
    suffix = path.suffix.removeprefix(".").lower()
    formats = FigureCanvasAgg(Figure()).get_supported_filetypes()
    if suffix not in formats:
        raise ValueError(f"{path}: figures end in one of {', '.join(sorted(formats))}; try {path.with_suffix('.png')}")
    make_writable_folder(path.parent)
    return suffix


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the path's suffix names.

    Raises:
        ValueError: If there is no such format.
        OSError: If the file cannot be written.
    """
    suffix = check_figure_path(path)
    with replacing(path) as partial:
        figure.savefig(partial, format=suffix, dpi=DOTS_PER_INCH)
