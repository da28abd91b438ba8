"""Crops that grow during training: which size when, the frame of keypoints, and what the head makes of them."""

import copy

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from efficientpose.models.progressive_resizing import ProgressiveResizing


@pytest.fixture
def at_epoch(monkeypatch):
    """Say that a run of ``num_epochs`` is in an epoch."""

    def say(epoch, *, num_epochs):
        hub = MessageHub("training")
        hub.update_info_dict(dict(epoch=epoch, max_epochs=num_epochs))
        monkeypatch.setattr(MessageHub, "get_current_instance", lambda: hub)

    return say


@pytest.mark.parametrize(
    ("num_epochs", "expected"),
    [(36, [128] * 12 + [160] * 12 + [224] * 12), (7, [128, 128, 128, 160, 160, 224, 224]), (2, [128, 160]), (1, [128])],
)
def test_each_size_has_an_equal_part_of_the_epochs(num_epochs, expected):
    resizing = ProgressiveResizing([(side, side) for side in (128, 160, 224)])
    assert [resizing.find_size(epoch, num_epochs=num_epochs)[0] for epoch in range(num_epochs)] == expected
    assert resizing.find_size(num_epochs, num_epochs=num_epochs) == (224, 224)


def test_pixels_and_keypoints_move_together(at_epoch, samples):
    """Pixels hold their own index, which the shrunk crop then holds at the place that keypoints are moved to."""
    at_epoch(0, num_epochs=2)
    x, y = torch.meshgrid(torch.arange(48.0), torch.arange(32.0), indexing="xy")
    batch = samples()
    for each in batch:
        each.gt_instances.transformed_keypoints[0, :2] = ((7, 9), (-3, 40))  # the second one outside
    inputs, batch = ProgressiveResizing([(24, 16), (48, 32)])(torch.stack((x, y, x)).expand(2, 3, 32, 48), batch)
    assert inputs.shape == (2, 3, 16, 24)
    for each in batch:
        keypoints = each.gt_instances.transformed_keypoints[0]
        assert keypoints[:2].tolist() == [[3.25, 4.25], [-1.75, 19.75]]
        column, row = 5, 6
        seen = inputs[0, :2, row, column].numpy()
        np.testing.assert_allclose((np.array((column, row)) + 0.5) / 0.5 - 0.5, seen, atol=1e-4)
        assert each.metainfo["shrunk_to"] == (24, 16)
        assert each.metainfo["input_size"] == (48, 32)


def test_the_head_learns_of_a_shrunk_crop_what_a_smaller_head_would(at_epoch, make_head, features, samples):
    at_epoch(0, num_epochs=2)
    _, shrunk = ProgressiveResizing([(24, 16)])(torch.zeros(2, 3, 32, 48), samples())
    small = copy.deepcopy(shrunk)
    for each in small:
        each.set_metainfo(dict(input_size=(24, 16), shrunk_to=None))
    head = make_head()
    head.decoder.sigma = 0.11  # as the shrinking sigma's hook sets it
    smaller = make_head(decoder=dict(type="FullResolutionHeatmap", input_size=(24, 16), sigma=0.11))
    smaller.load_state_dict(head.state_dict())
    losses, expected = head.loss(features(grid=(2, 3)), shrunk), smaller.loss(features(grid=(2, 3)), small)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name])
    assert head.decoder.input_size == (48, 32)


def test_crops_stay_whole_outside_of_a_run_and_once_they_have_their_size(at_epoch, samples, monkeypatch):
    resizing, crops = ProgressiveResizing([(24, 16), (48, 32)]), torch.zeros(2, 3, 32, 48)
    monkeypatch.setattr(MessageHub, "get_current_instance", lambda: MessageHub("nothing"))
    assert resizing(crops, samples())[0] is crops
    at_epoch(1, num_epochs=2)
    inputs, batch = resizing(crops, samples())
    assert inputs is crops
    assert "shrunk_to" not in batch[0].metainfo


@pytest.mark.parametrize("sizes", [[], [(20, 16)], [(0, 8)], [(48, 32), (24, 16)], [(24, 32), (48, 16)]])
def test_wrong_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="input_sizes must"):
        ProgressiveResizing(sizes)


def test_crops_are_not_enlarged(at_epoch, samples):
    at_epoch(0, num_epochs=1)
    with pytest.raises(ValueError, match=r"crops to .* \(48, 32\), which cannot be shrunk to \(56, 40\)"):
        ProgressiveResizing([(56, 40)])(torch.zeros(2, 3, 32, 48), samples())
