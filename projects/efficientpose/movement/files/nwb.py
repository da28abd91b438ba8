"""Neurodata Without Borders with the extension ndx-pose: one file for each person, times and scores in it.

The date of the recording is not known here, which NWB demands: the file says 1970-01-01. pynwb and ndx-pose are
optional.
"""

import io
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from efficientpose.core.files import replacing
from efficientpose.movement.files.frames import require_people
from efficientpose.movement.recording import Recording, Track

if TYPE_CHECKING:
    from pynwb import NWBFile

UNKNOWN_START: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
REFERENCE_FRAME: Final = "x to the right and y down, in pixels; (0, 0) is the centre of the image's top left pixel"


def write_nwb(recording: Recording, target: Path) -> tuple[Path, ...]:
    """Write ``<name>_person00.nwb`` for each person, with all decimals."""
    import h5py
    import ndx_pose  # noqa: F401  its types must be known before a writer is opened, else it leaves them out
    from pynwb import NWBHDF5IO

    require_people(recording, "nwb")
    files = []
    for track in recording.tracks:
        content = io.BytesIO()  # in memory, because HDF5 reports a full disk without an error number
        with h5py.File(content, "w") as file, NWBHDF5IO(file=file, mode="w") as writer:
            writer.write(_person(recording, track))
        files.append(target.with_name(f"{target.stem}_person{track.person:02d}.nwb"))
        with replacing(files[-1]) as partial:
            partial.write_bytes(content.getvalue())
    return tuple(files)


def _person(recording: Recording, track: Track) -> "NWBFile":
    from ndx_pose import PoseEstimation, PoseEstimationSeries, Skeleton, Skeletons
    from pynwb import NWBFile
    from pynwb.file import Subject

    name = f"person_{track.person}"
    file = NWBFile(session_description=recording.source or "video", identifier=name, session_start_time=UNKNOWN_START)
    file.subject = Subject(subject_id=name)
    edges = np.array(recording.limbs, dtype=np.uint8).reshape(-1, 2)
    skeleton = Skeleton(name="skeleton", nodes=list(recording.keypoint_names), edges=edges)
    series = [
        PoseEstimationSeries(
            name=keypoint,
            data=track.keypoints[:, index],
            unit="pixels",
            reference_frame=REFERENCE_FRAME,
            timestamps=recording.seconds,
            confidence=track.scores[:, index],
            confidence_definition="the heatmap's peak, about 0 to 1",
        )
        for index, keypoint in enumerate(recording.keypoint_names)
    ]
    width, height = recording.image_size
    poses = PoseEstimation(
        name="PoseEstimation",
        pose_estimation_series=series,
        description=f"{name} in {recording.source or 'a video'} of {width} x {height} pixels",
        source_software="efficientpose",
        skeleton=skeleton,
    )
    behavior = file.create_processing_module(name="behavior", description="poses found in a video")
    behavior.add([Skeletons(skeletons=[skeleton]), poses])
    return file
