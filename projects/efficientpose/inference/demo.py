"""``make demo``: two people in real pictures; with random weights where no released ones can be had."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import cv2
from mmpose.apis import init_model

from efficientpose.inference.estimator import PoseEstimator
from efficientpose.inference.job import predict_files, prepare_folder, write_picture
from efficientpose.locations import mpii_config_path
from efficientpose.weights.find import WeightsNotFoundError

DEMO_VARIANTS = ("rt", "i")
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
    """Find the people in the demo's pictures with RT and I; print where the pictures are.

    Args:
        folder: Output folder; made if it does not exist.

    Raises:
        OSError: If it cannot be written.
        FileNotFoundError: If the demo video is not installed.
    """
    prepare_folder(folder)
    pictures = extract_frames(demo_video(), folder)
    boxes = dict(zip((str(picture) for picture in pictures), DEMO_FRAMES.values(), strict=True))
    try:
        estimators = [PoseEstimator.load(variant) for variant in DEMO_VARIANTS]
    except WeightsNotFoundError:
        print("No released weights can be reached: random weights show the same path, but not poses.")
        estimators = [_untrained(DEMO_VARIANTS[0])]
    for estimator in estimators:
        target = folder / estimator.name
        prepare_folder(target)
        result = predict_files(estimator, pictures, target, boxes=boxes, draw_maps=frozenset({"heatmaps", "pafs"}))
        if result.errors:
            raise ValueError("; ".join(result.errors))
        print(f"EfficientPose {estimator.name.upper().replace('_', ' ')}: {len(result.pictures)} pictures in {target}")
        for picture in result.pictures:
            if picture.stem.endswith("_pose"):
                print(f"  {picture}")


def _untrained(variant: str) -> PoseEstimator:
    model = init_model(str(mpii_config_path(variant)), device="cpu")
    return PoseEstimator(model, name=f"{variant}_untrained")
