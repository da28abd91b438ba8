"""``efficientpose measure``: from a video, or what predict found in it, to tracks, clean signals, angles and files."""

import argparse
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from efficientpose.commands import predict
from efficientpose.commands.console import NOTHING_DONE, SOME_FAILED, UsageError, exit_status
from efficientpose.commands.estimators import add_network_options

if TYPE_CHECKING:
    from efficientpose.movement.recording import Recording, Track

Parsed = TypeVar("Parsed")

TALLEST: Final = 3.0
"""Metres; a height above it is in another unit."""


class Settings(NamedTuple):
    """What the command line says in texts of several parts.

    Attributes:
        formats: Names of files to write.
        click: x, y in pixels and the frame.
        length: Two keypoints and the metres between them.
        image_size: (width, height) of the video, pixels.
    """

    formats: list[str]
    click: tuple[float, float, int] | None
    length: tuple[str, str, float] | None
    image_size: tuple[int, int] | None


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
    parser.add_argument(
        "--image-size", metavar="WIDTH,HEIGHT", help="of the video, for trc and c3d (default: that of its overlay)"
    )
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
    from efficientpose.core.files import prepare_folder

    settings = _parse_settings(options)
    _check_source(options.source)
    prepare_folder(options.out)
    found, status = _find_poses(options)
    if status == NOTHING_DONE:
        return NOTHING_DONE
    try:
        return max(status, _measure_poses(found, options, settings))
    except (UsageError, ValueError) as error:
        if found == options.source:
            raise
        raise UsageError(f"{error}\nThe poses are in {found}: measure that file to try again at once") from error


def _parse_settings(options: argparse.Namespace) -> Settings:
    """Read and check what can be known before a video is."""
    limits = (
        ("--height", options.height, math.ulp(0), TALLEST, f"metres, above 0 and at most {TALLEST:g}"),
        ("--cutoff", options.cutoff, math.ulp(0), math.inf, "Hz, above 0"),
        ("--max-gap", options.max_gap, 0, math.inf, "seconds, 0 or more"),
        ("--min-score", options.min_score, 0, 1, "a score, from 0 to 1"),
    )
    for option, number, least, most, form in limits:
        if number is not None and not least <= number <= most:
            raise UsageError(f"{option} takes {form}, not {number:g}")
    return Settings(
        formats=_parse_formats(options.formats),
        click=_parse("--click", options.click, _read_click, "X,Y,FRAME", "pixels, and a frame's number"),
        length=_parse("--length", options.length, _read_length, "ONE,OTHER,METRES", "two keypoints, and above 0"),
        image_size=_parse("--image-size", options.image_size, _read_size, "WIDTH,HEIGHT", "whole pixels"),
    )


def _parse_formats(text: str) -> list[str]:
    from efficientpose.movement.files import FORMATS

    names = list(FORMATS) if text == "all" else [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in FORMATS]:
        raise UsageError(f"--formats has no {', '.join(unknown)}: there are {', '.join(FORMATS)}")
    return names


def _parse(option: str, text: str | None, parse: Callable[[str], Parsed], form: str, what: str) -> Parsed | None:
    try:
        return None if text is None else parse(text)
    except ValueError:
        raise UsageError(f"{option} takes {form}, not {text!r}: {what}") from None


def _read_click(text: str) -> tuple[float, float, int]:
    x, y, frame = text.split(",")
    if not (math.isfinite(float(x)) and math.isfinite(float(y))):
        raise ValueError(text)
    return float(x), float(y), int(frame)


def _read_length(text: str) -> tuple[str, str, float]:
    one, other, metres = text.split(",")
    if not 0 < float(metres) < math.inf:
        raise ValueError(metres)
    return one, other, float(metres)


def _read_size(text: str) -> tuple[int, int]:
    width, height = (int(part) for part in text.split(","))
    if min(width, height) < 1:
        raise ValueError(text)
    return width, height


def _check_source(source: Path) -> None:
    from efficientpose.movement.files import READERS
    from efficientpose.video.reading import VIDEO_SUFFIXES

    if source.is_dir() or source.suffix.lower() not in VIDEO_SUFFIXES | set(READERS):
        raise UsageError(
            f"{source}: movement is measured in one video, or in what predict wrote of one ({' or '.join(READERS)}); "
            "for pictures and folders there is predict"
        )


def _find_poses(options: argparse.Namespace) -> tuple[Path, int]:
    """Return the file of poses, of a video after a run of predict, and predict's exit status."""
    from efficientpose.movement.files import READERS

    if options.source.suffix.lower() in READERS:
        return options.source, 0
    given = vars(options) | {"sources": [options.source], "camera": None, "draw": "", "no_overlay": False}
    return options.out / f"{options.source.stem}_pose.jsonl", predict.predict(argparse.Namespace(**given))


