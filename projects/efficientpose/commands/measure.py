"""``efficientpose measure``: from a video, or what predict found in it, to tracks, clean signals, angles and files."""

import argparse
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from efficientpose.commands.console import SOME_FAILED, UsageError, exit_status, progress, split_names
from efficientpose.commands.network import (
    add_network_options,
    check_network_options,
    estimator_for_video,
    load_estimator,
    load_person_detector,
    people_mode,
    read_box_option,
)

if TYPE_CHECKING:
    from efficientpose.core.poses import Pose
    from efficientpose.movement.recording import Recording, Track
    from efficientpose.video.reading import Frame

TALLEST: Final = 3.0  # metres; a height above it is in another unit
NUM_PEAKS: Final = 3  # of each heatmap, among which decoding over the clip chooses


class Found(NamedTuple):
    """The people that were found in a video, and followed; where the poses are, and the exit status so far."""

    recording: "Recording"
    file: Path
    status: int


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("measure", help="joint angles and signals from a video", description=measure.__doc__)
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="a video, or what predict wrote: .jsonl or .csv")
    add("--out", type=Path, default=Path("output"), metavar="DIR", help="where to (default: output)")
    names = "files to write, joined by commas (default: csv; or all)"
    add("--formats", default=["csv"], type=_parse_formats, metavar="NAMES", help=names)
    person = parser.add_mutually_exclusive_group()
    person.add_argument("--person", type=int, metavar="N", help="measure this person alone, by number")
    person.add_argument("--largest", action="store_true", help="measure the person with the largest bounding box alone")
    click = _option("X,Y,FRAME: pixels, and a frame's number", _parse_click)
    at_place = "measure the person at this place in this frame alone"
    person.add_argument("--click", type=click, metavar="X,Y,FRAME", help=at_place)
    scale = parser.add_mutually_exclusive_group()
    height = _option(f"metres, above 0 and at most {TALLEST:g}", _number_from(math.ulp(0), TALLEST))
    scale.add_argument("--height", type=height, metavar="METRES", help="the person's height: gives files in metres")
    length = _option("ONE,OTHER,METRES: two keypoints, and above 0", _parse_length)
    between = "a length between two keypoints, likewise"
    scale.add_argument("--length", type=length, metavar="ONE,OTHER,METRES", help=between)
    size = _option("WIDTH,HEIGHT: whole pixels", _parse_size)
    of_video = "of the video, for trc and c3d of a file that does not say it (default: as read)"
    add("--image-size", type=size, metavar="WIDTH,HEIGHT", help=of_video)
    add("--smoothing", choices=("butterworth", "one_euro", "none"), default="butterworth")
    hertz = _option("Hz, above 0", _number_from(math.ulp(0), math.inf))
    add("--cutoff", type=hertz, default=6.0, metavar="HZ", help="of the Butterworth filter (default: 6)")
    seconds = _option("seconds, 0 or more", _number_from(0, math.inf))
    add("--max-gap", type=seconds, default=0.2, metavar="SECONDS", help="longest gap filled; 0 for none")
    score = _option("a score, from 0 to 1", _number_from(0, 1))
    add("--min-score", type=score, metavar="SCORE", help="take out keypoints that score lower")
    decoding = "choose sides and peaks over the whole clip (default), or take each frame's highest peaks"
    add("--decoding", choices=("clip", "frame"), default="clip", help=decoding)
    add("--keep-outliers", action="store_true", help="do not take out keypoints that jump away")
    add_network_options(parser)
    parser.set_defaults(run=measure)


def _option(form: str, parse: Callable[[str], object]) -> Callable[[str], object]:
    """Return a parser of an option for argparse, which says what would be right where ``parse`` fails."""

    def parse_or_explain(text: str) -> object:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"takes {form}, not {text!r}") from error

    return parse_or_explain


