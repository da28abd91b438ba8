"""``efficientpose measure``: from a video, or what predict found in it, to tracks, clean signals, angles and files."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from efficientpose.commands import predict
from efficientpose.commands.console import NOTHING_DONE, UsageError
from efficientpose.commands.estimators import add_network_options

if TYPE_CHECKING:
    from efficientpose.movement.recording import Recording, Track


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("measure", help="joint angles and signals from a video", description=measure.__doc__)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a video, or what predict wrote: .jsonl or .csv")
    parser.add_argument("--out", type=Path, default=Path("output"), metavar="DIR", help="where to (default: output)")
    parser.add_argument(
        "--formats", default="csv", metavar="NAMES", help="files to write, joined by commas (default: csv; or all)"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--person", type=int, metavar="N", help="measure this person alone, by number")
    who.add_argument("--largest", action="store_true", help="measure the person who fills most of the picture alone")
    who.add_argument("--click", metavar="X,Y,FRAME", help="measure the person at this place in this frame alone")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--height", type=float, metavar="METRES", help="the person's height: gives files in metres")
    scale.add_argument("--length", metavar="ONE,OTHER,METRES", help="a length between two keypoints, likewise")
    parser.add_argument("--smoothing", choices=("butterworth", "one_euro", "none"), default="butterworth")
    parser.add_argument(
        "--cutoff", type=float, default=6.0, metavar="HZ", help="of the Butterworth filter (default: 6)"
    )
    parser.add_argument("--max-gap", type=float, default=0.2, metavar="SECONDS", help="longest gap filled; 0 for none")
    parser.add_argument("--min-score", type=float, metavar="SCORE", help="take out keypoints that score lower")
    parser.add_argument(
        "--repair-sides",
        action="store_true",
        help="put exchanged left and right back; look at the result: fast movement seen from the front can mislead it",
    )
    parser.add_argument("--keep-outliers", action="store_true", help="do not take out keypoints that jump away")
    add_network_options(parser)
    parser.set_defaults(run=measure)


def measure(options: argparse.Namespace) -> int:
    """Follow everybody through a video, clean the signals, and write angles, their plots, and files for other tools.

    A video is first taken through predict. Raw values are kept beside the filtered ones.
    """
    from efficientpose.movement.angles import angle_table, write_angles
    from efficientpose.movement.files import FORMATS, read, write
    from efficientpose.movement.files.read import READERS
    from efficientpose.movement.filtering import filter_recording
    from efficientpose.movement.following import follow_people
    from efficientpose.movement.plots import plot_angles
    from efficientpose.runtime.job import prepare_folder

    formats = _parse_formats(options.formats)
    click = None if options.click is None else _parse_numbers(options.click, "--click", "X,Y,FRAME", count=3)
    prepare_folder(options.out)
    if options.source.suffix.lower() in READERS:
        found = options.source
    else:
        status = predict.predict(_predict_options(options))
        found = options.out / f"{options.source.stem}_pose.jsonl"
        if status == NOTHING_DONE or not found.is_file():
            return NOTHING_DONE
    recording = follow_people(read(found))
    chosen = _choose(recording, options, click)
    if chosen is not None:
        recording = recording.with_tracks([chosen])
    if not recording.tracks:
        raise UsageError(f"{found}: nobody was found in it")
    result = filter_recording(
        recording,
        min_score=options.min_score,
        sides=options.repair_sides,
        outliers=not options.keep_outliers,
        max_gap=options.max_gap or None,
        smoothing=None if options.smoothing == "none" else options.smoothing,
        cutoff=options.cutoff,
    )
    for report in result.reports:
        print(report)
    metres_per_pixel = _find_scale(result.recording, options)
    for name in formats:
        in_metres = {"metres_per_pixel": metres_per_pixel} if FORMATS[name].in_metres else {}
        print(write(result.recording, options.out, name, **in_metres)[0])
    angles = angle_table(result.recording)
    stem = options.out / found.stem.removesuffix("_pose")
    write_angles(angles, stem.with_name(f"{stem.name}_angles.csv"))
    plot_angles(angles, stem.with_name(f"{stem.name}_angles.png"))
    print(f"{stem}_angles.csv\n{stem}_angles.png")
    return 0


def _parse_formats(text: str) -> list[str]:
    from efficientpose.movement.files import FORMATS

    names = list(FORMATS) if text == "all" else [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in FORMATS]:
        raise UsageError(f"--formats has no {', '.join(unknown)}: there are {', '.join(FORMATS)}")
    return names


def _parse_numbers(text: str, option: str, form: str, *, count: int) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise UsageError(f"{option} takes {form}, not {text!r}")
    return numbers


def _predict_options(options: argparse.Namespace) -> argparse.Namespace:
    given = vars(options) | {"sources": [options.source], "camera": None, "draw": "", "no_overlay": False}
    return argparse.Namespace(**given)


def _choose(recording: "Recording", options: argparse.Namespace, click: list[float] | None) -> "Track | None":
    from efficientpose.movement.subject import choose_at, choose_by_number, choose_largest

    if options.person is not None:
        return choose_by_number(recording, options.person)
    if click is not None:
        x, y, frame = click
        return choose_at(recording, x=x, y=y, frame=int(frame))
    return choose_largest(recording) if options.largest else None


def _find_scale(recording: "Recording", options: argparse.Namespace) -> float | None:
    """Return metres per pixel, from the first person, or None where neither a height nor a length is given."""
    from efficientpose.movement.scale import scale_from_height, scale_from_length

    if options.height is None and options.length is None:
        return None
    (track, *others) = recording.tracks
    if others:
        raise UsageError("--height and --length are of one person: choose one with --person, --largest or --click")
    if options.height is not None:
        scale = scale_from_height(recording, track, metres=options.height)
    else:
        one, _, rest = options.length.partition(",")
        other, _, metres = rest.partition(",")
        (length,) = _parse_numbers(metres, "--length", "ONE,OTHER,METRES", count=1)
        scale = scale_from_length(recording, track, one, other, metres=length)
    print(f"{scale.metres_per_pixel * 1000:.3f} mm a pixel (median of {scale.num_frames} frames)")
    return scale.metres_per_pixel
