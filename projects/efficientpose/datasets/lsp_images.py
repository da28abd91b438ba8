"""Put a data set's photographs where its annotations are, without touching what is there already."""

import filecmp
import shutil
from collections.abc import Sequence
from pathlib import Path

from efficientpose.atomic import replacing


def provide_images(source: Path, destination: Path, names: Sequence[str], *, copy: bool) -> None:
    """Make ``destination`` a symbolic link to ``source``, or a folder with copies of the photographs named.

    Nothing is done where both are the same folder, and a photograph that is there already is not copied again.

    Raises:
        FileExistsError: If ``destination`` or a photograph in it is there and is something else.
        OSError: If the link cannot be made or a photograph not be copied.
    """
    if destination.exists() and destination.resolve() == source.resolve():
        return
    if copy:
        _copy_images(source, destination, names)
        return
    if destination.exists() or destination.is_symlink():
        raise FileExistsError(
            f"{destination} is there and is not {source}: name another folder, or complete a copy with --copy-images"
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        destination.symlink_to(source.resolve(), target_is_directory=True)
    except OSError as error:
        raise OSError(
            error.errno, f"no link can be made ({error.strerror}); use --copy-images", str(destination)
        ) from (error)


def _copy_images(source: Path, destination: Path, names: Sequence[str]) -> None:
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise FileExistsError(f"{destination} is there and is not a folder to copy into: name another folder")
    present = {name for name in names if (destination / name).exists()}
    for name in sorted(present):
        if not filecmp.cmp(source / name, destination / name, shallow=False):
            raise FileExistsError(f"{destination / name} is there and differs from {source / name}: remove one of them")
    destination.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name not in present:
            with replacing(destination / name) as partial:
                shutil.copyfile(source / name, partial)
