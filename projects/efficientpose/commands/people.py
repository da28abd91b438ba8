"""Whom to look for, and where: the options that predict and measure share."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from efficientpose.commands.console import UsageError

if TYPE_CHECKING:
    from efficientpose.core.poses import Estimator
    from efficientpose.people.detectors import PersonDetector
    from efficientpose.runtime.predict_files import People

Who = Literal["one", "boxes", "paf", "detector"]


def add_people_options(parser: argparse.ArgumentParser) -> None:
    """Add what says whom to look for, and where."""
    parser.add_argument(
        "--people",
        choices=("one", "boxes", "paf", "detector"),
        help="one: a single person, in the whole picture, in its one box, or followed; boxes: everybody whose box is "
        "given; paf: everybody in one pass, by part affinity fields; detector: everybody whom a person detector finds, "
        "each by themselves (default: boxes with --boxes, detector with --detector, one otherwise)",
    )
    parser.add_argument(
        "--boxes",
        metavar="BOXES",
        help='people: "x1,y1,x2,y2" in pixels, several joined by ";", for every picture (--boxes=... before a minus); '
        'or a JSON file {"photo.jpg": [[x1, y1, x2, y2], ...]}. Without it each whole picture is one person',
    )
    parser.add_argument(
        "--follow",
        action="store_true",
        help="in videos, look for one person where the last frame's was; --boxes says where the first frame's is",
    )
    parser.add_argument(
        "--detector",
        type=Path,
        metavar="FILE.onnx",
        help="person detector, a YOLOX or RTMDet as rtmlib and MMDeploy have them (default: the pose network "
        "searches, which is slow)",
    )
    parser.add_argument(
        "--detector-kind", choices=("yolox", "rtmdet"), help="what --detector is (default: by its name, else yolox)"
    )
    parser.add_argument(
        "--detector-device", metavar="DEVICE", help='where --detector runs, such as "cuda:0" (default: cpu)'
    )
    parser.add_argument(
        "--detect-every",
        type=int,
        metavar="N",
        help="in videos, show the detector each Nth frame and follow people between (default: 1)",
    )


def whom(options: argparse.Namespace) -> Who:
    """Return whom to look for: as said, or as the other options need it."""
    if options.people is not None:
        chosen: Who = options.people
        return chosen
    if options.detector is not None:
        return "detector"
    return "boxes" if options.boxes is not None and not options.follow else "one"


def check_people_options(options: argparse.Namespace, *, has_videos: bool) -> None:
    """Check that the options of :func:`add_people_options` go together.

    Args:
        options: The command's.
        has_videos: Whether there is a video or camera.

    Raises:
        UsageError: If not.
    """
    people = whom(options)
    if people == "paf" and (options.boxes or options.follow or options.draw):
        raise UsageError("--people paf finds everybody by itself: leave out --boxes, --follow and --draw")
    if people == "detector" and (options.boxes or options.follow):
        raise UsageError(
            "--people detector finds everybody's box by itself: leave out --boxes and --follow; --detect-every N "
            "follows people between the frames that the detector sees"
        )
    for option in ("detector", "detector_kind", "detector_device", "detect_every"):
        if people != "detector" and getattr(options, option) is not None:
            raise UsageError(f"--{option.replace('_', '-')} is for --people detector, not for --people {people}")
    if options.detector is None and (options.detector_kind or options.detector_device):
        raise UsageError("--detector-kind and --detector-device are for a file: name it with --detector FILE.onnx")
    if options.detect_every is not None and options.detect_every < 1:
        raise UsageError(f"--detect-every takes 1 or more, not {options.detect_every}")
    if people == "boxes" and options.boxes is None:
        raise UsageError("--people boxes looks for people in boxes: give them with --boxes")
    if people == "boxes" and options.follow:
        raise UsageError("--follow follows one person: leave out --people boxes")
    if (options.follow or options.detect_every is not None) and not has_videos:
        raise UsageError(f"{'--follow' if options.follow else '--detect-every'} is for videos and cameras")


def read_people_boxes(options: argparse.Namespace, sources: Sequence[Path]) -> "Mapping[str, People] | None":
    """Read ``--boxes``: coordinates for every picture and video, or a JSON file.

    Raises:
        UsageError: If it is neither, or there are several people where one is looked for.
        ValueError: If the file cannot be read.
    """
    from efficientpose.runtime.predict_files import read_boxes

    text = options.boxes
    if text is None:
        return None
    boxes = read_boxes(Path(text)) if text.lower().endswith(".json") else _same_for_all(text, sources)
    if whom(options) == "one" and any(len(people) != 1 for people in boxes.values()):
        if options.follow:
            raise UsageError("--follow starts from one box a video: the person to follow")
        raise UsageError("--people one looks for one person a picture: give one box for each, or --people boxes")
    return boxes


def _same_for_all(text: str, sources: Sequence[Path]) -> "dict[str, People]":
    try:
        people = [[float(value) for value in box.split(",")] for box in text.split(";")]
    except ValueError:
        people = []
    if not people or any(len(box) != 4 for box in people):
        raise UsageError(f'--boxes takes "x1,y1,x2,y2" (several joined by ";") or a .json file, not {text!r}')
    return {str(source): people for source in sources}


def load_person_detector(options: argparse.Namespace, estimator: "Estimator") -> "PersonDetector | None":
    """Load the person detector and say which; None where people are not looked for by one.

    Args:
        options: The command's.
        estimator: What searches where no detector is named.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it cannot be used.
    """
    if whom(options) != "detector":
        return None
    from efficientpose.people.detectors import load_detector
    from efficientpose.people.search import SearchDetector

    if options.detector is None:
        search = SearchDetector(estimator)
        print(f"people by {search.title}; --detector FILE.onnx is quicker")
        return search
    detector = load_detector(
        options.detector,
        kind=options.detector_kind,
        threads=options.threads,
        device=options.detector_device or "cpu",
    )
    print(f"people by {detector.title}")
    return detector


def in_pictures(estimator: "Estimator", detector: "PersonDetector | None") -> "Estimator":
    """Return what finds people in pictures that have nothing to do with one another."""
    if detector is None:
        return estimator
    from efficientpose.people.detected_people import DetectedPeople

    return DetectedPeople(estimator, detector)


def in_frames(
    options: argparse.Namespace, estimator: "Estimator", detector: "PersonDetector | None", people: "People | None"
) -> "tuple[Estimator, People | None]":
    """Return what finds people in the frames of one video, and the boxes in each of them.

    Args:
        options: The command's.
        estimator: Finds the poses.
        detector: Finds the boxes; None where they are given or not needed.
        people: The video's boxes; None where there are none.
    """
    if detector is not None:
        from efficientpose.people.detected_people import DetectedPeople

        return DetectedPeople(estimator, detector, detect_every=options.detect_every or 1), None
    if options.follow:
        from efficientpose.people.following import Follower

        return Follower(estimator, start=None if people is None else people[0]), None
    return estimator, people
