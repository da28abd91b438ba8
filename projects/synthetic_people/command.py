"""What the tools that draw data sets share: their arguments, a progress bar, messages."""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from synthetic_people.generate import Plan

FAILED, INTERRUPTED = 1, 130

Draw = Callable[[Plan, Callable[[], None]], None]
"""Draws a plan's pictures and calls the function after each."""


def add_drawing_arguments(
    parser: argparse.ArgumentParser, *, num_train: int, num_val: int, pictures: str, earlier: str
) -> None:
    """Add where to draw, how much, and how.

    Args:
        parser: Of the tool.
        num_train: Default for training.
        num_val: Default for validation.
        pictures: What they are called.
        earlier: What ``--overwrite`` replaces.
    """
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--train", type=int, default=num_train, help=f"{pictures} for training (default: %(default)s)")
    parser.add_argument("--val", type=int, default=num_val, help=f"{pictures} for validation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help=f"replace {earlier}")


def draw_dataset(arguments: argparse.Namespace, draw: Draw, *, pictures: str) -> int:
    """Draw with a progress bar; return the exit status.

    Args:
        arguments: Of :func:`add_drawing_arguments`.
        draw: What draws.
        pictures: What they are called.
    """
    try:
        plan = Plan(
            num_train=arguments.train, num_val=arguments.val, seed=arguments.seed, num_workers=arguments.workers
        )
        with Progress("drawing", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            task = progress.add_task("drawing", total=plan.num_train + plan.num_val)
            draw(plan, lambda: progress.advance(task))
    except (ValueError, OSError, BrokenProcessPool) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"interrupted: {arguments.out} is as it was", file=sys.stderr)
        return INTERRUPTED
    print(f"{plan.num_train} training and {plan.num_val} validation {pictures} in {arguments.out}")
    return 0
