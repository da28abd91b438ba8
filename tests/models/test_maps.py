"""Maps brought from one resolution to another."""

import pytest
import torch

from efficientpose.codecs.targets import render_heatmaps, render_pafs
from efficientpose.models.batches import resample_maps, resample_pafs


def ramp(num_cells):
    """Each cell holds where its centre lies, as a fraction of the crop."""
    return ((torch.arange(num_cells) + 0.5) / num_cells).expand(1, 1, 4, num_cells)


@pytest.mark.parametrize(("num_cells", "wanted"), [(16, 8), (8, 16), (46, 28), (75, 28)])
def test_cells_show_the_same_place_of_the_crop(num_cells, wanted):
    found = resample_maps(ramp(num_cells), map_shape=(4, wanted))
    inner = slice(2, -2)  # the border repeats its outermost value
    torch.testing.assert_close(found[..., inner], ramp(wanted)[..., inner], atol=0.05 / wanted, rtol=0)


def test_a_resampled_heatmap_is_the_one_drawn_there():
    """(23.5, 39.5) of 64 pixels and (47.5, 79.5) of 128 are the same place: x + 0.5 doubles."""
    small = render_heatmaps(torch.tensor([[[23.5, 39.5]]]), map_shape=(8, 8), stride=8, sigma=16.0)
    large = render_heatmaps(torch.tensor([[[47.5, 79.5]]]), map_shape=(16, 16), stride=8, sigma=32.0)
    found = resample_maps(large, map_shape=(8, 8))
    torch.testing.assert_close(found, small, atol=0.07, rtol=0)  # averaging lowers the peak
    assert found.flatten()[small.argmax()].item() == pytest.approx(found.max().item())


def test_maps_that_shrink_are_averaged():
    maps = torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])[None, None, None].expand(1, 1, 8, 8)
    # A triangle of twice the reach weighs four cells 1/8, 3/8, 3/8, 1/8; cell 3 is the third of 0 to 3 + 1 and of 3 on.
    shrunken = resample_maps(maps, map_shape=(4, 4))
    torch.testing.assert_close(shrunken[0, 0, 1], torch.tensor([0.0, 3 / 8, 1 / 8, 0.0]), atol=1e-6, rtol=0)


def test_maps_of_the_same_size_stay_as_they_are():
    maps = torch.rand(1, 4, 6, 5, generator=torch.Generator().manual_seed(0)) / 2
    torch.testing.assert_close(resample_maps(maps, map_shape=(6, 5)), maps)
    torch.testing.assert_close(resample_pafs(maps, map_shape=(6, 5)), maps)


@pytest.mark.parametrize("factor", [2, 3])
def test_the_bands_of_a_finer_grid_come_out_as_wide_and_as_strong(factor):
    def draw(side):
        keypoints = torch.tensor([[[0.25, 0.2], [0.25, 0.8], [0.7, 0.5]]]) * side - 0.5
        return render_pafs(keypoints, [(0, 1), (1, 2)], map_shape=(side // 8, side // 8), stride=8, half_width=8.0)

    wanted = draw(192)
    found = resample_pafs(draw(192 * factor), map_shape=(24, 24))
    assert found.unflatten(1, (-1, 2)).norm(dim=2).max() <= 1.000001
    assert found.square().sum().item() == pytest.approx(wanted.square().sum().item(), rel=0.2)
    error = (found - wanted).square().sum() / wanted.square().sum()
    plain = (resample_maps(draw(192 * factor), map_shape=(24, 24)) - wanted).square().sum() / wanted.square().sum()
    assert error < 0.25
    assert error < plain / 1.5


def test_long_vectors_are_cut_and_keep_their_direction():
    pafs = torch.zeros(1, 4, 2, 2)
    pafs[:, 0], pafs[:, 1], pafs[:, 2] = 3.0, 4.0, 0.5
    found = resample_pafs(pafs, map_shape=(2, 2))
    assert found[0, :, 0, 0].tolist() == pytest.approx([0.6, 0.8, 0.5, 0.0])