def _number_from(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not least <= float(text) <= most:
            raise ValueError(text)
        return float(text)

    return parse


def _parse_formats(text: str) -> list[str]:
    from efficientpose.movement.files import FORMATS

    names = list(FORMATS) if text == "all" else split_names(text)
    if unknown := [name for name in names if name not in FORMATS]:
        raise argparse.ArgumentTypeError(f"has no {', '.join(unknown)}: there are {', '.join(FORMATS)}")
    return names


def _parse_click(text: str) -> tuple[float, float, int]:
    x, y, frame = text.split(",")
    if not (math.isfinite(float(x)) and math.isfinite(float(y))):
        raise ValueError(text)
    return float(x), float(y), int(frame)


def _parse_length(text: str) -> tuple[str, str, float]:
    one, other, metres = text.split(",")
    if not 0 < float(metres) < math.inf:
        raise ValueError(metres)
    return one, other, float(metres)


def _parse_size(text: str) -> tuple[int, int]:
    width, height = (int(part) for part in text.split(","))
    if min(width, height) < 1:
        raise ValueError(text)
    return width, height


def measure(options: argparse.Namespace) -> int:
    """Follow people through a video, clean the signals, and write angles, their plots, and files for other tools.

    Of a video, overlay, JSON lines and CSV are written as predict does. Raw values are kept beside the filtered ones.
    """
    from efficientpose.core.files import prepare_folder
    from efficientpose.movement.files import READERS
    from efficientpose.video.reading import VIDEO_SUFFIXES

    suffix = options.source.suffix.lower()
    if options.source.is_dir() or suffix not in VIDEO_SUFFIXES | set(READERS):
        raise UsageError(
            f"{options.source}: movement is measured in one video, or in what predict wrote of one "
            f"({' or '.join(READERS)}); for images and folders there is predict"
        )
    if suffix in READERS:
        prepare_folder(options.out)
        found = _read_poses(options.source, options.image_size)
        return max(found.status, _measure_poses(found, options))
    found = _find_poses(options)
    try:
        return max(found.status, _measure_poses(found, options))
    except (UsageError, ValueError) as error:
        raise UsageError(f"{error}\nThe poses are in {found.file}: measure that file to try again at once") from error


def _read_poses(file: Path, image_size: tuple[int, int] | None) -> Found:
    """Read a file of poses and follow people; a tidy table has been followed, and its raw values are measured."""
    from efficientpose.movement.files import read
    from efficientpose.movement.tracking import follow_people

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recording = read(file, image_size=image_size)
    for warning in caught:
        print(f"efficientpose: {warning.message}", file=sys.stderr)
    followed = follow_people(recording) if recording.raw is None else recording.raw
    return Found(followed, file, SOME_FAILED if caught else 0)


def _find_poses(options: argparse.Namespace) -> Found:
    """Find the poses in a video and follow people; write what predict writes of one."""
    from efficientpose.core.files import prepare_folder
    from efficientpose.core.poses import skeleton_of
    from efficientpose.movement.recording import PeopleFrame, Recording
    from efficientpose.movement.tracking import follow_people
    from efficientpose.runtime.predict_files import find_boxes
    from efficientpose.video.prediction import predict_video
    from efficientpose.video.reading import open_video

    check_network_options(options, has_videos=True)
    prepare_folder(options.out)
    boxes = find_boxes(options.source, read_box_option(options, [options.source]))
    options.subpixel = people_mode(options) != "paf"  # people from part affinity fields are between pixels in any case
    estimator = load_estimator(options, num_peaks=NUM_PEAKS if options.decoding == "clip" else 1)
    finder, boxes = estimator_for_video(options, estimator, load_person_detector(options, estimator), boxes)
    video = open_video(options.source)
    frames: list[PeopleFrame] = []
    size: tuple[int, int] | None = options.image_size

    with progress(f"EfficientPose: {video.name}", video.num_frames, rate_unit="frames") as advance:

        def keep(frame: "Frame", poses: "tuple[Pose, ...]") -> None:
            nonlocal size
            size = size or (frame.image.shape[1], frame.image.shape[0])
            frames.append(PeopleFrame(frame.number, frame.seconds, poses))
            advance()

        result = predict_video(finder, video, options.out, boxes=boxes, on_frame_done=keep)
    for message in result.errors:
        print(f"efficientpose: {message}", file=sys.stderr)
    if size is None:
        raise UsageError(f"{options.source}: no frame of it could be measured")
    print(f"{result.num_frames} frames: {', '.join(map(str, result.files))}")
    skeleton = skeleton_of(finder)
    listed = Recording.from_frames(
        frames,
        image_size=size,
        source=options.source.stem,
        keypoint_names=skeleton.keypoint_names,
        limbs=skeleton.limbs,
        stream_rate=video.rate,
    )
    file = options.out / f"{video.name}_pose.jsonl"
    return Found(follow_people(listed), file, SOME_FAILED if result.errors else 0)


def _measure_poses(found: Found, options: argparse.Namespace) -> int:
    """Clean the signals of the people who are to be measured and write what is asked for; return the exit status."""
    from efficientpose.movement.filtering import filter_recording

    recording = found.recording
    if (chosen := _choose(recording, options)) is not None:
        recording = recording.with_tracks([chosen])
    if not recording.tracks:
        raise UsageError(
            f"{found.file}: no person was found in it, for 0.2 s and with a mean score of 0.2 at least; look at the "
            "overlay: --follow or --people detector finds people who are small in the image"
        )
    result = filter_recording(
        recording,
        min_score=options.min_score,
        decode=options.decoding == "clip",
        outliers=not options.keep_outliers,
        max_gap=options.max_gap or None,
        smoothing=None if options.smoothing == "none" else options.smoothing,
        cutoff=options.cutoff,
    )
    for track, report in zip(recording.tracks, result.reports, strict=True):
        print(f"person {track.person}: in {track.is_seen.sum()} of {len(track.is_seen)} frames")
        print(report)
    try:
        metres_per_pixel, status = _find_scale(result.recording, options), 0
    except ValueError as error:
        if options.height is None:
            raise
        print(f"efficientpose: there is no scale: {error}", file=sys.stderr)
        metres_per_pixel, status = None, SOME_FAILED
    return max(status, _write_files(result.recording, options.out, options.formats, metres_per_pixel))


def _choose(recording: "Recording", options: argparse.Namespace) -> "Track | None":
    from efficientpose.movement.subject import choose_at, choose_by_number, choose_largest

    if options.person is not None:
        return choose_by_number(recording, options.person)
    if options.click is not None:
        x, y, frame = options.click
        return choose_at(recording, x=x, y=y, frame=frame)
    return choose_largest(recording) if options.largest and recording.tracks else None


def _find_scale(recording: "Recording", options: argparse.Namespace) -> float | None:
    """Return metres per pixel, from the one person, or None where neither a height nor a length is given."""
    from efficientpose.movement.scale import scale_from_height, scale_from_length

    if options.height is None and options.length is None:
        return None
    (track, *others) = recording.tracks
    if others:
        raise UsageError("--height and --length are of one person: choose one with --person, --largest or --click")
    if options.length is None:
        try:
            scale = scale_from_height(recording, track, metres=options.height)
        except ValueError:  # nobody stands upright in what the filters made of it: each frame by itself may tell
            raw = recording if recording.raw is None else recording.raw
            (own,) = (each for each in raw.tracks if each.person == track.person)
            scale = scale_from_height(raw, own, metres=options.height)
    else:
        one, other, metres = options.length
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
