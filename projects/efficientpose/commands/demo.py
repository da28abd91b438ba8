"""``make demo``: two people in real images, with the starter checkpoint and with any released weights at hand."""

import os
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import METRICS

from efficientpose.core.files import prepare_folder
from efficientpose.core.shipped_files import config_path, starter_checkpoint
from efficientpose.evaluation.pckh import PckhTable
from efficientpose.evaluation.pckh_metric import render
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.inference.sample_crops import DEMO_FRAMES, demo_video, extract_frames
from efficientpose.runtime.predict_files import predict_files
from efficientpose.weights.find import WeightsNotFoundError
from synthetic_people.generate import Plan, generate

NUM_PEOPLE = 500


def draw_validation_people(folder: Path) -> None:
    """Draw the synthetic MPII's validation part, of which every image depends on the seed 0 and its number alone.

    A folder that exists is taken for an earlier run's.
    """
    if not folder.exists():
        generate(Plan(num_train=1, num_val=NUM_PEOPLE, num_workers=os.cpu_count() or 1), folder)


def score_on_synthetic_people(estimator: TorchPoseEstimator, folder: Path) -> PckhTable:
    """Score an RT network on the people that :func:`draw_validation_people` drew."""
    config = Config.fromfile(config_path("efficientpose_rt_synthetic.py"))
    loader = config.test_dataloader
    loader.num_workers, loader.persistent_workers = 0, False
    loader.dataset.data_root = str(folder)
    loader.dataset.headbox_file = str(folder / "annotations" / "mpii_gt_val.mat")
    batches = Runner.build_dataloader(loader)
    metric = METRICS.build(config.test_evaluator)
    metric.dataset_meta = batches.dataset.metainfo
    for batch in batches:
        metric.process(batch, [sample.to_dict() for sample in estimator.model.test_step(batch)])
    return metric.score(metric.results)


RELEASED_VARIANTS = ("rt", "i")
STARTER_NAME = "rt_starter"


def run_demo(folder: Path) -> None:
    """Find the people in the demo's images and score the starter checkpoint; print where the drawings are.

    Raises:
        OSError: If it cannot be written.
        FileNotFoundError: If the demo video or the starter checkpoint is not installed.
    """
    prepare_folder(folder)
    images = extract_frames(demo_video(), folder)
    starter = TorchPoseEstimator.load("rt", weights=starter_checkpoint())
    starter.name = STARTER_NAME
    _draw_poses(starter, images, folder)
    try:
        released = [TorchPoseEstimator.load(variant) for variant in RELEASED_VARIANTS]
    except WeightsNotFoundError:
        released = []
        print("No released weights can be reached: they find keypoints more exactly than the starter checkpoint.")
    for estimator in released:
        _draw_poses(estimator, images, folder)
    synthetic = folder / "synthetic_people"
    draw_validation_people(synthetic)
    title = "Starter checkpoint: PCKh on synthetic people,"
    print(render(score_on_synthetic_people(starter, synthetic), measure="PCKh", title=title))


def _draw_poses(estimator: TorchPoseEstimator, images: list[Path], folder: Path) -> None:
    target = folder / estimator.name
    prepare_folder(target)
    boxes = dict(zip(map(str, images), DEMO_FRAMES.values(), strict=True))
    result = predict_files(estimator, images, target, boxes=boxes, draw_maps=frozenset({"heatmaps", "pafs"}))
    if result.errors:
        raise ValueError("; ".join(result.errors))
    print(f"EfficientPose {estimator.name.upper().replace('_', ' ')}: {len(result.drawn)} images in {target}")
    for path in result.drawn:
        if path.stem.endswith("_pose"):
            print(f"  {path}")
