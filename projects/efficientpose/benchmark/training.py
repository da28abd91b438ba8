"""Compare targets drawn in the head, on the device, with targets drawn in the data loader, as MMPose does.

Both give the same targets in float32. The loader's way is MMPose's ``GenerateTarget`` and ``PackPoseInputs`` with a
codec that draws them separably: the fastest that we know (MMPose's ``MSRAHeatmap`` takes longer). For the loss at full
resolution it needs targets and predictions of that size; the head computes it from the targets' columns and rows.
"""

import copy
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from mmpose.registry import DATASETS, MODELS
from mmpose.structures import PoseDataSample
from torch.utils.data import DataLoader

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.codecs.targets import Targets
from efficientpose.engine.cpu import ChannelsLastHook
from efficientpose.engine.lookup import find_hook


class Comparison(NamedTuple):
    """Median samples per second with targets drawn on the device and in the loader, and the median of their ratios."""

    device: float
    loader: float
    ratio: float


class PipelineComparison(NamedTuple):
    """Speed of both data loaders, and the sum of their workers' largest resident sets, MiB; None without ``/proc``."""

    speed: Comparison
    device_memory: float | None
    loader_memory: float | None


class TargetsInLoader(FullResolutionHeatmap):
    """The codec as MMPose would use it: ``encode`` draws all targets of a sample, one level of ``heatmaps`` each."""

    label_mapping_table = dict(keypoint_weights="keypoint_weights", limb_weights="limb_weights")

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict[str, Any]:
        """Draw a person's targets: ``heatmaps`` (coarse, full, PAFs), ``keypoint_weights`` and ``limb_weights``."""
        labelled = np.ones(keypoints.shape[:2]) if keypoints_visible is None else keypoints_visible
        targets = self.render(torch.from_numpy(keypoints.astype(np.float32)), torch.from_numpy(labelled))
        levels = (targets.heatmaps, targets.full_heatmaps, targets.pafs)
        return dict(
            heatmaps=[maps[0].numpy() for maps in levels if maps is not None],
            keypoint_weights=targets.keypoint_weights.numpy(),
            limb_weights=cast(torch.Tensor, targets.limb_weights).numpy(),
        )


class TargetsFromLoader:
    """Stands in for the head's codec: stacks the targets that came with a batch's samples, as MMPose's heads do."""

    def __init__(self, codec: FullResolutionHeatmap) -> None:
        self.input_size = codec.input_size
        self.heatmap_energy = codec.heatmap_energy
        self.paf_energy = codec.paf_energy
        self.samples: Sequence[PoseDataSample] = ()

    def render(self, *_: torch.Tensor, with_pafs: bool, with_full_heatmaps: bool, **_settings: bool) -> Targets:
        """Return the samples' targets as they came; the keypoints are not used."""
        fields = [sample.gt_fields for sample in self.samples]
        coarse, full, pafs = (torch.stack([levels.heatmaps for levels in level]) for level in zip(*fields, strict=True))
        labels = [sample.gt_instance_labels for sample in self.samples]
        return Targets(
            heatmaps=coarse,
            full_heatmaps=full if with_full_heatmaps else None,
            pafs=pafs if with_pafs else None,
            keypoint_weights=torch.cat([each.keypoint_weights for each in labels]),
            limb_weights=torch.cat([each.limb_weights for each in labels]) if with_pafs else None,
            heatmap_energy=self.heatmap_energy,
            paf_energy=self.paf_energy,
        )


def enlarge_images(root: Path, *, width: int) -> None:
    """Enlarge a training set in MPII's layout, in place, to images as wide as in training: decoding takes as long."""
    path = root / "annotations" / "mpii_train.json"
    people = json.loads(path.read_text(encoding="utf-8"))
    for person in people:  # each has an image of its own, as synthetic_people draws them
        file = str(root / "images" / person["image"])
        image = cv2.imread(file)
        factor = width / image.shape[1]
        cv2.imwrite(file, cv2.resize(image, (width, round(factor * image.shape[0]))))
        person["scale"] *= factor
        person["center"] = [factor * value for value in person["center"]]
        person["joints"] = [[factor * value for value in joint] for joint in person["joints"]]
    path.write_text(json.dumps(people), encoding="utf-8")


