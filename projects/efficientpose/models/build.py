"""Build a published network from its config."""

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS

from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.variants import get_variant


def build_network(variant: str, *, upsampling: str | None = "bilinear") -> TopdownPoseEstimator:
    """Build a variant, such as "rt", with random weights, as its MPII config describes it.

    ``upsampling`` is that of :class:`~efficientpose.models.head.EfficientPoseHead`; "transposed_conv" is the paper's.

    Raises:
        ValueError: If the variant is unknown.
    """
    config = Config.fromfile(mpii_config_path(get_variant(variant).name))
    config.model.head.upsampling = upsampling
    init_default_scope("mmpose")
    return MODELS.build(config.model)
