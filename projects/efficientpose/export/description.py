"""What an exported file says of itself."""

from mmpose.models.pose_estimators import TopdownPoseEstimator

import efficientpose
from efficientpose.export.deployed import ExportOptions, read_normalisation
from efficientpose.models.trained_skeleton import trained_skeleton
from efficientpose.runtime.metadata import Layout, ModelMetadata


def describe(
    network: TopdownPoseEstimator, options: ExportOptions, *, name: str, weights: str, input_layout: Layout
) -> ModelMetadata:
    """Describe an exported network.

    Args:
        network: The pose estimator it was made from.
        options: What was exported.
        name: Of the variant, or of a network of one's own.
        weights: Where the weights come from, in words.
        input_layout: Order of the input's axes.

    Raises:
        ValueError: If the names of the keypoints are not known.
    """
    decoder = network.head.decoder
    skeleton = trained_skeleton(network)
    mean, std = (tuple(values.tolist()) for values in read_normalisation(network))
    return ModelMetadata(
        variant=name,
        version=efficientpose.__version__,
        keypoint_names=skeleton.keypoint_names,
        limbs=tuple((limb.proximal, limb.distal) for limb in skeleton.limbs),
        flip_indices=skeleton.flip_indices,
        input_size=decoder.input_size,
        input_layout=input_layout,
        mean=None if options.normalise_inside else _rounded(mean),
        std=None if options.normalise_inside else _rounded(std),
        heatmap_stride=8 if options.outputs == "heatmaps" else 1,
        has_pafs=options.pafs,
        sigma=decoder.sigma,
        blur_sigma=decoder.blur_sigma,
        precision=options.precision,
        weights=weights,
    )


def _rounded(values: tuple[float, ...]) -> tuple[float, float, float]:
    """Undo what single precision did to the numbers of the config."""
    red, green, blue = (round(value, 4) for value in values)
    return red, green, blue
