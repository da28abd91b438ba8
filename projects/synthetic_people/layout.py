"""MPII's own layout: annotations as MMPose's ``MpiiDataset`` reads them, and head boxes as its ``headbox_file``.

All coordinates in these files are 1-based, as MATLAB counts pixels.
"""

import io
import json
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

IMAGE_FOLDER: Final = "images"
ANNOTATION_FOLDER: Final = "annotations"
HEAD_BOX_NAME: Final = "mpii_gt_val.mat"
STATURE_OF_SCALE_ONE: Final = 200.0
"""MPII's scale is the person's height in units of 200 pixels."""

# fmt: off
MAT_JOINT_NAMES: Final = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)
# fmt: on
_MAT_BANNER: Final = b"MATLAB 5.0 MAT-file, synthetic MPII".ljust(116)


class Annotation(NamedTuple):
    """One annotated person, 0-based pixel centres.

    Attributes:
        image: File name, digits and ``.jpg``.
        keypoints: (16, 2).
        labelled: (16,) bool; False for a keypoint outside the picture.
        head_box: (2, 2), left top and right bottom.
        centre: (2,).
        stature: Standing height, pixels.
    """

    image: str
    keypoints: np.ndarray
    labelled: np.ndarray
    head_box: np.ndarray
    centre: np.ndarray
    stature: float


class _Record(NamedTuple):
    """The fields of a person in MPII's JSON, in their order; joints that are not labelled are at (-1, -1)."""

    joints_vis: list[int]
    joints: list[list[float]]
    image: str
    scale: float
    center: list[float]


def _to_record(annotation: Annotation) -> _Record:
    joints = np.where(annotation.labelled[:, None], annotation.keypoints + 1, -1.0)
    return _Record(
        joints_vis=annotation.labelled.astype(int).tolist(),
        joints=np.round(joints, 4).tolist(),
        image=annotation.image,
        scale=round(annotation.stature / STATURE_OF_SCALE_ONE, 6),
        center=np.round(annotation.centre + 1, 4).tolist(),
    )


def write_annotations(path: Path, annotations: list[Annotation]) -> None:
    """Write MPII's JSON, one person a line."""
    lines = (json.dumps(_to_record(annotation)._asdict()) for annotation in annotations)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def write_head_boxes(path: Path, annotations: list[Annotation]) -> None:
    """Write the truth the PCKh protocol reads, in the order of ``annotations``.

    Holds ``headboxes_src`` (2, 2, N), ``pos_gt_src`` (16, 2, N; 0 where missing), ``jnt_missing`` (16, N) and
    ``dataset_joints`` (1, 16).
    """
    from scipy.io import savemat

    labelled = np.stack([annotation.labelled for annotation in annotations], axis=-1)
    positions = np.stack([annotation.keypoints + 1 for annotation in annotations], axis=-1)
    buffer = io.BytesIO()
    savemat(
        buffer,
        {
            "jnt_missing": (~labelled).astype(np.uint8),
            "pos_gt_src": np.where(labelled[:, None], positions, 0.0),
            "headboxes_src": np.stack([annotation.head_box + 1 for annotation in annotations], axis=-1),
            "dataset_joints": np.array(MAT_JOINT_NAMES, dtype=object).reshape(1, -1),
        },
        do_compression=True,
    )
    # The banner SciPy writes holds the time of day, and equal data must give equal bytes.
    path.write_bytes(_MAT_BANNER + buffer.getvalue()[len(_MAT_BANNER) :])


def is_synthetic_mpii(folder: Path) -> bool:
    """Return whether ``folder`` holds this layout and nothing else (or nothing at all)."""
    return {entry.name for entry in folder.iterdir()} <= {IMAGE_FOLDER, ANNOTATION_FOLDER}
