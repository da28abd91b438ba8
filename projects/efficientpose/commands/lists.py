"""Options that take several names, joined by commas."""

from efficientpose.commands.console import UsageError
from efficientpose.core.variants import VARIANTS


def split_names(text: str) -> list[str]:
    """Return the names, each once and in their order."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def parse_variants(text: str) -> list[str]:
    """Return the variants that ``--model`` names.

    Raises:
        UsageError: If there is none, or one that is not known.
    """
    names = split_names(text.lower())
    if not names:
        raise UsageError(f"--model takes variants, joined by commas: {', '.join(VARIANTS)}")
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UsageError(f"--model has no {', '.join(unknown)}: there are {', '.join(VARIANTS)}")
    return names
