"""Shrunk crops: the frame of pixels and keypoints, and what the head makes of them."""

import copy

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from efficientpose.codecs import FullResolutionHeatmap
from efficientpose.engine.progressive_resizing import ShrinkCrops


@pytest.mark.parametrize(
    ("size", "expected"),
    [((24, 16), [[3.25, 4.25], [-1.75, 19.75]]), ((16, 24), [[2.0, 6.625], [-4 / 3, 29.875]])],
)
def test_pixels_and_keypoints_move_together(samples, size, expected):
    """Pixels hold their own index, which the shrunk crop then holds at the place that keypoints are moved to."""
    x, y = torch.meshgrid(torch.arange(48.0), torch.arange(32.0), indexing="xy")
    batch = samples()
    for each in batch:
        each.gt_instances.transformed_keypoints[0, :2] = ((7, 9), (-3, 40))  # the second one outside
    inputs, batch = ShrinkCrops(input_size=size)(torch.stack((x, y, x)).expand(2, 3, 32, 48), batch)
    assert inputs.shape == (2, 3, size[1], size[0])
    column, row = 5, 6
    for each in batch:
        np.testing.assert_allclose(each.gt_instances.transformed_keypoints[0, :2], expected, rtol=1e-5)
        seen = inputs[0, :2, row, column].numpy()
        np.testing.assert_allclose((np.array((column, row)) + 0.5) * (48, 32) / size - 0.5, seen, atol=0.05)
        assert (each.metainfo["shrunk_to"], each.metainfo["input_size"]) == (size, (48, 32))


def test_a_batch_without_keypoints_is_left_to_the_head_s_own_message(make_head, features, samples):
    batch = samples()
    for each in batch:
        del each.gt_instances.transformed_keypoints
    _, batch = ShrinkCrops(input_size=(24, 16))(torch.zeros(2, 3, 32, 48), batch)
    with pytest.raises(ValueError, match="pack_transformed=True"):
        make_head().loss(features(grid=(2, 3)), batch)


@pytest.mark.parametrize("size", [(24, 16), (16, 24)])
def test_the_head_learns_of_a_shrunk_crop_what_a_smaller_head_would(make_head, features, samples, size):
    _, shrunk = ShrinkCrops(input_size=size)(torch.zeros(2, 3, 32, 48), samples())
    small = copy.deepcopy(shrunk)
    for each in small:
        each.set_metainfo(dict(input_size=size, shrunk_to=None))
    head = make_head()
    head.decoder.sigma = 0.11  # as the shrinking sigma's hook sets it
    smaller = make_head(decoder=dict(type="FullResolutionHeatmap", input_size=size, sigma=0.11))
    smaller.load_state_dict(head.state_dict())
    grid = (size[1] // 8, size[0] // 8)
    losses, expected = head.loss(features(grid=grid), shrunk), smaller.loss(features(grid=grid), small)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        assert_close(loss, expected[name])
    assert head.decoder.input_size == (48, 32)


def test_a_resized_codec_is_that_of_its_size():
    settings = dict(sigma=0.2, limbs=((0, 1),), limb_half_width=2.0, blur_sigma=0.5, subpixel=True, encode_pafs=True)
    codec = FullResolutionHeatmap(input_size=(48, 32), heatmap_size=(12, 8), **settings)
    maps = np.random.default_rng(0).uniform(size=(1, 2, 4, 6)).astype(np.float32)
    before = codec.decode_sparsely(maps)
    resized = codec.resized((24, 16))
    fresh = FullResolutionHeatmap(input_size=(24, 16), heatmap_size=(6, 4), **settings)
    assert vars(resized) == vars(fresh)
    small = maps[:, :, :2, :3]
    for got, expected in zip(resized.decode_sparsely(small), fresh.decode_sparsely(small), strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(codec.decode_sparsely(maps)[0], before[0])
