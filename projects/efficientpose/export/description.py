"""What an exported file says of itself."""

from mmpose.models.pose_estimators import TopdownPoseEstimator

import efficientpose
from efficientpose.export.deployed import ExportOptions, read_normalisation
from efficientpose.runtime.metadata import Layout, ModelMetadata
from efficientpose.skeleton import FLIP_INDICES, KEYPOINT_NAMES


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
    head = network.head
    decoder = head.decoder
    keypoint_names, flip_indices = _read_keypoints(network, num_keypoints=head.passes[-1].predict.out_channels)
    mean, std = (tuple(values.tolist()) for values in read_normalisation(network))
    return ModelMetadata(
        variant=name,
        version=efficientpose.__version__,
        keypoint_names=keypoint_names,
        limbs=tuple((proximal, distal) for proximal, distal in decoder.limbs),
        flip_indices=flip_indices,
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


def _read_keypoints(network: TopdownPoseEstimator, *, num_keypoints: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return names and mirror images of the keypoints, of the data set the config names or of MPII."""
    known = getattr(network, "dataset_meta", None) or {}
    names = tuple(known.get("keypoint_id2name", dict(enumerate(KEYPOINT_NAMES))).values())
    flip_indices = tuple(int(index) for index in known.get("flip_indices", FLIP_INDICES))
    if len(names) != num_keypoints or len(flip_indices) != num_keypoints:
        raise ValueError(
            f"the network has {num_keypoints} keypoints, but the config's data set names {len(names)}: set its metainfo"
        )
    return names, flip_indices
