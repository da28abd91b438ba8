"""A checkpoint of another skeleton is told from one of another variant."""

import pytest
from mmengine.runner import load_state_dict

from efficientpose.models.head import explain_map_counts
from efficientpose.models.state_dicts import StateDictError

OTHER_SKELETON = dict(num_keypoints=14, num_limbs=13, decoder=None)


def test_a_checkpoint_of_other_keypoints_and_limbs_is_refused_with_both_counts(make_head):
    head, state = make_head(), make_head(**OTHER_SKELETON).state_dict()
    before = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    with pytest.raises(StateDictError) as refusal:
        load_state_dict(head, state)
    message = str(refusal.value)
    assert "does not fit EfficientPoseHead: 6 of " in message
    assert (
        "\nit predicts 14 keypoints, this config 16; it predicts 26 part affinity channels, this config 28." in message
    )
    assert "PretrainedKeypoints" in message
    assert "another variant" not in message
    assert all(tensor.equal(before[name]) for name, tensor in head.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (dict(num_keypoints=14), "it predicts 14 keypoints, this config 16. Give"),
        (dict(num_limbs=13), "it predicts 26 part affinity channels, this config 28. Give"),
    ],
    ids=str,
)
@pytest.mark.parametrize("upsampling", ["bilinear", "transposed_conv"])
def test_only_what_differs_is_counted(make_head, settings, expected, upsampling):
    offered = make_head(decoder=None, upsampling=upsampling, **settings).state_dict()
    message = explain_map_counts(offered, make_head(upsampling=upsampling).state_dict())
    assert message.startswith(expected)
    assert message.count("it predicts") == 1


@pytest.mark.parametrize(
    "settings",
    [dict(channels=8), dict(channels=8) | OTHER_SKELETON, dict(num_limbs=0), dict(num_heatmap_passes=3)],
    ids=str,
)
def test_where_more_differs_nothing_is_said_of_the_skeleton(make_head, settings):
    head, state = make_head(), make_head(**settings).state_dict()
    assert explain_map_counts(state, head.state_dict()) is None
    with pytest.raises(StateDictError, match=r"Is it of another variant\?"):
        load_state_dict(head, state)
