"""Folders of trainings that are done once and then only read."""

from pathlib import Path
from typing import Final

from efficientpose.atomic import replacing

DESCRIPTION_FILE: Final = "run.txt"


def claim_folder(folder: Path, description: str) -> None:
    """Make a run's folder and write into it what the run is; one that is there must be of the same run.

    Args:
        folder: The run's own.
        description: All that its result depends on.

    Raises:
        OSError: If it cannot be made.
        ValueError: If the folder holds another run, or does not say which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DESCRIPTION_FILE
    advice = "remove it, or give another --out"
    if path.is_file():
        if path.read_text(encoding="utf-8") != description:
            raise ValueError(f"{folder} holds a run of other settings, which {path.name} there tells: {advice}")
    elif any(folder.iterdir()):
        raise ValueError(f"{folder} holds files and no {path.name} that tells of which run: {advice}")
    else:
        with replacing(path) as partial:
            partial.write_text(description, encoding="utf-8")
