"""The keypoints and limbs that a pose estimator was trained on."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmpose.models.pose_estimators.base import BasePoseEstimator

from efficientpose.core.skeleton import FLIP_INDICES, Limb, Skeleton, keypoint_names_of


def trained_skeleton(network: BasePoseEstimator) -> Skeleton:
    """Return a network's skeleton: keypoint names of its config's dataset, or MPII's, and its decoder's limbs.

    Args:
        network: With an :class:`~efficientpose.models.head.EfficientPoseHead`; MMPose's ``init_model`` gives it
            ``dataset_meta``.

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
    """Return the skeleton of a dataset, or MPII's without one, with those limbs whose keypoints it has.

    Args:
        dataset_meta: As MMPose gives it, with ``keypoint_id2name`` and ``flip_indices``.
        limbs: Pairs (proximal, distal) of keypoint indices.
    """
    names = keypoint_names_of(dataset_meta)
    flip_indices = tuple(int(index) for index in (dataset_meta or {}).get("flip_indices", FLIP_INDICES))
    return Skeleton(names, tuple(Limb(*limb) for limb in limbs if max(limb) < len(names)), flip_indices)
