"""Configs and the starter checkpoint: inside an installed package, or beside the sources of an editable one."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def config_path(name: str) -> Path:
    """Return a config that ships with the package, by its path below ``configs/``.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    root = _content_root() / "configs"
    path = root / name
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such config; see {root} for those there are")
    return path


def mpii_config_path(variant: str) -> Path:
    """Return the MPII config of a variant, such as "rt" or "ii_lite"."""
    return config_path(f"efficientpose_{variant}_mpii.py")


def starter_checkpoint() -> Path:
    """Return the starter checkpoint of RT: our recipe from random weights, see its config.

    Raises:
        FileNotFoundError: If it is missing.
    """
    path = _content_root() / "checkpoints" / "efficientpose_rt_starter.pth"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the starter checkpoint is missing; install efficientpose again")
    return path


def _content_root() -> Path:
    installed = PACKAGE / ".mim"
    return installed if installed.is_dir() else PACKAGE.parents[1]
