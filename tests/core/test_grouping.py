"""People from candidates and fields: hand-made scenes, every assignment tried, and rules for what is left."""

from itertools import permutations, product

import numpy as np
import pytest

from efficientpose.core.decoding import Candidates
from efficientpose.core.grouping import GroupingRule, LimbRule, PeopleGrouper, order_limbs, score_limbs
from efficientpose.core.scenes import PeopleDecoder, fit_into
from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS

# A standing body, in the order of the package, 200 pixels tall.
BODY = 200 * np.array(
    [
        (-0.08, 0.48), (-0.08, 0.24), (-0.06, 0.02), (0.06, 0.02), (0.08, 0.24), (0.08, 0.48), (0.0, 0.03),
        (0.0, -0.2), (0.0, -0.33), (0.0, -0.5), (-0.2, 0.0), (-0.18, -0.14), (-0.12, -0.29), (0.12, -0.29),
        (0.18, -0.14), (0.2, 0.0),
    ]
)  # fmt: skip
PELVIS = KEYPOINT_NAMES.index("pelvis")


def shifted(x, y, *, facing=1):
    """The body with its middle at a place, mirrored if it faces the other way."""
    return BODY * (facing, 1) + np.array((x, y))


def draw_maps(people, *, shape, limbs=LIMBS, num_keypoints=16, half_width=8.0, sigma=13.0):
    """A perfect network's maps, by plain loops; people (N, K, 2) with NaN where somebody has no such joint."""
    y, x = np.mgrid[: shape[0], : shape[1]] * 8 + 3.5
    heatmaps = np.zeros((num_keypoints, *shape), np.float32)
    pafs = np.zeros((2 * len(limbs), *shape), np.float32)
    for person in people:
        for joint, (px, py) in enumerate(person):
            if np.isfinite(px):
                heatmaps[joint] = np.maximum(heatmaps[joint], np.exp(-((x - px) ** 2 + (y - py) ** 2) / sigma**2))
        for number, (proximal, distal) in enumerate(limbs):
            vector = person[distal] - person[proximal]
            if np.isfinite(vector).all():
                unit = vector / np.linalg.norm(vector)
                along = (x - person[proximal, 0]) * unit[0] + (y - person[proximal, 1]) * unit[1]
                across = (x - person[proximal, 0]) * unit[1] - (y - person[proximal, 1]) * unit[0]
                inside = (along >= 0) & (along <= np.linalg.norm(vector)) & (abs(across) <= half_width)
                pafs[2 * number : 2 * number + 2] += unit[:, None, None] * inside
    return heatmaps, pafs


def match(people, truth):
    """For each true person the found one of the nearest joints, and the largest distance of a joint."""
    distances = np.array(
        [[np.nanmean(np.linalg.norm(found.keypoints - true, axis=1)) for found in people] for true in truth]
    )
    order = distances.argmin(axis=1)
    assert sorted(order) == list(range(len(truth)))
    return [people[index] for index in order]


def test_two_people_side_by_side():
    truth = np.stack([shifted(90, 120), shifted(230, 130)])
    people = PeopleDecoder().group(*draw_maps(truth, shape=(32, 40)))
    assert len(people) == 2
    for found, true in zip(match(people, truth), truth, strict=True):
        np.testing.assert_allclose(found.keypoints, true, atol=2)
        assert found.scores.min() > 0.5
        assert 0.4 < found.score < 1


def test_two_people_who_cross():
    """One's upper arm lies over the other's forearm, and trunks and legs stand 38 to 58 pixels apart."""
    first, second = shifted(130, 120), shifted(200, 150, facing=-1)
    second[15] += (-30, -40)
    truth = np.stack([first, second])
    people = PeopleDecoder().group(*draw_maps(truth, shape=(36, 40)))
    assert len(people) == 2
    for found, true in zip(match(people, truth), truth, strict=True):
        np.testing.assert_allclose(found.keypoints, true, atol=3)


def test_fields_decide_not_nearness():
    """Two shoulders and two elbows; the fields cross, so each shoulder's elbow is the farther one."""
    limbs, names = ((0, 1),), ("shoulder", "elbow")
    truth = np.array([[[40.0, 40.0], [120.0, 100.0]], [[40.0, 100.0], [120.0, 40.0]]])
    heatmaps, pafs = draw_maps(truth, shape=(20, 24), limbs=limbs, num_keypoints=2)
    rule = GroupingRule(min_joints=2)
    people = PeopleDecoder(limbs=limbs, keypoint_names=names, rule=rule).group(heatmaps, pafs)
    assert len(people) == 2
    for found, true in zip(match(people, truth), truth, strict=True):
        np.testing.assert_allclose(found.keypoints, true, atol=2)


@pytest.mark.parametrize("seed", range(12))
def test_equal_to_trying_every_way_to_put_people_together(seed):
    """The sum of all limbs' scores is the highest that any people could have, on a small tree."""
    rng = np.random.default_rng(seed)
    limbs = ((0, 1), (1, 2), (1, 3))
    candidates = [
        Candidates(points=rng.uniform(0, 95, (count, 2)), scores=np.ones(count)) for count in rng.integers(1, 4, 4)
    ]
    pafs = rng.normal(0, 0.6, (6, 12, 12)).astype(np.float32)
    rule = LimbRule(min_supported=0.4)
    scores = [
        score_limbs(pafs[2 * n : 2 * n + 2], candidates[a].points, candidates[b].points, stride=8, rule=rule)
        for n, (a, b) in enumerate(limbs)
    ]

    def ways(table):
        """Every one-to-one matching of a limb: for each start an end or none."""
        num_starts, num_ends = table.shape
        for ends in permutations([*range(num_ends), *[None] * num_starts], num_starts):
            yield sum(table[start, end] for start, end in enumerate(ends) if end is not None)

    best = max(sum(way) for way in product(*(set(ways(table)) for table in scores)))
    grouper = PeopleGrouper(
        limbs=limbs, keypoint_names=("a", "b", "c", "d"), rule=GroupingRule(limb=rule, min_joints=1, min_score=0)
    )
    matches = grouper.match_limbs(candidates, pafs, stride=8)
    assert sum(float(each.sum()) for _, each in matches) == pytest.approx(best)
    people = grouper.group(candidates, pafs, stride=8)
    used = [[tuple(person.keypoints[joint]) for person in people if person.scores[joint]] for joint in range(4)]
    assert all(len(set(points)) == len(points) for points in used)


