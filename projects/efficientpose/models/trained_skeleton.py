"""The keypoints and limbs that a pose estimator was trained on."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmpose.models.pose_estimators.base import BasePoseEstimator

from efficientpose.core.skeleton import FLIP_INDICES, Limb, Skeleton, keypoint_names_of


def trained_skeleton(network: BasePoseEstimator) -> Skeleton:
    """Return a network's skeleton: keypoint names of its config's dataset, or MPII's, and its decoder's limbs.

    MMPose's ``init_model`` gives the network the ``dataset_meta`` that is read. Its head is an
    :class:`~efficientpose.models.head.EfficientPoseHead`.

    Raises:
        ValueError: If the dataset does not have the network's keypoints.
    """
    num_keypoints = network.head.num_keypoints
    skeleton = skeleton_of(getattr(network, "dataset_meta", None), network.head.decoder.limbs)
    if not len(skeleton.keypoint_names) == len(skeleton.flip_indices) == num_keypoints:
        raise ValueError(
            f"the network has {num_keypoints} keypoints, but the config's dataset names "
            f"{len(skeleton.keypoint_names)}: set its metainfo"
        )
    return skeleton


def skeleton_of(dataset_meta: Mapping[str, Any] | None, limbs: Iterable[tuple[int, int]]) -> Skeleton:
    """Return the skeleton of MMPose's ``dataset_meta``, or MPII's if it is None, with limbs whose keypoints it has."""
    names = keypoint_names_of(dataset_meta)
    flip_indices = tuple(int(index) for index in (dataset_meta or {}).get("flip_indices", FLIP_INDICES))
    return Skeleton(names, tuple(Limb(*limb) for limb in limbs if max(limb) < len(names)), flip_indices)
