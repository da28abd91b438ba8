"""Which network runs, where, and on whom: the options that several commands share."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from efficientpose.commands.console import quiet_imports
from efficientpose.commands.people import add_people_options, whom
from efficientpose.core.variants import VARIANTS

if TYPE_CHECKING:
    from efficientpose.core.poses import Estimator


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which network runs, where, and on whom."""
    parser.add_argument(
        "--model",
        default="rt",
        type=parse_model,
        help="variant (default: rt), or a file that efficientpose export wrote: it runs without PyTorch",
    )
    parser.add_argument("--weights", type=Path, help="checkpoint (.pth) or released file (.h5, .tflite) of a variant")
    parser.add_argument("--config", type=Path, help="config of a network of your own; needs --weights")
    add_people_options(parser)
    parser.add_argument("--device", default="cpu", help='where the network runs, such as "cuda:0" (default: cpu)')
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the network (default: all cores)")
    parser.add_argument("--engine", help="for a file: onnxruntime, openvino or litert (default: by its ending)")
    parser.add_argument("--precision", help="for a file in OpenVINO: float32 (default), bf16 or float16")
    parser.add_argument("--flip-test", action="store_true", help="average with the mirrored picture; twice the time")
    parser.add_argument(
        "--subpixel", action="store_true", help="read keypoints between the pixels of what the network sees"
    )


def parse_model(text: str) -> str | Path:
    """Return the name of a variant, or the path of an exported file.

    Raises:
        argparse.ArgumentTypeError: If it is neither.
    """
    if text.lower() in VARIANTS:
        return text.lower()
    from efficientpose.runtime.engines import MODEL_SUFFIXES

    if Path(text).suffix.lower() in MODEL_SUFFIXES:
        return Path(text)
    raise argparse.ArgumentTypeError(
        f"invalid choice: {text!r} (choose from {', '.join(map(repr, VARIANTS))}, or an exported file that ends in "
        f"{', '.join(sorted(MODEL_SUFFIXES))})"
    )


def load_estimator(options: argparse.Namespace) -> "Estimator":
    """Load what the options of :func:`add_network_options` name; an exported file without PyTorch.

    Raises:
        ValueError: If it cannot be used.
        FileNotFoundError: If a file or weights are missing.
    """
    if isinstance(options.model, Path):
        return _load_file(options)
    with quiet_imports():
        import torch

        from efficientpose.inference.estimator import PoseEstimator as TorchEstimator
        from efficientpose.inference.paf_estimator import PeopleEstimator
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if whom(options) == "paf":
        return PeopleEstimator.load(
            options.model,
            weights=options.weights,
            config=options.config,
            device=options.device,
            flip_test=options.flip_test,
        )
    return TorchEstimator.load(
        options.model,
        weights=options.weights,
        config=options.config,
        device=options.device,
        flip_test=options.flip_test or None,
        subpixel=options.subpixel or None,
    )


def _load_file(options: argparse.Namespace) -> "Estimator":
    if whom(options) == "paf":
        from efficientpose.people.paf_estimator import PafEstimator

        load: Callable[..., Estimator] = PafEstimator.load
    else:
        from efficientpose.runtime.estimator import PoseEstimator

        load = partial(PoseEstimator, subpixel=options.subpixel)
    return load(
        options.model,
        engine=options.engine,
        threads=options.threads,
        device=options.device,
        precision=options.precision,
        flip_test=options.flip_test,
    )
