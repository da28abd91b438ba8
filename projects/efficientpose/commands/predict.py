"""``efficientpose predict``: poses in pictures, videos and cameras, with a variant or an exported model file."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from efficientpose.commands.console import NOTHING_DONE, SOME_FAILED, UsageError, progress
from efficientpose.commands.estimators import add_network_options, load_estimator
from efficientpose.commands.people import (
    check_people_options,
    in_frames,
    in_pictures,
    load_person_detector,
    read_people_boxes,
    whom,
)

if TYPE_CHECKING:
    from efficientpose.core.poses import Estimator
    from efficientpose.people.detectors import PersonDetector
    from efficientpose.runtime.predict_files import People
    from efficientpose.video.prediction import VideoResult
    from efficientpose.video.reading import VideoSource

FFMPEG_FATAL_ONLY = "8"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("predict", help="find the poses in pictures and videos", description=predict.__doc__)
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="pictures, folders of pictures, videos")
    parser.add_argument("--camera", type=int, metavar="N", help="a camera by its number, from 0, until Ctrl-C")
    add_network_options(parser)
    parser.add_argument("--out", type=Path, default=Path("output"), metavar="DIR", help="where to (default: output)")
    parser.add_argument("--draw", default="", metavar="MAPS", help='also draw "heatmaps", "pafs" or "heatmaps,pafs"')
    parser.add_argument("--no-overlay", action="store_true", help="of videos, write the numbers only")
    parser.set_defaults(run=predict)


def predict(options: argparse.Namespace) -> int:
    """Find the pose of each person.

    Of pictures, write an overlay each and predictions.json; of each video, an overlay, JSON lines and CSV.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", FFMPEG_FATAL_ONLY)  # before OpenCV opens its first video
    from efficientpose.core.files import prepare_folder

    draw_maps = _parse_maps(options.draw)
    pictures, videos, num_missing = _find_sources(options)
    _check_options(options, pictures, videos, draw_maps)
    prepare_folder(options.out)
    if any(source.parent.resolve() == options.out.resolve() for source in (*pictures, *videos)):
        raise UsageError(f"{options.out} holds pictures to read; choose another folder to write to with --out")
    boxes = read_people_boxes(options, [*pictures, *videos, *_camera_names(options)])
    estimator = load_estimator(options)
    _check_maps(estimator, options.model, draw_maps)
    detector = load_person_detector(options, estimator)
    statuses = [SOME_FAILED] if num_missing else []
    if pictures:
        statuses.append(_predict_pictures(options, in_pictures(estimator, detector), pictures, boxes, draw_maps))
    statuses += _predict_videos(options, estimator, detector, videos, boxes)
    return NOTHING_DONE if set(statuses) == {NOTHING_DONE} else min(max(statuses, default=0), SOME_FAILED)


def _parse_maps(text: str) -> frozenset[str]:
    maps = frozenset(filter(None, text.split(",")))
    if unknown := maps - {"heatmaps", "pafs"}:
        raise UsageError(f'--draw takes "heatmaps", "pafs" or both joined by a comma, not {", ".join(sorted(unknown))}')
    return maps


def _find_sources(options: argparse.Namespace) -> tuple[list[Path], list[Path], int]:
    """Return pictures, videos, and how many sources were not there."""
    from efficientpose.core.images import find_images
    from efficientpose.video.reading import VIDEO_SUFFIXES

    videos = [source for source in options.sources if source.suffix.lower() in VIDEO_SUFFIXES and not source.is_dir()]
    pictures, missing = find_images([source for source in options.sources if source not in videos])
    for error in missing:
        print(f"efficientpose: {error}", file=sys.stderr)
    if not pictures and not videos and options.camera is None:
        raise UsageError("nothing to do: no pictures or videos were found")
    return pictures, list(dict.fromkeys(videos)), len(missing)


