"""What backbones start from: ImageNet on MPII, as the paper's do."""

import pytest
from mmengine.config import Config

from efficientpose.core.shipped_files import config_path, mpii_config_path
from efficientpose.core.variants import VARIANTS

FOLDER = mpii_config_path("rt").parent
ON_MPII = [mpii_config_path(name) for name, variant in VARIANTS.items() if not variant.is_lite]
ON_MPII += sorted((FOLDER / "ablations").glob("*.py"))


@pytest.mark.parametrize("path", ON_MPII, ids=lambda path: path.stem)
def test_every_branch_starts_from_imagenet_on_mpii(path):
    backbone = Config.fromfile(path).model.backbone
    assert backbone.high_pretrained == "imagenet"
    assert backbone.get("low_pretrained") == ("imagenet" if backbone.get("low_arch") else None)


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.is_lite])
def test_lite_ones_start_from_random_weights(name):
    """MMPretrain has no ImageNet checkpoint of theirs."""
    assert "high_pretrained" not in Config.fromfile(mpii_config_path(name)).model.backbone


def test_random_weights_are_one_option_away():
    config = Config.fromfile(config_path("efficientpose_i_mpii.py"))
    text = config_path("_base_/schedule.py").read_text()
    assert "--cfg-options model.backbone.high_pretrained=None model.backbone.low_pretrained=None" in text
    config.merge_from_dict({"model.backbone.high_pretrained": None, "model.backbone.low_pretrained": None})
    assert (config.model.backbone.high_pretrained, config.model.backbone.low_pretrained) == (None, None)
