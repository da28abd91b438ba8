"""The rate of a video from file to results, against the rate that its network alone allows."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np

from efficientpose.benchmark.timing import time_in_turn
from efficientpose.runtime.estimator import PoseEstimator
from efficientpose.video.prediction import predict_video
from efficientpose.video.reading import open_video

CLIP_SIZE: Final = (1280, 720)
CLIP_RATE: Final = 30.0
_STEP: Final = 4  # pixels that the image moves in each frame of a drawn clip, so that the video codec has work


class VideoRate(NamedTuple):
    """Frames a second, medians over rounds."""

    network: float  # of the network on a crop that is ready, one after the other
    beside_encoder: float  # likewise, while another thread writes a video: what sharing hardware with it costs
    with_overlay: float  # from the video file to overlay, JSON lines and CSV
    numbers_only: float  # without overlay


def measure_video_rate(estimator: PoseEstimator, clip: Path, *, rounds: int) -> VideoRate:
    """Measure the four in turn; each frame is taken as one person."""
    with open_video(clip) as video:
        images = [frame.image for frame in video]
    prepared = estimator.prepare(images[len(images) // 2])

    def run_network() -> None:
        for _ in images:
            estimator.infer(prepared)

    def run_beside_encoder() -> None:
        with _encoding(images):
            run_network()

    def run_video(*, with_overlay: bool) -> Callable[[], None]:
        def run() -> None:
            with tempfile.TemporaryDirectory() as folder:
                result = predict_video(estimator, open_video(clip), Path(folder), with_overlay=with_overlay)
            if result.num_frames != len(images):
                raise RuntimeError(f"{clip}: {len(images)} frames in, {result.num_frames} out")

        return run

    ways = {
        "network": run_network,
        "beside_encoder": run_beside_encoder,
        "with_overlay": run_video(with_overlay=True),
        "numbers_only": run_video(with_overlay=False),
    }
    estimator.infer(prepared)
    times = time_in_turn(ways, rounds=rounds, warm_up=0)
    return VideoRate(**{name: 1000 * len(images) / timing.wall.median for name, timing in times.items()})


@contextmanager
def _encoding(images: Sequence[np.ndarray]) -> Iterator[None]:
    """Write a video over and over in another thread."""
    stop = threading.Event()

    def encode(path: Path) -> None:
        writer = _open_writer(path, images[0].shape[1::-1])
        while not stop.is_set():
            for image in images:
                writer.write(image)
                if stop.is_set():
                    break
        writer.release()

    with tempfile.TemporaryDirectory() as folder:
        thread = threading.Thread(target=encode, args=(Path(folder) / "beside.mp4",))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _open_writer(path: Path, size: Sequence[int]) -> cv2.VideoWriter:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), CLIP_RATE, size)
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write a video there")
    return writer


def draw_clip(image: np.ndarray, path: Path, *, num_frames: int) -> None:
    """Write a video (``.mp4``) of 1280 × 720 pixels in which an image (H, W, 3) uint8, BGR, moves sideways and back."""
    if num_frames < 1:
        raise ValueError(f"a clip has 1 frame or more, not {num_frames}")
    width, height = CLIP_SIZE
    moving = cv2.resize(image, (max(2, round(image.shape[1] * height / image.shape[0])), height))[:, :width]
    room = width - moving.shape[1]
    writer = _open_writer(path, CLIP_SIZE)
    for number in range(num_frames):
        x = abs((number * _STEP + room) % (2 * room) - room) if room else 0
        frame = np.zeros((height, width, 3), np.uint8)
        frame[:, x : x + moving.shape[1]] = moving
        writer.write(frame)
    writer.release()
