"""Grouping: from the candidates of each keypoint in a scene to people, along part affinity fields (Cao et al. 2017).

Limbs form a tree. On each limb the candidates of its two keypoints are matched one to one so that the sum of scores is
the highest. No two limbs of a tree decide the same thing, so this is the best solution for all limbs together, and no
person gets two candidates of one keypoint. Following the limbs from the root outward then gives the people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from efficientpose.core.assignment import match_best
from efficientpose.core.decoding import Candidates
from efficientpose.core.similarity import box_areas, boxes_around, keep_distinct, keypoint_spreads, oks
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS

Floats = NDArray[np.floating]
Indices = NDArray[np.intp]

MIN_COMMON_KEYPOINTS: Final = 3  # two people with fewer common keypoints are never duplicates


class GroupedPerson(NamedTuple):
    """One person of a scene."""

    keypoints: NDArray[np.float64]  # (K, 2) x and y in input pixels; NaN for a keypoint that was not found
    scores: NDArray[np.float64]  # (K,), each keypoint's heatmap peak, about 0 to 1; 0 for one that was not found
    score: float  # mean score of the found keypoints, times the mean score of the limbs between them


@dataclass(frozen=True, kw_only=True)
class LimbRule:
    """When a limb counts; raises ValueError if a number is out of its range."""

    num_samples: int = 10  # points on the line at which the field is read, in the middle of as many equal pieces
    min_agreement: float = 0.05  # component along the limb from which a point supports it; about 1 on a limb, 0 beside
    min_supported: float = 0.8  # fraction of the points that must support it

    def __post_init__(self) -> None:
        if self.num_samples < 1 or not 0 <= self.min_supported <= 1 or not 0 <= self.min_agreement < 1:
            raise ValueError(
                "num_samples must be 1 or more, min_supported from 0 to 1 and min_agreement from 0 to below 1, got "
                f"{self.num_samples}, {self.min_supported} and {self.min_agreement}"
            )


@dataclass(frozen=True, kw_only=True)
class GroupingRule:
    """Which people are kept; raises ValueError if a number is out of its range."""

    limb: LimbRule = field(default_factory=LimbRule)
    min_joints: int = 4  # people with fewer keypoints are dropped as noise
    min_score: float = 0.05  # people with a lower score are dropped
    max_pelvis_distance: float = 0.5  # of the pelvis from the middle of the hips, in torsos (thorax to middle of hips)
    max_similarity: float = 0.7  # OKS with a better person above which a person is a duplicate

    def __post_init__(self) -> None:
        if self.min_joints < 1 or min(self.min_score, self.max_pelvis_distance, self.max_similarity) < 0:
            raise ValueError(
                "min_joints must be 1 or more, min_score, max_pelvis_distance and max_similarity 0 or more, got "
                f"{self.min_joints}, {self.min_score}, {self.max_pelvis_distance} and {self.max_similarity}"
            )


def sample_field(field: Floats, points: Floats, *, stride: int) -> Floats:
    """Sample a field (C, h, w) bilinearly at points (N, 2) in input pixels, (C, N); the border is replicated."""
    num_channels, height, width = field.shape
    last = np.array((width - 1, height - 1))
    cells = np.clip((points - (stride - 1) / 2) / stride, 0, last)
    low = np.minimum(cells.astype(np.intp), np.maximum(last - 1, 0))
    x_share, y_share = (cells - low).T
    right, below = (np.minimum(low + 1, last) - low).T
    flat = field.reshape(num_channels, -1)
    corner = low[:, 1] * width + low[:, 0]
    upper = flat[:, corner] * (1 - x_share) + flat[:, corner + right] * x_share
    corner = corner + below * width
    lower = flat[:, corner] * (1 - x_share) + flat[:, corner + right] * x_share
    values: Floats = upper * (1 - y_share) + lower * y_share
    return values


def score_limbs(field: Floats, starts: Floats, ends: Floats, *, stride: int, rule: LimbRule) -> Floats:
    """Return the mean of a limb's field (2, h, w) along each pair of candidates, (A, B), about 0 to 1.

    It is 0 where too few points support the limb or the two candidates coincide.

    Args:
        field: (2, h, w), the limb's x and y components; finite.
        starts: (A, 2), proximal candidates in input pixels.
        ends: (B, 2), distal candidates in input pixels.
        stride: Input pixels per cell.
        rule: When a limb counts.
    """
    vectors = ends[None] - starts[:, None]  # (A, B, 2)
    lengths = np.linalg.norm(vectors, axis=2)
    units = vectors / np.maximum(lengths, 1e-9)[..., None]
    shares = (np.arange(rule.num_samples) + 0.5) / rule.num_samples
    points = starts[:, None, None] + vectors[:, :, None] * shares[:, None]  # (A, B, samples, 2)
    values = sample_field(field, points.reshape(-1, 2), stride=stride).reshape(2, *points.shape[:3])
    along = values[0] * units[:, :, None, 0] + values[1] * units[:, :, None, 1]
    means: Floats = along.mean(axis=2)
    is_supported = (along > rule.min_agreement).mean(axis=2) >= rule.min_supported
    return np.where(is_supported & (lengths > 1e-9), np.maximum(means, 0), 0)


def order_limbs(limbs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the order in which limbs are followed: breadth first from the keypoint of most limbs.

    Raises:
        ValueError: If limbs form a cycle, or one joins a keypoint to itself.
    """
    joints = [joint for limb in limbs for joint in limb]
    waiting, order, reached = list(range(len(limbs))), [], set[int]()
    while waiting:
        touching = [number for number in waiting if reached & set(limbs[number])]
        if not touching:
            left = {joint for number in waiting for joint in limbs[number]}
            reached.add(max(sorted(left), key=joints.count))
            continue
        for number in touching:
            if set(limbs[number]) <= reached:
                raise ValueError(f"limb {number}, {tuple(limbs[number])}, closes a cycle; limbs must form a tree")
            reached |= set(limbs[number])
        order += touching
        waiting = [number for number in waiting if number not in touching]
    return tuple(order)


