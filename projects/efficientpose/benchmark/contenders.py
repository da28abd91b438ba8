"""The ways to measure: for each row, the network alone and the way from an image's file to keypoints."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator

from efficientpose.benchmark.networks import encode_for_torch
from efficientpose.benchmark.plan import Case
from efficientpose.benchmark.released_pipeline import ReleasedPipeline
from efficientpose.core.images import read_image
from efficientpose.inference import sample_crops
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.inference.fast import PreparedPoseEstimator, prepare_for_inference
from efficientpose.runtime import PoseEstimator
from efficientpose.runtime.crop_encoder import CropEncoder
from efficientpose.runtime.engines import load_engine

_PHOTO = "data/photos/official_sample.jpg"
_SIDE = 1024


class Contender(NamedTuple):
    """Something to measure, in its parts."""

    network: Callable[[], object]  # runs the network alone, on crops that are normalised already
    end_to_end: Callable[[], object]  # from the image's file to keypoints
    find_in_crop: Callable[[np.ndarray], np.ndarray]  # crop (H, W, 3) uint8, RGB → keypoints (16, 2), input pixels
    find_in_image: Callable[[], np.ndarray]  # keypoints (16, 2), image pixels


class Material(NamedTuple):
    """What contenders run on: an image's file, a crop, and how many of them in one run."""

    image: Path
    crop: np.ndarray  # (H, W, 3) uint8, RGB, of the network's size
    batch: int


def load_file(case: Case, file: Path, material: Material) -> Contender:
    """Load an exported file."""
    settings: dict[str, Any] = dict(engine=case.engine, threads=case.threads)
    settings["precision"] = None if case.precision == "int8" else case.precision
    engine = load_engine(file, **settings)
    estimator = PoseEstimator(file, **settings)
    bgr = np.ascontiguousarray(material.crop[..., ::-1])
    images = CropEncoder(engine.metadata, dtype=engine.input_dtype).encode([bgr] * material.batch)
    return Contender(
        network=lambda: engine.infer(images),
        end_to_end=lambda: estimator.predict_batch([material.image] * material.batch),
        find_in_crop=lambda crop: estimator.predict(np.ascontiguousarray(crop[..., ::-1]))[0].keypoints[:, :2],
        find_in_image=lambda: estimator.predict(material.image)[0].keypoints[:, :2],
    )


def load_torch(case: Case, model: TopdownPoseEstimator, material: Material) -> Contender:
    """Prepare the MMPose model, or take it as it is."""
    if case.engine != "torch":
        execution = "compile" if case.engine == "torch-compile" else "eager"
        model = prepare_for_inference(model, execution=execution, precision=case.precision)  # type: ignore[arg-type]
    estimator = TorchPoseEstimator(model, name=case.variant)
    images = encode_for_torch(model, [material.crop] * material.batch)
    return Contender(
        network=lambda: run_network(model, images),
        end_to_end=_repeat(lambda: estimator.predict(material.image), material.batch),
        find_in_crop=lambda crop: estimator.predict(np.ascontiguousarray(crop[..., ::-1]))[0].keypoints[:, :2],
        find_in_image=lambda: estimator.predict(material.image)[0].keypoints[:, :2],
    )


def run_network(model: TopdownPoseEstimator, images: torch.Tensor) -> torch.Tensor:
    """Compute the heatmaps that keypoints are read from, as ``predict`` does."""
    guard = torch.inference_mode if isinstance(model, PreparedPoseEstimator) else torch.no_grad
    with guard():
        features = model.extract_feat(images)
        head = model.head
        heatmaps: torch.Tensor = (head.forward_coarse if head.decodes_sparsely else head.forward_deployed)(features)
    return heatmaps


def load_released(pipeline: ReleasedPipeline, material: Material) -> Contender:
    """Take the released pipeline; its model takes one crop at a time."""
    images = pipeline.normalise(material.crop)
    return Contender(
        network=_repeat(lambda: pipeline.infer(images), material.batch),
        end_to_end=_repeat(lambda: pipeline.predict(material.image), material.batch),
        find_in_crop=lambda crop: pipeline.decode(pipeline.infer(pipeline.normalise(crop))),
        find_in_image=lambda: pipeline.predict(material.image),
    )


def _repeat(run: Callable[[], object], times: int) -> Callable[[], None]:
    def run_all() -> None:
        for _ in range(times):
            run()

    return run_all


def find_image(folder: Path) -> Path:
    """Return a JPEG of a person, of about a megapixel, to measure with; written to ``folder`` if need be.

    The authors' photo where EFFICIENTPOSE_SHARED says where it is, else a person of the demo's video, else a smooth
    random image.
    """
    photo = Path(os.environ.get(sample_crops.SHARED_VARIABLE, "")) / _PHOTO
    if sample_crops.SHARED_VARIABLE in os.environ and photo.is_file():
        return photo
    try:
        frames = sample_crops.extract_frames(sample_crops.demo_video(), folder)
    except FileNotFoundError:
        image = sample_crops.draw_smooth_crops((_SIDE, _SIDE))[0]
    else:
        x1, y1, x2, y2 = sample_crops.DEMO_FRAMES[min(sample_crops.DEMO_FRAMES)][0]
        size = (round(_SIDE * (x2 - x1) / (y2 - y1)), _SIDE)
        image = cv2.resize(read_image(frames[0])[y1:y2, x1:x2], size, interpolation=cv2.INTER_CUBIC)
    path = folder / "picture.jpg"  # reports name it so
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return path