def test_half_a_person():
    truth = shifted(90, 120)[None]
    truth[0, [0, 1, 2, 3, 4, 5, PELVIS]] = np.nan
    (person,) = PeopleDecoder().group(*draw_maps(truth, shape=(20, 24)))
    there = np.isfinite(truth[0, :, 0])
    assert np.isfinite(person.keypoints).all(axis=1).tolist() == there.tolist()
    assert ((person.scores > 0) == there).all()
    np.testing.assert_allclose(person.keypoints[there], truth[0, there], atol=2)


def test_too_few_joints_are_nobody():
    truth = np.full((1, 16, 2), np.nan)
    truth[0, [10, 11, 12]] = shifted(90, 120)[[10, 11, 12]]
    maps = draw_maps(truth, shape=(20, 24))
    assert PeopleDecoder().group(*maps) == ()
    assert len(PeopleDecoder(rule=GroupingRule(min_joints=3)).group(*maps)) == 1


def test_pelvis_goes_to_the_nearest_hips_and_to_one_person():
    truth = np.stack([shifted(90, 120), shifted(230, 130)])
    truth[1, PELVIS] = np.nan
    heatmaps, pafs = draw_maps(truth, shape=(32, 40))
    first, second = match(PeopleDecoder().group(heatmaps, pafs), truth)
    np.testing.assert_allclose(first.keypoints[PELVIS], truth[0, PELVIS], atol=2)
    assert np.isnan(second.keypoints[PELVIS]).all()
    # From thorax to the middle of the hips is 44 pixels; the pelvis is 2 from there.
    strict = PeopleDecoder(rule=GroupingRule(max_pelvis_distance=0.01)).group(heatmaps, pafs)
    assert not any(person.scores[PELVIS] for person in strict)


def test_somebody_found_twice_counts_once():
    twice = np.stack([shifted(90, 120), shifted(90 + 13, 120)])
    candidates = [Candidates(points=twice[:, joint], scores=np.array([0.9, 0.8])) for joint in range(16)]
    _, pafs = draw_maps(twice, shape=(32, 40), half_width=6.0)
    alike = PeopleGrouper(rule=GroupingRule(max_similarity=0.5)).group(candidates, pafs, stride=8)
    apart = PeopleGrouper(rule=GroupingRule(max_similarity=1.0)).group(candidates, pafs, stride=8)
    assert (len(alike), len(apart)) == (1, 2)
    assert alike[0].scores[0] == pytest.approx(0.9)


def test_nobody_and_broken_maps():
    empty = np.zeros((16, 12, 10), np.float32), np.zeros((28, 12, 10), np.float32)
    assert PeopleDecoder().group(*empty) == ()
    broken = tuple(np.full_like(maps, np.nan) for maps in empty)
    assert PeopleDecoder().group(*broken) == ()
    heatmaps, pafs = draw_maps(shifted(90, 120)[None], shape=(32, 24))
    assert PeopleDecoder().group(heatmaps, np.full_like(pafs, np.nan)) == ()
    heatmaps[3, 0, 0] = np.inf
    assert len(PeopleDecoder().group(heatmaps, pafs)) == 1


def test_people_in_the_picture_s_frame():
    truth = shifted(90, 120)[None]
    frame = fit_into((320, 512), (160, 256))
    (pose,) = PeopleDecoder().decode(*draw_maps(truth, shape=(32, 20)), frame)
    np.testing.assert_allclose(pose.keypoints[:, :2], 2 * truth[0], atol=4)
    x1, y1, x2, y2 = pose.bbox
    assert x1 == pytest.approx(2 * 50 - 0.15 * 2 * 196, abs=8)
    assert (y1, y2) == (0, pytest.approx(2 * 216 + 0.15 * 2 * 196, abs=8))
    assert x2 < 320


def test_order_of_limbs_starts_where_most_meet():
    order = order_limbs(LIMBS)
    assert sorted(order) == list(range(14))
    neck = KEYPOINT_NAMES.index("upper_neck")
    assert all(neck in LIMBS[number] for number in order[:4])
    reached = {neck}
    for number in order:
        assert reached & set(LIMBS[number])
        reached |= set(LIMBS[number])


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match=r"limb 1, \(1, 2\), closes a cycle"):
        order_limbs(((0, 1), (1, 2), (2, 0)))
    with pytest.raises(ValueError, match="closes a cycle"):
        order_limbs(((0, 0),))


def test_wrong_numbers():
    with pytest.raises(ValueError, match="of different sizes"):
        PeopleDecoder().group(np.zeros((16, 4, 4)), np.zeros((28, 4, 5)))
    with pytest.raises(ValueError, match="16 keypoints and 14 limbs need"):
        PeopleDecoder().group(np.zeros((15, 4, 4)), np.zeros((28, 4, 4)))
    with pytest.raises(ValueError, match="min_joints must be 1 or more"):
        GroupingRule(min_joints=0)
    with pytest.raises(ValueError, match="min_score positive"):
        PeopleDecoder(min_peak=0.0)
