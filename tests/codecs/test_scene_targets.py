"""Targets of scenes, by hand and against a plain loop over people, keypoints and cells."""

import math

import numpy as np
import pytest
import torch

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.codecs.targets import known_cells, render_scene_heatmaps, render_scene_pafs

LIMBS = ((0, 1), (1, 2))
STRIDE, SIGMA, HALF_WIDTH = 8, 12.0, 8.0
SHAPE = (6, 9)


def draw_people(num_scenes=2, num_places=3, num_keypoints=3, seed=0):
    """Random people in and around a window of 72 x 48, some keypoints without label, and one empty place."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(-10, 80, (num_scenes, num_places, num_keypoints, 2)).astype(np.float32)
    labelled = (rng.uniform(size=keypoints.shape[:3]) < 0.8).astype(np.float32)
    labelled[0, -1] = 0
    keypoints[labelled == 0] = np.nan
    return torch.from_numpy(keypoints), torch.from_numpy(labelled)


def loop_heatmaps(keypoints, labelled):
    maps = np.zeros((len(keypoints), keypoints.shape[2], *SHAPE))
    for scene, person, joint in np.argwhere(labelled.numpy() > 0):
        x, y = keypoints[scene, person, joint].tolist()
        for row, column in np.ndindex(SHAPE):
            square = (8 * column + 3.5 - x) ** 2 + (8 * row + 3.5 - y) ** 2
            maps[scene, joint, row, column] = max(maps[scene, joint, row, column], math.exp(-square / SIGMA**2))
    return maps


def loop_pafs(keypoints, labelled):
    fields = np.zeros((len(keypoints), len(LIMBS), 2, *SHAPE))
    for scene, (number, limb) in ((s, each) for s in range(len(keypoints)) for each in enumerate(LIMBS)):
        for row, column in np.ndindex(SHAPE):
            here = np.array([8 * column + 3.5, 8 * row + 3.5])
            vectors = []
            for person in range(keypoints.shape[1]):
                if not all(labelled[scene, person, joint] for joint in limb):
                    continue
                start, end = (keypoints[scene, person, joint].numpy().astype(float) for joint in limb)
                length = np.linalg.norm(end - start)
                unit = (end - start) / length
                along, across = (here - start) @ unit, np.cross(here - start, unit)
                if 0 <= along <= length and abs(across) <= HALF_WIDTH:
                    vectors.append(unit)
            if vectors:
                fields[scene, number, :, row, column] = np.mean(vectors, axis=0)
    return fields.reshape(len(keypoints), -1, *SHAPE)


@pytest.mark.parametrize("seed", range(3))
def test_heatmaps_are_the_plain_loop_s(seed):
    keypoints, labelled = draw_people(seed=seed)
    maps = render_scene_heatmaps(keypoints, labelled, map_shape=SHAPE, stride=STRIDE, sigma=SIGMA)
    np.testing.assert_allclose(maps, loop_heatmaps(keypoints, labelled), atol=1e-6)
    assert maps.max() > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_fields_are_the_plain_loop_s(seed):
    keypoints, labelled = draw_people(num_places=5, seed=seed)
    fields = render_scene_pafs(keypoints, labelled, LIMBS, map_shape=SHAPE, stride=STRIDE, half_width=HALF_WIDTH)
    np.testing.assert_allclose(fields, loop_pafs(keypoints, labelled), atol=1e-5)
    assert fields.abs().max() > 0.5


def test_limbs_that_cross_are_averaged_by_hand():
    """One limb along x and one along y: where both lie, half of each; a third, far away, does not dilute them."""
    people = torch.tensor([[[[3.5, 19.5], [43.5, 19.5]], [[19.5, 3.5], [19.5, 43.5]], [[60.0, 40.0], [70.0, 40.0]]]])
    fields = render_scene_pafs(people, torch.ones(1, 3, 2), ((0, 1),), map_shape=SHAPE, stride=STRIDE, half_width=4.0)
    assert fields[0, :, 2, 2].tolist() == [0.5, 0.5]
    assert fields[0, :, 2, 4].tolist() == [1, 0]
    assert fields[0, :, 4, 2].tolist() == [0, 1]
    assert fields[0, :, 0, 8].tolist() == [0, 0]


def test_each_of_two_people_keeps_the_peak():
    people = torch.tensor([[[[11.5, 11.5]], [[19.5, 11.5]]]])
    maps = render_scene_heatmaps(people, torch.ones(1, 2, 1), map_shape=SHAPE, stride=STRIDE, sigma=SIGMA)
    assert maps[0, 0, 1, 1:3].tolist() == [1, 1]
    assert maps[0, 0, 1, 3].item() == pytest.approx(math.exp(-64 / 144))


def test_what_is_not_known_does_not_count_in_that_person_s_box():
    known = torch.tensor([[[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]])
    # The first person's box has the cells at 11.5 and 19.5, from row 0; the last place is empty.
    boxes = torch.tensor([[[8.0, -5.0, 24.0, 8.0], [0.0, 0.0, 72.0, 48.0], [0.0, 0.0, 0.0, 0.0]]])
    weights = known_cells(known, boxes, map_shape=SHAPE, stride=STRIDE)
    assert (weights[0, 0] == 1).all()
    assert torch.argwhere(weights[0, 1] == 0).tolist() == [[0, 1], [0, 2]]


def test_one_labelled_person_gives_the_targets_of_a_crop():
    codec = FullResolutionHeatmap(input_size=(72, 48), limbs=LIMBS, sigma=0.1)
    keypoints = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(0)) * 40
    labelled = torch.ones(2, 3)
    crop = codec.render(keypoints, labelled, with_full_heatmaps=False)
    scene = codec.render_scenes(keypoints[:, None], labelled[:, None], torch.tensor([[[0.0, 0, 72, 48]]] * 2))
    torch.testing.assert_close(scene.heatmaps, crop.heatmaps)
    torch.testing.assert_close(scene.pafs, crop.pafs)
    assert (scene.keypoint_weights == 1).all()
    assert scene.limb_weights.shape == (2, 2, 6, 9)


def test_a_limb_with_one_labelled_end_is_not_known():
    codec = FullResolutionHeatmap(input_size=(72, 48), limbs=LIMBS)
    targets = codec.render_scenes(
        torch.full((1, 1, 3, 2), 20.0), torch.tensor([[[1.0, 1.0, 0.0]]]), torch.tensor([[[0.0, 0, 72, 48]]])
    )
    assert [bool(each.all()) for each in targets.keypoint_weights[0]] == [True, True, False]
    assert [bool(each.all()) for each in targets.limb_weights[0]] == [True, False]
    assert not targets.heatmaps[0, 2].any()