def _loader_settings(config: Config, *, data_root: Path, num_samples: int, with_targets: bool) -> dict[str, Any]:
    settings = copy.deepcopy(config.train_dataloader.to_dict())
    dataset = settings["dataset"]
    dataset.update(data_root=f"{data_root}/", indices=num_samples)
    if with_targets:
        encoder = config.model.head.decoder.to_dict() | dict(type=TargetsInLoader)
        dataset["pipeline"].insert(-1, dict(type="GenerateTarget", encoder=encoder))
    return settings


def compare(
    device: Callable[[], int], loader: Callable[[], int], *, repetitions: int, clock: Callable[[], float]
) -> Comparison:
    """Time two ways in turn, after one run of each that does not count; each returns its number of samples."""
    speeds: tuple[list[float], list[float]] = ([], [])
    for repetition in range(repetitions + 1):
        for way, found in zip((device, loader), speeds, strict=True):
            start = clock()
            num_samples = way()
            if repetition:
                found.append(num_samples / (clock() - start))
    ratio = median(ours / theirs for ours, theirs in zip(*speeds, strict=True))
    return Comparison(device=median(speeds[0]), loader=median(speeds[1]), ratio=ratio)


def compare_pipelines(config: Config, *, data_root: Path, num_samples: int, repetitions: int) -> PipelineComparison:
    """Read a training set in MPII's layout through the config's data loader, workers included, in both ways."""
    init_default_scope("mmpose")
    set_multi_processing(**config.env_cfg.mp_cfg)
    loaders, workers = [], []
    for with_targets in (False, True):
        settings = _loader_settings(config, data_root=data_root, num_samples=num_samples, with_targets=with_targets)
        before = set(multiprocessing.active_children())
        loaders.append(Runner.build_dataloader(settings))
        _read_all(loaders[-1])
        workers.append(set(multiprocessing.active_children()) - before)
    device, loader = (partial(_read_all, each) for each in loaders)
    speed = compare(device, loader, repetitions=repetitions, clock=time.perf_counter)
    memory = [_sum_largest_resident_sets([worker.pid for worker in each if worker.pid]) for each in workers]
    return PipelineComparison(speed=speed, device_memory=memory[0], loader_memory=memory[1])


def _read_all(loader: DataLoader) -> int:
    return sum(len(batch["inputs"]) for batch in loader)


def _sum_largest_resident_sets(process_ids: Sequence[int]) -> float | None:
    total = 0
    for process_id in process_ids:
        status = Path(f"/proc/{process_id}/status")
        if not status.is_file():
            return None
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        total += int(fields["VmHWM"].split()[0])
    return total / 1024 if process_ids else None


def compare_steps(config: Config, *, data_root: Path, batch_size: int, repetitions: int) -> Comparison:
    """Time a training step in both ways: batch to the device, forward, loss, backward."""
    init_default_scope("mmpose")
    network = MODELS.build(config.model).to(get_device()).train()
    if find_hook(config, ChannelsLastHook):
        network.to(memory_format=torch.channels_last)
    codec, given = network.head.decoder, TargetsFromLoader(network.head.decoder)
    batches = []
    for with_targets in (False, True):
        settings = _loader_settings(config, data_root=data_root, num_samples=batch_size, with_targets=with_targets)
        dataset = DATASETS.build(settings["dataset"])
        np.random.seed(0)  # the same augmentation both times
        batches.append(pseudo_collate([dataset[index] for index in range(batch_size)]))
    losses: dict[bool, float] = {}

    def step(with_targets: bool) -> int:
        torch.manual_seed(0)  # for stochastic depth
        data = network.data_preprocessor(batches[with_targets], training=True)
        given.samples = data["data_samples"]
        network.head.decoder = given if with_targets else codec
        loss, _ = network.parse_losses(network.loss(**data))
        network.zero_grad()
        loss.backward()
        losses[with_targets] = loss.item()  # waits for the device
        return batch_size

    compared = compare(lambda: step(False), lambda: step(True), repetitions=repetitions, clock=time.perf_counter)
    if abs(losses[True] / losses[False] - 1) > 1e-4:
        raise RuntimeError(f"the losses with targets drawn on the device and given differ: {losses}")
    return compared
