"""Options of testing beyond a config: flip test, multi-scale testing, and predictions in a file.

Each function changes a config before its runner is built; multi-scale testing needs the runner that MMEngine's
``build_runner_with_tta`` builds.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpose.registry import METRICS

from efficientpose.core.files import make_writable_folder
from efficientpose.evaluation.pckh_metric import SUBMISSION_ENDINGS, PCKh

DEFAULT_SCALES = (0.8, 1.0, 1.2)
"""The paper names none. Of seven sets tried with the released RT, this one gained most at PCKh@0.1 over flip test
alone: 5.8 to 6.9 on 200 people of LSPET's validation part (PCKh@0.5 41.1 to 43.6). Sets that only show more
surroundings, such as 0.7, 0.85, 1, gain more at 0.5 there, where many are bent.
"""

SCALED_TRANSFORM = "PersonCenterScale"


def set_flip_test(config: Config, *, enabled: bool) -> None:
    """Turn averaging with the mirrored crop on or off."""
    config.model.test_cfg = dict(config.model.get("test_cfg") or {}, flip_test=enabled)


def set_multi_scale_test(config: Config, scales: Sequence[float] | None = None) -> None:
    """Give a config the ``tta_model`` and ``tta_pipeline`` of MMEngine's convention.

    Args:
        config: It keeps its own of either, unless there are ``scales``.
        scales: Sizes of the person in each crop, 1 being as trained; None for :data:`DEFAULT_SCALES`.

    Raises:
        ValueError: As :func:`scale_pipeline`.
    """
    if scales is not None or "tta_model" not in config:
        config.tta_model = dict(type="MultiScaleTester")
    if scales is not None or "tta_pipeline" not in config:
        pipeline = config.test_dataloader.dataset.get("pipeline", [])
        config.tta_pipeline = scale_pipeline(pipeline, DEFAULT_SCALES if scales is None else scales)


def scale_pipeline(pipeline: Sequence[dict[str, Any]], scales: Sequence[float]) -> list[dict[str, Any]]:
    """Return a test pipeline that crops each person once a scale.

    Args:
        pipeline: A test pipeline with one ``PersonCenterScale``; the steps before it run once.
        scales: Sizes of the person in each crop, relative to the pipeline's own. The crop of scale 1, if there is one,
            else the first, comes first: heatmaps are averaged in its frame.

    Raises:
        ValueError: If there are no scales, one is not positive or comes twice, or the pipeline has no such step.
    """
    if not scales or not all(0 < scale < math.inf for scale in scales) or len(set(scales)) < len(scales):
        raise ValueError(f"scales of multi-scale testing must be positive numbers, each once, got {list(scales)}")
    indices = [index for index, step in enumerate(pipeline) if step["type"] == SCALED_TRANSFORM]
    if len(indices) != 1:
        steps = ", ".join(str(step["type"]) for step in pipeline) or "nothing"
        raise ValueError(
            f"multi-scale testing scales the step {SCALED_TRANSFORM}, of which the test pipeline must have one; "
            f"it has {steps}"
        )
    (index,) = indices
    step = pipeline[index]
    ordered = sorted(scales, key=lambda scale: scale != 1)
    scaled = [dict(step, scale=step.get("scale", 1.0) * scale) for scale in ordered]
    later = [[dict(each)] for each in pipeline[index + 1 :]]
    return [*pipeline[:index], dict(type="TestTimeAug", transforms=[scaled, *later])]


def set_submission(config: Config, path: Path, *, release_file: Path | None = None) -> None:
    """Make every PCKh evaluator write the predictions, as :mod:`efficientpose.evaluation.submission` does.

    Every one, because an evaluator that writes none refuses MPII's test set, in which nothing is labelled.

    Args:
        config: Its ``test_evaluator`` is one evaluator or several.
        path: ``.mat`` for MPII, ``.json`` for COCO-style results; its folder is made.
        release_file: MPII's own annotation file, for a ``.mat`` in the test server's structure.

    Raises:
        FileNotFoundError: If there is no such release file.
        OSError: If the folder cannot be written to.
        ValueError: If there is no PCKh evaluator, the ending is neither, or a release file comes with ``.json``.
    """
    evaluators = config.get("test_evaluator") or []
    if isinstance(evaluators, dict):
        evaluators = evaluators.get("metrics", [evaluators])
    writing = [evaluator for evaluator in evaluators if _is_pckh(evaluator)]
    if not writing:
        kinds = ", ".join(str(evaluator.get("type")) for evaluator in evaluators) or "empty"
        raise ValueError(f"a submission is written by the evaluator PCKh, but test_evaluator is {kinds}")
    if path.suffix not in SUBMISSION_ENDINGS:
        raise ValueError(f"{path}: a submission ends in {' or '.join(SUBMISSION_ENDINGS)}")
    if release_file is not None and path.suffix != ".mat":
        raise ValueError(f"{path}: only a submission that ends in .mat is written with a release file")
    if release_file is not None and not release_file.is_file():
        raise FileNotFoundError(f"{release_file}: no such file; expected MPII's mpii_human_pose_v1_u12_1.mat")
    make_writable_folder(path.parent)
    for evaluator in writing:
        evaluator["submission_file"] = str(path)
        evaluator["release_file"] = None if release_file is None else str(release_file)


def _is_pckh(evaluator: dict[str, Any]) -> bool:
    kind = evaluator.get("type")
    metric = METRICS.get(kind) if isinstance(kind, str) else kind
    return isinstance(metric, type) and issubclass(metric, PCKh)
