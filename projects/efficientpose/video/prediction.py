"""Predict one video or camera: frames in; overlay, JSON lines and CSV out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from efficientpose.core.boxes import Boxes
from efficientpose.core.poses import Estimator, Pose, skeleton_of
from efficientpose.video.camera import Camera
from efficientpose.video.pipeline import run_pipeline
from efficientpose.video.reading import Frame, VideoError, VideoFile
from efficientpose.video.writing import VideoResults

ENOUGH: Final = 0.9  # share of a camera's frames from which it is not worth telling that some were missed


@dataclass(frozen=True, kw_only=True)
class VideoResult:
    """What became of a video."""

    num_frames: int  # that were written
    files: tuple[Path, ...]  # that were written; none where no frame was
    errors: tuple[str, ...]  # one message for whatever could not be read, or stopped it before its end
    notes: tuple[str, ...] = ()  # that many of a camera's frames were missed, which is no error


def predict_video(
    estimator: Estimator,
    source: VideoFile | Camera,
    folder: Path,
    *,
    name: str | None = None,
    boxes: Boxes | None = None,
    with_overlay: bool = True,
    on_frame_done: Callable[[Frame, tuple[Pose, ...]], None] = lambda _frame, _poses: None,
) -> VideoResult:
    """Find the poses in every frame; what was done so far is on disk, whatever stops it.

    Args:
        estimator: The network, or a follower around it.
        source: The open video; it is closed at the end.
        folder: Where results go; it must exist.
        name: What they are called; None for the source's name.
        boxes: People in every frame, (N, 4) x1, y1, x2, y2 in pixels; None leaves it to the estimator.
        with_overlay: Whether the overlay video is written.
        on_frame_done: Called with each frame and its poses when they are written, from another thread.

    Raises:
        ValueError: If the network cannot use the first frame with these boxes.
        OSError: If no result can be written.
        KeyboardInterrupt: By Ctrl-C, except for a camera.
    """
    errors = []
    skeleton = skeleton_of(estimator)
    results = VideoResults(folder, name or source.name, rate=source.rate, with_overlay=with_overlay, skeleton=skeleton)

    def write(frame: Frame, poses: tuple[Pose, ...]) -> None:
        results.write(frame, poses)
        on_frame_done(frame, poses)

    with source, results:
        try:
            run_pipeline(source, estimator, write, boxes=boxes)
        except VideoError as error:
            errors.append(str(error))
        except (ValueError, OSError) as error:
            if not results.num_frames:
                raise
            errors.append(f"{source.name}: stopped after {results.num_frames} frames: {error}")
        except KeyboardInterrupt:
            if not source.is_camera:  # of a camera it is the only end
                raise
    notes: tuple[str, ...] = ()
    if source.is_camera and results.mean_rate < ENOUGH * source.rate:
        notes = (f"{source.name}: {results.mean_rate:.1f} of the {source.rate:.1f} frames a second that it promises",)
    return VideoResult(
        num_frames=results.num_frames,
        files=results.files if results.num_frames else (),
        errors=(*source.problems, *errors, *results.problems),
        notes=notes,
    )
