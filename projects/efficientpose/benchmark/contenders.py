"""Load what is measured: for each row, the network alone and the way from a picture's file to keypoints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator

from efficientpose.benchmark.cases import Case
from efficientpose.benchmark.networks import encode_for_torch
from efficientpose.benchmark.released_pipeline import ReleasedPipeline
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.inference.fast import PreparedPoseEstimator, prepare_for_inference
from efficientpose.runtime import PoseEstimator
from efficientpose.runtime.crop_encoder import CropEncoder
from efficientpose.runtime.engines import load_engine

FindKeypoints = Callable[[np.ndarray], np.ndarray]


class Contender(NamedTuple):
    """Something to measure.

    Attributes:
        network: Runs the network alone, on crops that are normalised already.
        end_to_end: From the picture's file to keypoints.
        find_in_crop: Returns keypoints (16, 2), input pixels, of a crop (H, W, 3) uint8, RGB, of the network's size.
        find_in_picture: Returns keypoints (16, 2) in the picture, pixels.
    """

    network: Callable[[], object]
    end_to_end: Callable[[], object]
    find_in_crop: FindKeypoints
    find_in_picture: Callable[[], np.ndarray]


class Material(NamedTuple):
    """What contenders run on.

    Attributes:
        picture: A file.
        crop: (H, W, 3) uint8, RGB, of the network's size.
        batch: Of how many crops, or pictures, one run is.
    """

    picture: Path
    crop: np.ndarray
    batch: int


def load_file(case: Case, file: Path, material: Material) -> Contender:
    """Load an exported file."""
    precision = None if case.precision == "int8" else case.precision
    settings: dict[str, Any] = dict(engine=case.engine, threads=case.threads, precision=precision)
    engine = load_engine(file, **settings)
    estimator = PoseEstimator(file, **settings)
    bgr = np.ascontiguousarray(material.crop[..., ::-1])
    images = CropEncoder(engine.metadata, dtype=engine.input_dtype).encode([bgr] * material.batch)
    return Contender(
        network=lambda: engine.infer(images),
        end_to_end=lambda: estimator.predict_batch([material.picture] * material.batch),
        find_in_crop=lambda crop: estimator.predict(np.ascontiguousarray(crop[..., ::-1]))[0].keypoints[:, :2],
        find_in_picture=lambda: estimator.predict(material.picture)[0].keypoints[:, :2],
    )


def load_torch(case: Case, model: TopdownPoseEstimator, material: Material) -> Contender:
    """Prepare the MMPose model, or take it as it is."""
    if case.engine != "torch":
        execution = "compile" if case.engine == "torch-compile" else "eager"
        model = prepare_for_inference(model, execution=execution, precision=case.precision)  # type: ignore[arg-type]
    estimator = TorchPoseEstimator(model, name=case.variant)
    images = encode_for_torch(model, [material.crop] * material.batch)

    def run_pictures() -> None:
        for _ in range(material.batch):
            estimator.predict(material.picture)

    return Contender(
        network=lambda: run_network(model, images),
        end_to_end=run_pictures,
        find_in_crop=lambda crop: estimator.predict(np.ascontiguousarray(crop[..., ::-1]))[0].keypoints[:, :2],
        find_in_picture=lambda: estimator.predict(material.picture)[0].keypoints[:, :2],
    )


def run_network(model: TopdownPoseEstimator, images: torch.Tensor) -> torch.Tensor:
    """Compute the maps that keypoints are read from, as ``predict`` does."""
    guard = torch.inference_mode if isinstance(model, PreparedPoseEstimator) else torch.no_grad
    with guard():
        features = model.extract_feat(images)
        head = model.head
        maps: torch.Tensor = (head.forward_coarse if head.decodes_sparsely else head.forward_deployed)(features)
    return maps


def load_released(pipeline: ReleasedPipeline, material: Material) -> Contender:
    """Take the released pipeline; its model takes one crop at a time."""
    images = pipeline.normalise(material.crop)

    def repeat(run: Callable[[], object]) -> Callable[[], None]:
        def run_all() -> None:
            for _ in range(material.batch):
                run()

        return run_all

    return Contender(
        network=repeat(lambda: pipeline.infer(images)),
        end_to_end=repeat(lambda: pipeline.predict(material.picture)),
        find_in_crop=lambda crop: pipeline.decode(pipeline.infer(pipeline.normalise(crop))),
        find_in_picture=lambda: pipeline.predict(material.picture),
    )
