"""Finding several people, measured: one pass with part affinity fields and a search, against crops at perfect boxes."""

import json
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from crossing_clips import STANDING

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.codecs.targets import render_heatmaps, render_pafs
from efficientpose.core.decoding import STRIDE
from efficientpose.core.images import read_image
from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import LIMBS, NUM_KEYPOINTS, Limb
from efficientpose.evaluation.people_metric import PeopleCounts, count_people
from efficientpose.inference.estimator import PoseEstimator
from efficientpose.inference.paf_estimator import PeopleEstimator
from efficientpose.people.search import find_people
from synthetic_people.crowd import sample_crowd
from synthetic_people.scenes import PeopleScene, PersonPhoto, compose_at_random, cut_person

KINDS: Final = ("side by side", "overlapping", "synthetic")
SPACINGS: Final = {"side by side": 1.2, "overlapping": 0.6, "synthetic": 0.7}
MIN_JOINT_SCORE: Final = 0.1
"""Crops give every joint; from here on it counts as found, as a peak does in one pass."""
BOX_MARGIN: Final = 0.1
MIN_LABELLED: Final = 10
TIMED_SIZE: Final = (1024, 512)
TIMED_SIGMA: Final = 13.0


class PeopleModels(NamedTuple):
    """One network, used both ways."""

    people: PeopleEstimator
    crops: PoseEstimator


def load_models(variant: str, *, weights: Path | None) -> PeopleModels:
    """Load a variant for both; the scenes are taken as large as they are.

    Raises:
        ValueError: If the weights do not fit, or lack part affinity fields.
        FileNotFoundError: If they are not there.
    """
    return PeopleModels(
        people=PeopleEstimator.load(variant, weights=weights), crops=PoseEstimator.load(variant, weights=weights)
    )


def draw_scenes(
    kind: str, *, lspet: Path | None, num_people: int, num_scenes: int, size: float, seed: int
) -> list[PeopleScene]:
    """Make scenes; equal arguments make equal ones.

    Args:
        kind: One of :data:`KINDS`.
        lspet: LSP Extended in MPII's layout; None for synthetic people alone.
        num_people: In each.
        num_scenes: How many.
        size: Middle size of a person, pixels.
        seed: Of everything drawn.

    Raises:
        ValueError: If a kind needs photographs that are not given, or there are no people to draw.
        OSError: If they cannot be read.
    """
    if num_people < 1 or num_scenes < 1:
        raise ValueError(f"people and scenes must be 1 or more, got {num_people} and {num_scenes}")
    scenes = []
    for index in range(num_scenes):
        rng = np.random.default_rng((seed, KINDS.index(kind), num_people, index))
        if kind == "synthetic":
            scenes.append(sample_crowd(rng, num_people=num_people, stature=size, spacing=SPACINGS[kind]))
            continue
        if lspet is None:
            raise ValueError(f"scenes {kind} need photographs: say where LSP Extended is")
        people = _draw_people(rng, lspet, num_people)
        scenes.append(compose_at_random(rng, people, size=size, spacing=SPACINGS[kind]))
    return scenes


@cache
def _read_annotations(lspet: Path) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = json.loads(
        (lspet / "annotations" / "lspet_val.json").read_text(encoding="utf-8")
    )
    return annotations


def _draw_people(rng: np.random.Generator, lspet: Path, num_people: int) -> list[PersonPhoto]:
    annotations = _read_annotations(lspet)
    people: list[PersonPhoto] = []
    while len(people) < num_people:
        entry = annotations[int(rng.integers(len(annotations)))]
        labelled = np.array(entry["joints_vis"]) > 0
        if labelled.sum() >= MIN_LABELLED:
            # MPII's files count pixels from 1.
            image, keypoints = read_image(lspet / "images" / entry["image"]), np.array(entry["joints"]) - 1
            people.append(cut_person(image, keypoints, labelled))
    return people


def score_scenes(models: PeopleModels, scenes: Sequence[PeopleScene]) -> dict[str, PeopleCounts]:
    """Return what each route finds, all scenes added up."""
    totals = {"one pass": PeopleCounts(), "search": PeopleCounts(), "crops": PeopleCounts()}
    for scene in scenes:
        truth = np.where(scene.labelled[..., None], scene.keypoints, np.nan)
        models.people.shorter_side = min(scene.image.shape[:2])
        poses = {
            "one pass": models.people.predict(scene.image),
            "search": find_people(models.crops, scene.image),
            "crops": models.crops.predict(scene.image, _perfect_boxes(scene)),
        }
        for route, found in poses.items():
            counts = count_people(truth, _found_keypoints(found), boxes=scene.boxes)
            totals[route] = totals[route].plus(counts)
    return totals


def _perfect_boxes(scene: PeopleScene) -> np.ndarray:
    sides = np.max(scene.boxes[:, 2:] - scene.boxes[:, :2], axis=1, keepdims=True)
    return scene.boxes + BOX_MARGIN * sides * np.array((-1, -1, 1, 1))


def _found_keypoints(poses: Sequence[Pose]) -> np.ndarray:
    keypoints = np.array([pose.keypoints for pose in poses]).reshape(-1, NUM_KEYPOINTS, 3)
    return np.where(keypoints[..., 2:] >= MIN_JOINT_SCORE, keypoints[..., :2], np.nan)


def time_people(models: PeopleModels, *, num_people: int, num_rounds: int, seed: int) -> dict[str, float]:
    """Return median seconds in a picture of one size, whatever the number of people.

    The network and the grouping of its maps are timed one after the other; for the grouping the maps are drawn with so
    many whole people, so that it has all of them to find.
    """
    if num_people < 1 or num_rounds < 1:
        raise ValueError(f"people and rounds must be 1 or more, got {num_people} and {num_rounds}")
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (TIMED_SIZE[1], TIMED_SIZE[0], 3), dtype=np.uint8)
    keypoints = draw_standing_people(num_people, image_size=TIMED_SIZE)
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=1)
    heatmaps, pafs = render_scene(keypoints, image_size=TIMED_SIZE)
    models.people.shorter_side = min(TIMED_SIZE)
    jobs = {
        "network of one pass": lambda: models.people.predict_maps(image),
        "grouping": lambda: models.people.model.decoder.group(heatmaps, pafs),
        "crops": lambda: models.crops.predict(image, boxes),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(num_rounds + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(each)) for name, each in times.items()}


def draw_standing_people(num_people: int, *, image_size: tuple[int, int]) -> np.ndarray:
    """Return (N, 16, 2) keypoints of people who stand in rows of six."""
    rows, columns = np.divmod(np.arange(num_people), 6)
    height = image_size[1] / (rows[-1] + 1) * 0.8
    middles = np.stack(((columns + 0.5) * image_size[0] / 6, (rows + 0.5) * image_size[1] / (rows[-1] + 1)), axis=1)
    return middles[:, None] + height * STANDING


def render_scene(
    keypoints: np.ndarray, *, image_size: tuple[int, int], limbs: Sequence[Limb] = LIMBS
) -> tuple[np.ndarray, np.ndarray]:
    """Return heatmaps (K, h, w) and part affinity fields (2L, h, w) as a perfect network would give them."""
    points = torch.from_numpy(keypoints).float()
    shape = (image_size[1] // STRIDE, image_size[0] // STRIDE)
    heatmaps = render_heatmaps(points, map_shape=shape, stride=STRIDE, sigma=TIMED_SIGMA).amax(dim=0)
    pafs = render_pafs(points, limbs, map_shape=shape, stride=STRIDE, half_width=STRIDE).sum(dim=0)
    return heatmaps.numpy(), pafs.numpy()
