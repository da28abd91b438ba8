"""Score a network on synthetic people, drawn on the spot: what ``make demo`` can show without any download."""

import os
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import METRICS

from efficientpose.datasets.synthetic.generate import Plan, generate
from efficientpose.evaluation.pckh import PckhTable
from efficientpose.inference.estimator import PoseEstimator
from efficientpose.locations import config_path

NUM_PEOPLE = 500


def draw_validation_people(folder: Path) -> None:
    """Draw the synthetic MPII's validation part, of which every picture depends on the seed 0 and its number alone.

    Args:
        folder: Made if it does not exist; one that does is taken for an earlier run's.

    Raises:
        OSError: If it cannot be written.
    """
    if not folder.exists():
        generate(Plan(num_train=1, num_val=NUM_PEOPLE, num_workers=os.cpu_count() or 1), folder)


def score_on_synthetic_people(estimator: PoseEstimator, folder: Path) -> PckhTable:
    """Score an RT network on the people that :func:`draw_validation_people` drew.

    Args:
        estimator: An RT network.
        folder: Where they are.
    """
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