class PeopleGrouper:
    """Groups candidates into people.

    Args:
        limbs: L pairs (proximal, distal) of keypoint indices, in the order of the fields; a tree or several.
        keypoint_names: K names; a "pelvis" on no limb is attached between the hips; other keypoints on no limb are
            never found.
        rule: Which people are kept.

    Raises:
        ValueError: If limbs form a cycle.
    """

    def __init__(
        self,
        *,
        limbs: Sequence[tuple[int, int]] = LIMBS,
        keypoint_names: Sequence[str] = KEYPOINT_NAMES,
        rule: GroupingRule | None = None,
    ) -> None:
        self.limbs = tuple((int(proximal), int(distal)) for proximal, distal in limbs)
        self.rule = rule or GroupingRule()
        self._order = order_limbs(self.limbs)
        self._num_keypoints = len(keypoint_names)
        self._pelvis = _find_pelvis(self.limbs, list(keypoint_names))
        self._spreads = keypoint_spreads(tuple(keypoint_names))

    def group(self, candidates: Sequence[Candidates], pafs: Floats, *, stride: int) -> tuple[GroupedPerson, ...]:
        """Find the people, best first, in the candidates of each of the K keypoints and fields (2L, h, w).

        NaN and infinities in the fields, of which a cell is ``stride`` input pixels, count as 0.

        Raises:
            ValueError: If there are not as many candidates or fields as keypoints and limbs.
        """
        if len(candidates) != self._num_keypoints or len(pafs) != 2 * len(self.limbs):
            raise ValueError(
                f"{self._num_keypoints} keypoints and {len(self.limbs)} limbs need as many candidates and twice as "
                f"many fields, got {len(candidates)} and {len(pafs)}"
            )
        matches = self.match_limbs(candidates, pafs, stride=stride)
        members, limb_scores = self._follow(matches, candidates)
        people = []
        for row, scores_of_limbs in zip(self._attach_pelvis(members, candidates), limb_scores, strict=True):
            points, scores = _pick(row, candidates)
            score = float(scores[row >= 0].mean() * np.mean(scores_of_limbs))
            if (row >= 0).sum() >= self.rule.min_joints and score >= self.rule.min_score:
                people.append(GroupedPerson(keypoints=points, scores=scores, score=score))
        people.sort(key=lambda person: -person.score * np.count_nonzero(person.scores))
        return self._suppress_duplicates(people)

    def match_limbs(
        self, candidates: Sequence[Candidates], pafs: Floats, *, stride: int
    ) -> list[tuple[Indices, Floats]]:
        """Return each limb's matched pairs (P, 2) of candidates, and their scores (P,)."""
        finite = np.where(np.isfinite(pafs), pafs, 0).astype(np.float32)
        matches = []
        for field_of_limb, (proximal, distal) in zip(finite.reshape(-1, 2, *pafs.shape[1:]), self.limbs, strict=True):
            starts, ends = candidates[proximal].points, candidates[distal].points
            scores = score_limbs(field_of_limb, starts, ends, stride=stride, rule=self.rule.limb)
            pairs = match_best(scores)
            matches.append((pairs, scores[pairs[:, 0], pairs[:, 1]]))
        return matches

    def _follow(
        self, matches: list[tuple[Indices, Floats]], candidates: Sequence[Candidates]
    ) -> tuple[Indices, list[list[float]]]:
        """Return for each person the index of each keypoint's candidate, −1 for none, (N, K), and its limbs' scores."""
        owner = [np.full(len(each.scores), -1, np.intp) for each in candidates]
        members: list[Indices] = []
        limb_scores: list[list[float]] = []
        for number in self._order:
            joints = self.limbs[number]
            for pair, score in zip(*matches[number], strict=True):
                ends = list(zip(joints, pair, strict=True))
                people = [int(owner[joint][index]) for joint, index in ends if owner[joint][index] >= 0]
                if not people:
                    members.append(np.full(len(candidates), -1, np.intp))
                    limb_scores.append([])
                    people = [len(members) - 1]
                for joint, index in ends:
                    owner[joint][index] = people[0]
                    members[people[0]][joint] = index
                limb_scores[people[0]].append(float(score))
        return np.array(members, np.intp).reshape(-1, len(candidates)), limb_scores

    def _attach_pelvis(self, members: Indices, candidates: Sequence[Candidates]) -> Indices:
        """Match each person with a pelvis near the middle of its hips."""
        if self._pelvis is None or not len(members):
            return members
        pelvis, hips, thorax = self._pelvis
        points = np.stack([_pick(row, candidates)[0] for row in members])
        middles = points[:, hips].mean(axis=1)
        torsos = np.linalg.norm(points[:, thorax] - middles, axis=1)
        distances = np.linalg.norm(middles[:, None] - candidates[pelvis].points[None], axis=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            nearness = 1 - distances / (self.rule.max_pelvis_distance * torsos[:, None])
        pairs = match_best(np.where(np.isfinite(nearness), nearness, 0))
        attached = members.copy()
        attached[pairs[:, 0], pelvis] = pairs[:, 1]
        return attached

    def _suppress_duplicates(self, people: list[GroupedPerson]) -> tuple[GroupedPerson, ...]:
        if len(people) < 2:
            return tuple(people)
        keypoints = np.stack([person.keypoints for person in people])
        areas = box_areas(boxes_around(keypoints))
        larger = np.maximum(areas[:, None], areas[None])
        alike = oks(keypoints, keypoints, areas=larger, spreads=self._spreads, min_common=MIN_COMMON_KEYPOINTS)
        return tuple(people[index] for index in keep_distinct(alike > self.rule.max_similarity))


def _find_pelvis(limbs: Sequence[tuple[int, int]], names: list[str]) -> tuple[int, list[int], int] | None:
    """Return the pelvis, the hips and the thorax; None where there is no pelvis to attach."""
    needed = ("pelvis", "right_hip", "left_hip", "thorax")
    if not set(needed) <= set(names):
        return None
    pelvis, right_hip, left_hip, thorax = (names.index(name) for name in needed)
    return None if any(pelvis in limb for limb in limbs) else (pelvis, [right_hip, left_hip], thorax)


def _pick(row: Indices, candidates: Sequence[Candidates]) -> tuple[Floats, Floats]:
    """Return the points (K, 2) and scores (K,) of one person's candidates."""
    points, scores = np.full((len(row), 2), np.nan), np.zeros(len(row))
    for joint, index in enumerate(row):
        if index >= 0:
            points[joint], scores[joint] = candidates[joint].points[index], candidates[joint].scores[index]
    return points, scores
