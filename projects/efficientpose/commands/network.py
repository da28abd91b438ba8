"""Which network finds the poses, where it runs, and of which people: the options that predict and measure share."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from efficientpose.commands.console import UsageError, quiet_imports
from efficientpose.core.variants import VARIANTS

if TYPE_CHECKING:
    from efficientpose.core.poses import Estimator
    from efficientpose.people.detectors import PersonDetector
    from efficientpose.runtime.predict_files import BoxList


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the network and of the people it looks for."""
    add = parser.add_argument
    model = "variant (default: rt), or a file that efficientpose export wrote: it runs without PyTorch"
    add("--model", default="rt", type=parse_model, help=model)
    add("--weights", type=Path, help="checkpoint (.pth) or released file (.h5, .tflite) of a variant")
    add("--config", type=Path, help="config of a network of your own; needs --weights")
    add(
        "--people",
        choices=("one", "boxes", "paf", "detector"),
        help="one: a single person, in the whole image, in a bounding box, or followed; boxes: the people in the given "
        "bounding boxes; paf: all people in one pass, by part affinity fields; detector: all people that a person "
        "detector finds (default: boxes with --boxes, detector with --detector, one otherwise)",
    )
    add(
        "--boxes",
        metavar="BOXES",
        help='people: "x1,y1,x2,y2" in pixels, several joined by ";", for every image (--boxes=... before a minus); '
        'or a JSON file {"photo.jpg": [[x1, y1, x2, y2], ...]}. Without it each whole image is one person',
    )
    follow = "in videos, look for one person where the last frame's was; --boxes says where the first frame's is"
    add("--follow", action="store_true", help=follow)
    add(
        "--detector",
        type=Path,
        metavar="FILE.onnx",
        help="person detector, a YOLOX or RTMDet as rtmlib and MMDeploy have them (default: the pose network "
        "searches, which is slow)",
    )
    add("--detector-kind", choices=("yolox", "rtmdet"), help="what --detector is (default: by its name, else yolox)")
    add("--detector-device", metavar="DEVICE", help='where --detector runs, such as "cuda:0" (default: cpu)')
    every = "in videos, run the detector on each Nth frame and follow people between (default: 1)"
    add("--detect-every", type=int, metavar="N", help=every)
    add("--device", default="cpu", help='where the network runs, such as "cuda:0" (default: cpu)')
    add("--threads", type=int, metavar="N", help="threads of the network (default: all cores)")
    add("--engine", help="for a file: onnxruntime, openvino or litert (default: by its ending)")
    add("--precision", help="for a file in OpenVINO: float32 (default), bf16 or float16")
    add("--flip-test", action="store_true", help="average with the mirrored image; twice the time")
    add("--subpixel", action="store_true", help="read keypoints between the pixels of the network's input")


def parse_model(text: str) -> str | Path:
    """Return the name of a variant, or the path of an exported file; raises ArgumentTypeError if it is neither."""
    if text.lower() in VARIANTS:
        return text.lower()
    from efficientpose.runtime.engines import MODEL_SUFFIXES

    if Path(text).suffix.lower() in MODEL_SUFFIXES:
        return Path(text)
    raise argparse.ArgumentTypeError(
        f"invalid choice: {text!r} (choose from {', '.join(map(repr, VARIANTS))}, or an exported file that ends in "
        f"{', '.join(sorted(MODEL_SUFFIXES))})"
    )


def people_mode(options: argparse.Namespace) -> str:
    """Return "one", "boxes", "paf" or "detector": as ``--people`` says, or as the other options need it."""
    if options.people is not None:
        return str(options.people)
    if options.detector is not None:
        return "detector"
    return "boxes" if options.boxes is not None and not options.follow else "one"