def _check_options(
    options: argparse.Namespace, pictures: Sequence[Path], videos: Sequence[Path], draw_maps: frozenset[str]
) -> None:
    if isinstance(options.model, Path):
        if options.weights or options.config:
            raise UsageError(f"--weights and --config are for variants; {options.model} has its own weights")
    elif options.engine or options.precision:
        raise UsageError("--engine and --precision are for exported files: see efficientpose export")
    if whom(options) == "paf" and options.subpixel:
        raise UsageError("--people paf reads keypoints between pixels in any case: leave out --subpixel")
    check_people_options(options, has_videos=bool(videos) or options.camera is not None)
    if options.camera is not None and options.camera < 0:
        raise UsageError(f"--camera takes a camera's number, from 0, not {options.camera}")
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"--threads takes 1 or more, not {options.threads}")
    if draw_maps and not pictures:
        raise UsageError("--draw is for pictures")


def _check_maps(estimator: "Estimator", model: str | Path, draw_maps: frozenset[str]) -> None:
    metadata = getattr(estimator, "metadata", None)  # exported files have it
    if "pafs" in draw_maps and metadata is not None and not metadata.has_pafs:
        raise UsageError(
            f"{model} has no part affinity fields to draw: export it again with efficientpose export --pafs, or leave "
            '"pafs" out of --draw'
        )


def _camera_names(options: argparse.Namespace) -> list[Path]:
    return [] if options.camera is None else [Path(f"camera{options.camera}")]


def _title(estimator: "Estimator") -> str:
    return f"EfficientPose {estimator.name.upper().replace('_', ' ')}"


def _predict_pictures(
    options: argparse.Namespace,
    estimator: "Estimator",
    pictures: list[Path],
    boxes: "Mapping[str, People] | None",
    draw_maps: frozenset[str],
) -> int:
    from efficientpose.runtime.predict_files import PREDICTIONS_FILE, predict_files

    with progress(_title(estimator), len(pictures)) as advance:
        result = predict_files(
            estimator, pictures, options.out, boxes=boxes, draw_maps=draw_maps, on_image_done=advance
        )
    for message in result.errors:
        print(f"efficientpose: {message}", file=sys.stderr)
    if whom(options) in ("paf", "detector"):
        for image in result.images:
            if not image.instances:
                print(f"{image.file}: nobody was found in it")
    print(f"{len(result.images)} of {len(pictures)} pictures: {options.out / PREDICTIONS_FILE}")
    if not result.images:
        return NOTHING_DONE
    return SOME_FAILED if result.errors else 0


def _predict_videos(
    options: argparse.Namespace,
    estimator: "Estimator",
    detector: "PersonDetector | None",
    videos: list[Path],
    boxes: "Mapping[str, People] | None",
) -> list[int]:
    """Predict videos and the camera one after the other; return their exit statuses."""
    from efficientpose.runtime.predict_files import find_boxes, free_stem
    from efficientpose.video.reading import open_camera, open_video

    statuses = []
    taken: set[str] = set()
    for path in (*videos, *_camera_names(options)):
        try:
            finder, people = in_frames(options, estimator, detector, find_boxes(path, boxes))
            is_camera = path not in videos
            source = open_camera(options.camera) if is_camera else open_video(path)
            result = _predict_video(options, finder, source, people, name=free_stem(path.stem, taken))
        except (ValueError, OSError) as error:
            message = str(error)
            is_named = str(path) in message or path not in videos  # a camera's errors say its number
            print(f"efficientpose: {message if is_named else f'{path}: {message}'}", file=sys.stderr)
            statuses.append(NOTHING_DONE)
            continue
        for message in result.errors:
            print(f"efficientpose: {message}", file=sys.stderr)
        for note in result.notes:
            print(note)
        print(f"{result.num_frames} frames: {', '.join(map(str, result.files)) or 'nothing written'}")
        statuses.append(NOTHING_DONE if not result.num_frames else SOME_FAILED if result.errors else 0)
    return statuses


def _predict_video(
    options: argparse.Namespace,
    estimator: "Estimator",
    source: "VideoSource",
    people: "People | None",
    *,
    name: str,
) -> "VideoResult":
    from efficientpose.video.prediction import predict_video

    with progress(f"{_title(estimator)}: {name}", source.num_frames, rate_unit="frames") as advance:
        return predict_video(
            estimator,
            source,
            options.out,
            name=name,
            boxes=people,
            with_overlay=not options.no_overlay,
            on_frame_done=advance,
        )
