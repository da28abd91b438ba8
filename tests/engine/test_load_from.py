"""Training that starts from weights that do not fit stops before its first iteration, and says why."""

import pytest
import torch

from efficientpose.core.skeleton import LIMBS
from efficientpose.models.state_dicts import StateDictError

LIMBS_OF_14 = [(limb.proximal, limb.distal) for limb in LIMBS if max(limb.proximal, limb.distal) < 14]


def test_weights_of_fourteen_keypoints_are_refused(make_runner, tmp_path):
    other = {
        "model.head.num_keypoints": 14,
        "model.head.num_limbs": len(LIMBS_OF_14),
        "model.head.decoder.limbs": LIMBS_OF_14,
    }
    torch.save(make_runner(other).model.state_dict(), tmp_path / "fourteen.pth")
    runner = make_runner(load_from=str(tmp_path / "fourteen.pth"))
    counts = f"it predicts 14 keypoints, this config 16; it predicts {2 * len(LIMBS_OF_14)} part affinity channels"
    with pytest.raises(StateDictError, match=counts):
        runner.train()
    assert runner.iter == 0
