"""``make demo``: two people in real pictures, with the starter checkpoint and with any released weights at hand."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import cv2

from efficientpose.evaluation.pckh_metric import render
from efficientpose.inference.estimator import PoseEstimator
from efficientpose.inference.synthetic_score import draw_validation_people, score_on_synthetic_people
from efficientpose.locations import starter_checkpoint
from efficientpose.runtime.job import predict_files, prepare_folder, write_picture
from efficientpose.weights.find import WeightsNotFoundError

RELEASED_VARIANTS = ("rt", "i")
STARTER_NAME = "rt_starter"
DEMO_VIDEO = "Sports2D/Demo/demo.mp4"
DEMO_FRAMES = {
    28: [[515, 0, 740, 465]],
    84: [[560, 80, 705, 465], [1115, 510, 1300, 940]],
}
"""Frame number of the demo video → its people as x1, y1, x2, y2 in pixels."""


def demo_video() -> Path:
    """Return the video that Sports2D ships (BSD licence).

    Raises:
        FileNotFoundError: If Sports2D is not installed or ships it no more.
    """
    try:
        video = Path(str(distribution("sports2d").locate_file(DEMO_VIDEO)))
    except PackageNotFoundError:
        video = Path(DEMO_VIDEO)
    if not video.is_file():
        raise FileNotFoundError("the demo needs the video that Sports2D ships: pip install --no-deps sports2d")
    return video


def extract_frames(video: Path, folder: Path) -> list[Path]:
    """Write the demo's frames as pictures and return them.

    Raises:
        ValueError: If the video has fewer frames.
        OSError: If a picture cannot be written.
    """
    capture = cv2.VideoCapture(str(video))
    pictures = []
    try:
        for number in range(max(DEMO_FRAMES) + 1):
            read, frame = capture.read()
            if not read:
                raise ValueError(f"{video}: frame {number} cannot be read; the demo needs frame {max(DEMO_FRAMES)}")
            if number in DEMO_FRAMES:
                pictures.append(write_picture(frame, folder / f"frame{number:03}.png"))
    finally:
        capture.release()
    return pictures


def run_demo(folder: Path) -> None:
    """Find the people in the demo's pictures and score the starter checkpoint; print where the pictures are.

    Args:
        folder: Output folder; made if it does not exist.

    Raises:
        OSError: If it cannot be written.
        FileNotFoundError: If the demo video or the starter checkpoint is not installed.
    """
    prepare_folder(folder)
    pictures = extract_frames(demo_video(), folder)
    starter = PoseEstimator.load("rt", weights=starter_checkpoint())
    starter.name = STARTER_NAME
    _draw_poses(starter, pictures, folder)
    try:
        released = [PoseEstimator.load(variant) for variant in RELEASED_VARIANTS]
    except WeightsNotFoundError:
        released = []
        print("No released weights can be reached: they find joints more exactly than the starter checkpoint.")
    for estimator in released:
        _draw_poses(estimator, pictures, folder)
    synthetic = folder / "synthetic_people"
    draw_validation_people(synthetic)
    title = "Starter checkpoint: PCKh on synthetic people,"
    print(render(score_on_synthetic_people(starter, synthetic), measure="PCKh", title=title))


def _draw_poses(estimator: PoseEstimator, pictures: list[Path], folder: Path) -> None:
    target = folder / estimator.name
    prepare_folder(target)
    boxes = dict(zip((str(picture) for picture in pictures), DEMO_FRAMES.values(), strict=True))
    result = predict_files(estimator, pictures, target, boxes=boxes, draw_maps=frozenset({"heatmaps", "pafs"}))
    if result.errors:
        raise ValueError("; ".join(result.errors))
    print(f"EfficientPose {estimator.name.upper().replace('_', ' ')}: {len(result.pictures)} pictures in {target}")
    for picture in result.pictures:
        if picture.stem.endswith("_pose"):
            print(f"  {picture}")
