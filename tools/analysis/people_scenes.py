"""Measure how many people and keypoints are found in scenes: in one pass, by search, and by crops at perfect boxes.

Examples:
    python tools/analysis/people_scenes.py --weights EfficientPoseI.h5 --variant i --lspet data/lspet
    python tools/analysis/people_scenes.py --weights EfficientPoseI.h5 --variant i --lspet data/lspet --timing

Scenes are people of LSP Extended's validation part side by side or overlapping, and synthetic people. The crops route
is given every person's true bounding box; compare the keypoints above all. Annotations of LSP Extended have no thorax
and pelvis, are noisy, and leave out bystanders, which count as false detections.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from composed_scenes import PersonPhoto, compose_at_random, cut_person
from track_switches import STANDING

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.codecs.targets import render_heatmaps, render_pafs
from efficientpose.core.decoding import STRIDE
from efficientpose.core.images import read_image
from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import LIMBS, NUM_KEYPOINTS, Limb
from efficientpose.evaluation.people_metric import PeopleCounts, count_people
from efficientpose.inference.estimator import TorchPoseEstimator
from efficientpose.inference.paf_estimator import TorchPafEstimator
from efficientpose.people.search import find_people
from synthetic_people.crowd import PeopleScene, sample_crowd

KINDS: Final = ("side by side", "overlapping", "synthetic")
SPACINGS: Final = {"side by side": 1.2, "overlapping": 0.6, "synthetic": 0.7}
MIN_KEYPOINT_SCORE: Final = 0.1  # crops give every keypoint; from here on it counts as found, as a peak in one pass
BOX_MARGIN: Final = 0.1
MIN_LABELLED: Final = 10
TIMED_SIZE: Final = (1024, 512)
TIMED_SIGMA: Final = 13.0


class PeopleModels(NamedTuple):
    """One network, used both ways."""

    people: TorchPafEstimator
    crops: TorchPoseEstimator


def main() -> int:
    """Measure and print; return the exit status."""
    arguments = parse_arguments()
    measure: Callable[[argparse.Namespace, PeopleModels], None] = print_times if arguments.timing else print_scores
    if arguments.lspet is None:
        arguments.kinds = [kind for kind in arguments.kinds if kind == "synthetic"]
    try:
        estimators = (TorchPafEstimator, TorchPoseEstimator)
        models = PeopleModels(*(each.load(arguments.variant, weights=arguments.weights) for each in estimators))
        measure(arguments, models)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Measure finding several people, in one pass and by crops.")
    parser.add_argument("--variant", default="i", help="network (default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="checkpoint or released file (default: as the demo finds them)")
    parser.add_argument("--lspet", type=Path, help="LSP Extended in MPII's layout; without it synthetic people only")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="scenes (default: all)")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4, 8, 12], help="in a scene")
    parser.add_argument("--scenes", type=int, default=3, help="of each kind and number (default: %(default)s)")
    parser.add_argument("--size", type=float, default=230, help="median size of a person, px (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same scenes (default: %(default)s)")
    parser.add_argument("--timing", action="store_true", help="measure times on one image size instead")
    parser.add_argument("--rounds", type=int, default=5, help="of timing (default: %(default)s)")
    return parser.parse_args()


def print_scores(arguments: argparse.Namespace, models: PeopleModels) -> None:
    """Print a table of precision and recall."""
    for kind in arguments.kinds:
        for num_people in arguments.people:
            settings = dict(num_scenes=arguments.scenes, size=arguments.size, seed=arguments.seed)
            scenes = draw_scenes(kind, lspet=arguments.lspet, num_people=num_people, **settings)
            for route, counts in score_scenes(models, scenes).items():
                scores = ", ".join(f"{name} {score:.1f}" for name, score in counts.scores.items())
                print(f"{kind}, {num_people} people, {route}: {scores}", flush=True)


def print_times(arguments: argparse.Namespace, models: PeopleModels) -> None:
    """Print median milliseconds against the number of people."""
    for num_people in arguments.people:
        times = time_people(models, num_people=num_people, num_rounds=arguments.rounds, seed=arguments.seed)
        text = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in times.items())
        print(f"{num_people} people: {text}", flush=True)


def draw_scenes(
    kind: str, *, lspet: Path | None, num_people: int, num_scenes: int, size: float, seed: int
) -> list[PeopleScene]:
    """Make scenes of one of :data:`KINDS`, people ``size`` pixels in the median; equal arguments make equal ones.

    ``lspet`` is LSP Extended in MPII's layout; None for synthetic people alone.
    """
    if num_people < 1 or num_scenes < 1:
        raise ValueError(f"people and scenes must be 1 or more, got {num_people} and {num_scenes}")
    scenes = []
    for index in range(num_scenes):
        rng = np.random.default_rng((seed, KINDS.index(kind), num_people, index))
        if lspet is None or kind == "synthetic":
            scenes.append(sample_crowd(rng, num_people=num_people, stature=size, spacing=SPACINGS[kind]))
        else:
            people = _draw_people(rng, lspet, num_people)
            scenes.append(compose_at_random(rng, people, size=size, spacing=SPACINGS[kind]))
    return scenes


@cache
def _read_annotations(lspet: Path) -> list[dict[str, Any]]:
    return list(json.loads((lspet / "annotations" / "lspet_val.json").read_text(encoding="utf-8")))


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
        ground_truth = np.where(scene.labelled[..., None], scene.keypoints, np.nan)
        models.people.shorter_side = min(scene.image.shape[:2])
        sides = np.max(scene.boxes[:, 2:] - scene.boxes[:, :2], axis=1, keepdims=True)
        boxes = scene.boxes + BOX_MARGIN * sides * np.array((-1, -1, 1, 1))
        poses = {
            "one pass": models.people.predict(scene.image),
            "search": find_people(models.crops, scene.image),
            "crops": models.crops.predict(scene.image, boxes),
        }
        for route, found in poses.items():
            counts = count_people(ground_truth, _found_keypoints(found), boxes=scene.boxes)
            totals[route] = totals[route].plus(counts)
    return totals


def _found_keypoints(poses: Sequence[Pose]) -> np.ndarray:
    keypoints = np.array([pose.keypoints for pose in poses]).reshape(-1, NUM_KEYPOINTS, 3)
    return np.where(keypoints[..., 2:] >= MIN_KEYPOINT_SCORE, keypoints[..., :2], np.nan)


def time_people(models: PeopleModels, *, num_people: int, num_rounds: int, seed: int) -> dict[str, float]:
    """Return median seconds in an image of one size; grouping gets heatmaps and PAFs drawn with all the people."""
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
    """Return keypoints (N, 16, 2), pixels, of people who stand in rows of six."""
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


if __name__ == "__main__":
    sys.exit(main())
