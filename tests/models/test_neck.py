import pytest
import torch
from mmpose.registry import MODELS

from efficientpose.models.neck import CrossResolutionNeck


@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (1, 1)], ids=str)
def test_high_resolution_comes_first(grid):
    high, low = torch.full((2, 3, *grid), 1.0), torch.full((2, 2, *grid), 2.0)
    (joined,) = CrossResolutionNeck()((high, low))
    assert joined.shape == (2, 5, *grid)
    assert joined[1, :, 0, 0].tolist() == [1, 1, 1, 2, 2]


def test_one_feature_passes_unchanged():
    feature = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    (joined,) = CrossResolutionNeck()((feature,))
    assert joined.equal(feature)


def test_batch_equals_single():
    features = tuple(torch.randn(3, channels, 4, 5) for channels in (3, 2))
    (joined,) = CrossResolutionNeck()(features)
    for index in range(3):
        (alone,) = CrossResolutionNeck()(tuple(feature[index : index + 1] for feature in features))
        assert alone[0].equal(joined[index])


def test_grids_that_differ_are_named():
    with pytest.raises(ValueError, match=r"must share one grid \(height, width\), got \[\(4, 4\), \(4, 5\)\]"):
        CrossResolutionNeck()((torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 5)))


def test_neck_is_registered_and_has_no_tensors():
    neck = MODELS.build(dict(type="CrossResolutionNeck"))
    assert isinstance(neck, CrossResolutionNeck)
    assert neck.state_dict() == {}
