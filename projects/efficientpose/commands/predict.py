"""``efficientpose predict``: poses in images, videos and cameras, with a variant or an exported model file."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from efficientpose.commands.console import NOTHING_DONE, SOME_FAILED, UsageError, progress
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
    from efficientpose.core.poses import Estimator
    from efficientpose.people.detectors import PersonDetector
    from efficientpose.runtime.predict_files import BoxList


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("predict", help="find the poses in images and videos", description=predict.__doc__)
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="images, folders of images, videos")
    parser.add_argument("--camera", type=int, metavar="N", help="a camera by its number, from 0, until Ctrl-C")
    add_network_options(parser)
    parser.add_argument("--out", type=Path, default=Path("output"), metavar="DIR", help="where to (default: output)")
    parser.add_argument("--draw", default="", metavar="MAPS", help='also draw "heatmaps", "pafs" or "heatmaps,pafs"')
    parser.add_argument("--no-overlay", action="store_true", help="of videos, write the numbers only")
    parser.set_defaults(run=predict)


def predict(options: argparse.Namespace) -> int:
    """Find the pose of each person.

    Of images, write an overlay each and predictions.json; of each video, an overlay, JSON lines and CSV.
    """
    from efficientpose.core.files import prepare_folder

    images, videos, num_missing = _find_sources(options.sources)
    if options.camera is not None:
        videos.append(Path(f"camera{options.camera}"))
    if not images and not videos:
        raise UsageError("nothing to do: no images or videos were found")
    drawn = frozenset(filter(None, options.draw.split(",")))
    _check_options(options, drawn, has_images=bool(images), has_videos=bool(videos))
    prepare_folder(options.out)
    if any(source.parent.resolve() == options.out.resolve() for source in (*images, *videos) if source.exists()):
        raise UsageError(f"{options.out} holds images to read; choose another folder to write to with --out")
    boxes = read_box_option(options, [*images, *videos])
    estimator = load_estimator(options)
    metadata = getattr(estimator, "metadata", None)  # exported files have it
    if "pafs" in drawn and metadata is not None and not metadata.has_pafs:
        raise UsageError(
            f"{options.model} has no part affinity fields to draw: export it again with efficientpose export --pafs, "
            'or leave "pafs" out of --draw'
        )
    detector = load_person_detector(options, estimator)
    statuses = [SOME_FAILED] if num_missing else []
    if images:
        finder = estimator
        if detector is not None:
            from efficientpose.people.detected_people import DetectedPeople

            finder = DetectedPeople(estimator, detector)
        statuses.append(_predict_images(options, finder, images, boxes, drawn))
    statuses += _predict_videos(options, estimator, detector, videos, boxes)
    return NOTHING_DONE if set(statuses) == {NOTHING_DONE} else min(max(statuses), SOME_FAILED)


def _find_sources(sources: Sequence[Path]) -> tuple[list[Path], list[Path], int]:
    """Return images, videos, and how many sources were not there."""
    from efficientpose.core.images import find_images
    from efficientpose.video.reading import VIDEO_SUFFIXES

    videos = [source for source in sources if source.suffix.lower() in VIDEO_SUFFIXES and not source.is_dir()]
    images, missing = find_images([source for source in sources if source not in videos])
    for error in missing:
        print(f"efficientpose: {error}", file=sys.stderr)
    return images, list(dict.fromkeys(videos)), len(missing)


def _check_options(options: argparse.Namespace, drawn: frozenset[str], *, has_images: bool, has_videos: bool) -> None:
    if unknown := drawn - {"heatmaps", "pafs"}:
        raise UsageError(f'--draw takes "heatmaps", "pafs" or both joined by a comma, not {", ".join(sorted(unknown))}')
    if drawn and people_mode(options) == "paf":
        raise UsageError("--people paf finds all people by itself: leave out --draw")
    check_network_options(options, has_videos=has_videos)
    if options.camera is not None and options.camera < 0:
        raise UsageError(f"--camera takes a camera's number, from 0, not {options.camera}")
    if drawn and not has_images:
        raise UsageError("--draw is for images")


def _title(estimator: "Estimator") -> str:
    return f"EfficientPose {estimator.name.upper().replace('_', ' ')}"


def _predict_images(
    options: argparse.Namespace,
    estimator: "Estimator",
    images: list[Path],
    boxes: "Mapping[str, BoxList] | None",
    drawn: frozenset[str],
) -> int:
    from efficientpose.runtime.predict_files import PREDICTIONS_FILE, predict_files

    with progress(_title(estimator), len(images)) as advance:
        result = predict_files(estimator, images, options.out, boxes=boxes, draw_maps=drawn, on_image_done=advance)
    for message in result.errors:
        print(f"efficientpose: {message}", file=sys.stderr)
    if people_mode(options) in ("paf", "detector"):
        for image in result.images:
            if not image.instances:
                print(f"{image.file}: no person was found in it")
    print(f"{len(result.images)} of {len(images)} images: {options.out / PREDICTIONS_FILE}")
    if not result.images:
        return NOTHING_DONE
    return SOME_FAILED if result.errors else 0


def _predict_videos(
    options: argparse.Namespace,
    estimator: "Estimator",
    detector: "PersonDetector | None",
    videos: list[Path],
    boxes: "Mapping[str, BoxList] | None",
) -> list[int]:
    """Predict videos and the camera, which is the last, one after the other; return their exit statuses."""
    from efficientpose.runtime.predict_files import find_boxes, free_stem
    from efficientpose.video.camera import open_camera
    from efficientpose.video.prediction import predict_video
    from efficientpose.video.reading import open_video

    statuses = []
    taken: set[str] = set()
    for path in videos:
        is_camera = options.camera is not None and path is videos[-1]
        try:
            finder, people = estimator_for_video(options, estimator, detector, find_boxes(path, boxes))
            source = open_camera(options.camera) if is_camera else open_video(path)
            name = free_stem(path.stem, taken)
            with progress(f"{_title(estimator)}: {name}", source.num_frames, rate_unit="frames") as advance:
                result = predict_video(
                    finder,
                    source,
                    options.out,
                    name=name,
                    boxes=people,
                    with_overlay=not options.no_overlay,
                    on_frame_done=advance,
                )
        except (ValueError, OSError) as error:
            message = str(error)
            is_named = is_camera or str(path) in message
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
