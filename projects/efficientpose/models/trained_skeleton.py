"""Which keypoints and limbs a pose estimator was trained on."""

from mmpose.models.pose_estimators.base import BasePoseEstimator

from efficientpose.skeleton import FLIP_INDICES, KEYPOINT_NAMES, Limb, Skeleton


def trained_skeleton(network: BasePoseEstimator) -> Skeleton:
    """Return a network's skeleton: names of the data set that its config tells of, or MPII's, and its decoder's limbs.

    Args:
        network: With an :class:`~efficientpose.models.head.EfficientPoseHead`; MMPose's ``init_model`` gives it
            ``dataset_meta``.

    Raises:
        ValueError: If the data set does not have the network's keypoints.
    """
    head = network.head
    num_keypoints = head.num_keypoints
    known = getattr(network, "dataset_meta", None) or {}
    numbered = known.get("keypoint_id2name", dict(enumerate(KEYPOINT_NAMES)))
    names = tuple(numbered[index] for index in sorted(numbered))
    flip_indices = tuple(int(index) for index in known.get("flip_indices", FLIP_INDICES))
    if len(names) != num_keypoints or len(flip_indices) != num_keypoints:
        raise ValueError(
            f"the network has {num_keypoints} keypoints, but the config's data set names {len(names)}: set its metainfo"
        )
    limbs = tuple(Limb(*limb) for limb in head.decoder.limbs if max(limb) < num_keypoints)
    return Skeleton(names, limbs, flip_indices)
