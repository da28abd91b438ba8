"""Where the configs lie: inside an installed package, or beside the sources of an editable one."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def config_path(name: str) -> Path:
    """Return a config that ships with the package.

    Args:
        name: Its path below ``configs/``, such as "efficientpose_rt_mpii.py".

    Raises:
        FileNotFoundError: If there is no such config.
    """
    installed = PACKAGE / ".mim" / "configs"
    root = installed if installed.is_dir() else PACKAGE.parents[1] / "configs"
    path = root / name
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such config; see {root} for those there are")
    return path


def mpii_config_path(variant: str) -> Path:
    """Return the MPII config of a variant ("rt", "i", "ii", "iii" or "iv")."""
    return config_path(f"efficientpose_{variant}_mpii.py")