def check_network_options(options: argparse.Namespace, *, has_videos: bool) -> None:
    """Check that the options of :func:`add_network_options` go together; raises UsageError if not."""
    mode = people_mode(options)
    is_file = isinstance(options.model, Path)
    has_boxes_or_follow = options.boxes or options.follow
    for is_wrong, message in (
        (
            is_file and (options.weights or options.config),
            f"--weights and --config are for variants; {options.model} has its own weights",
        ),
        (
            not is_file and (options.engine or options.precision),
            "--engine and --precision are for exported files: see efficientpose export",
        ),
        (
            mode == "paf" and options.subpixel,
            "--people paf reads keypoints between pixels in any case: leave out --subpixel",
        ),
        (
            mode == "paf" and has_boxes_or_follow,
            "--people paf finds all people by itself: leave out --boxes and --follow",
        ),
        (
            mode == "detector" and has_boxes_or_follow,
            "--people detector finds the bounding boxes by itself: leave out --boxes and --follow; --detect-every N "
            "follows people between the frames that the detector sees",
        ),
        *(
            (mode != "detector" and value is not None, f"{option} is for --people detector, not for --people {mode}")
            for option, value in (
                ("--detector", options.detector),
                ("--detector-kind", options.detector_kind),
                ("--detector-device", options.detector_device),
                ("--detect-every", options.detect_every),
            )
        ),
        (
            not options.detector and (options.detector_kind or options.detector_device),
            "--detector-kind and --detector-device are for a file: name it with --detector FILE.onnx",
        ),
        (
            options.detect_every is not None and options.detect_every < 1,
            f"--detect-every takes 1 or more, not {options.detect_every}",
        ),
        (
            mode == "boxes" and options.boxes is None,
            "--people boxes looks for people in bounding boxes: give them with --boxes",
        ),
        (mode == "boxes" and options.follow, "--follow follows one person: leave out --people boxes"),
        (options.follow and not has_videos, "--follow is for videos and cameras"),
        (options.detect_every is not None and not has_videos, "--detect-every is for videos and cameras"),
        (options.threads is not None and options.threads < 1, f"--threads takes 1 or more, not {options.threads}"),
    ):
        if is_wrong:
            raise UsageError(message)


def read_box_option(options: argparse.Namespace, sources: Sequence[Path]) -> "Mapping[str, BoxList] | None":
    """Read ``--boxes``: coordinates for every image and video, or a JSON file; raises UsageError or ValueError."""
    from efficientpose.runtime.predict_files import read_boxes

    text = options.boxes
    if text is None:
        return None
    if text.lower().endswith(".json"):
        boxes = read_boxes(Path(text))
    else:
        try:
            people = [[float(value) for value in box.split(",")] for box in text.split(";")]
        except ValueError:
            people = []
        if not people or any(len(box) != 4 for box in people):
            raise UsageError(f'--boxes takes "x1,y1,x2,y2" (several joined by ";") or a .json file, not {text!r}')
        boxes = {str(source): people for source in sources}
    if people_mode(options) == "one" and any(len(people) != 1 for people in boxes.values()):
        if options.follow:
            raise UsageError("--follow starts from one box a video: the person to follow")
        raise UsageError("--people one looks for one person an image: give one box for each, or --people boxes")
    return boxes


def load_estimator(options: argparse.Namespace, *, num_peaks: int = 1) -> "Estimator":
    """Load what the options of :func:`add_network_options` name; an exported file without PyTorch."""
    is_paf = people_mode(options) == "paf"
    if isinstance(options.model, Path):
        settings = {name: getattr(options, name) for name in ("engine", "threads", "device", "precision", "flip_test")}
        if is_paf:
            from efficientpose.people.paf_estimator import PafEstimator

            return PafEstimator.load(options.model, **settings)
        from efficientpose.runtime.estimator import PoseEstimator

        return PoseEstimator(options.model, subpixel=options.subpixel, num_peaks=num_peaks, **settings)
    with quiet_imports():
        import torch

        from efficientpose.inference.estimator import TorchPoseEstimator
        from efficientpose.inference.paf_estimator import TorchPafEstimator
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    settings = {name: getattr(options, name) for name in ("weights", "config", "device")}
    if is_paf:
        return TorchPafEstimator.load(options.model, flip_test=options.flip_test, **settings)
    settings |= {"flip_test": options.flip_test or None, "subpixel": options.subpixel or None}
    return TorchPoseEstimator.load(options.model, num_peaks=num_peaks, **settings)


def load_person_detector(options: argparse.Namespace, estimator: "Estimator") -> "PersonDetector | None":
    """Load the person detector and say which; None where people are not looked for by one."""
    if people_mode(options) != "detector":
        return None
    from efficientpose.people.detectors import OnnxDetector
    from efficientpose.people.search import SearchDetector

    if options.detector is None:
        search = SearchDetector(estimator)
        print(f"people by {search.title}; --detector FILE.onnx is quicker")
        return search
    device = options.detector_device or "cpu"
    detector = OnnxDetector(options.detector, kind=options.detector_kind, threads=options.threads, device=device)
    print(f"people by {detector.title}")
    return detector


def estimator_for_video(
    options: argparse.Namespace, estimator: "Estimator", detector: "PersonDetector | None", boxes: "BoxList | None"
) -> "tuple[Estimator, BoxList | None]":
    """Return what finds the poses in one video, anew for each, and the boxes to look in in each of its frames."""
    if detector is not None:
        from efficientpose.people.detected_people import DetectedPeople

        return DetectedPeople(estimator, detector, detect_every=options.detect_every or 1), None
    if options.follow:
        from efficientpose.people.following import Follower

        return Follower(estimator, start=None if boxes is None else boxes[0]), None
    return estimator, boxes