def _measure_poses(found: Path, options: argparse.Namespace, settings: Settings) -> int:
    """Clean the signals of a file of poses and write what is asked for; return the exit status."""
    from efficientpose.movement.filtering import filter_recording

    recording, status = _read(found, settings.image_size)
    chosen = _choose(recording, options, settings.click)
    if chosen is not None:
        recording = recording.with_tracks([chosen])
    if not recording.tracks:
        raise UsageError(
            f"{found}: nobody was found in it, for 0.2 s and with a mean score of 0.2 at least; look at the overlay: "
            "--follow or --people detector finds who is small in the picture"
        )
    result = filter_recording(
        recording,
        min_score=options.min_score,
        sides=options.repair_sides,
        outliers=not options.keep_outliers,
        max_gap=options.max_gap or None,
        smoothing=None if options.smoothing == "none" else options.smoothing,
        cutoff=options.cutoff,
    )
    for track, report in zip(recording.tracks, result.reports, strict=True):
        print(f"person {track.person}: in {track.is_seen.sum()} of {len(track.is_seen)} frames")
        print(report)
    metres_per_pixel = _find_scale(result.recording, options, settings)
    return max(status, _write_files(result.recording, options.out, settings.formats, metres_per_pixel))


def _read(found: Path, image_size: tuple[int, int] | None) -> "tuple[Recording, int]":
    """Read a file of poses and follow everybody; a tidy table has been followed, and its raw values are measured."""
    from efficientpose.movement.files import read
    from efficientpose.movement.tracking import follow_people

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recording = read(found, image_size=image_size)
    for warning in caught:
        print(f"efficientpose: {warning.message}", file=sys.stderr)
    status = SOME_FAILED if caught else 0
    return (follow_people(recording) if recording.raw is None else recording.raw), status


def _choose(
    recording: "Recording", options: argparse.Namespace, click: tuple[float, float, int] | None
) -> "Track | None":
    from efficientpose.movement.subject import choose_at, choose_by_number, choose_largest

    if options.person is not None:
        return choose_by_number(recording, options.person)
    if click is not None:
        x, y, frame = click
        return choose_at(recording, x=x, y=y, frame=frame)
    return choose_largest(recording) if options.largest and recording.tracks else None


def _find_scale(recording: "Recording", options: argparse.Namespace, settings: Settings) -> float | None:
    """Return metres per pixel, from the one person, or None where neither a height nor a length is given."""
    from efficientpose.movement.scale import scale_from_height, scale_from_length

    if options.height is None and settings.length is None:
        return None
    (track, *others) = recording.tracks
    if others:
        raise UsageError("--height and --length are of one person: choose one with --person, --largest or --click")
    if settings.length is None:
        scale = scale_from_height(recording, track, metres=options.height)
    else:
        one, other, metres = settings.length
        scale = scale_from_length(recording, track, one, other, metres=metres)
    print(f"{scale.metres_per_pixel * 1000:.3f} mm a pixel (median of {scale.num_frames} frames)")
    return scale.metres_per_pixel


def _write_files(recording: "Recording", folder: Path, formats: list[str], metres_per_pixel: float | None) -> int:
    """Write angles and every format that can be; say which cannot, and return the exit status."""
    from efficientpose.movement.files import FORMATS, write

    num_failed = 0
    for name in (*formats, "angles"):
        try:
            if name == "angles":
                _write_angles(recording, folder)
                continue
            scale = {"metres_per_pixel": metres_per_pixel} if FORMATS[name].in_metres else {}
            first, *others = write(recording, folder, name, **scale)
            print(f"{first}{f' and {len(others)} more' * bool(others)}")
            if FORMATS[name].in_metres and metres_per_pixel is None:
                print(f"{name}: a thousandth of the pixels, not metres, because there is no --height or --length")
        except ModuleNotFoundError as error:
            num_failed += 1
            print(f"efficientpose: {name} is not written: it needs {error.name}: pip install it", file=sys.stderr)
        except (OSError, ValueError) as error:
            num_failed += 1
            print(f"efficientpose: {name} is not written: {error}", file=sys.stderr)
    return exit_status(num_failed=num_failed, num_tried=len(formats) + 1)


def _write_angles(recording: "Recording", folder: Path) -> None:
    from efficientpose.movement.angles import ALL_ANGLES, angle_table, write_angles
    from efficientpose.movement.plots import plot_angles

    angles = angle_table(recording)
    there = set(angles["angle"])
    if missing := [angle.name for angle in ALL_ANGLES if angle.name not in there]:
        print(f"no {', '.join(missing)}: these keypoints do not give them")
    if not there:
        return
    table, plot = (folder / f"{recording.source or 'recording'}_angles{suffix}" for suffix in (".csv", ".png"))
    write_angles(angles, table)
    plot_angles(angles, plot)
    print(f"{table}\n{plot}")
