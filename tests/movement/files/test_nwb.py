"""NWB files read back by movement."""

import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.movement.files import write

pytest.importorskip("pynwb")
pytest.importorskip("ndx_pose")

LOAD = """
import sys
from movement.io import load_dataset
poses = load_dataset(sys.argv[1], source_software="NWB")
keypoint = "keypoints" if "keypoints" in poses.dims else "keypoint"
names = ["right_knee", "left_wrist"]
answer = {
    "position": poses.position.sel({keypoint: names}).squeeze().transpose("time", keypoint, "space").values.tolist(),
    "confidence": poses.confidence.sel({keypoint: names}).squeeze().transpose("time", keypoint).values.tolist(),
    "individual": str(poses[{"individuals": 0, "individual": 0}.keys() & set(poses.dims) and
                            ({"individuals", "individual"} & set(poses.dims)).pop()].values[0]),
}
"""


@pytest.mark.slow
def test_movement(recording, ask, tmp_path):
    paths = write(recording, tmp_path, "nwb")
    assert [path.name for path in paths] == ["clip_person01.nwb", "clip_person04.nwb"]
    poses = ask(LOAD, paths[1])
    np.testing.assert_array_equal(np.array(poses["position"]), recording.tracks[1].keypoints[:, [1, 15]])
    np.testing.assert_array_equal(np.array(poses["confidence"]), recording.tracks[1].scores[:, [1, 15]])
    assert poses["individual"] == "person_4"


def test_pynwb_finds_the_real_times(recording, tmp_path):
    import pynwb

    path = write(recording, tmp_path, "nwb")[0]
    with pynwb.NWBHDF5IO(path, mode="r") as reader:
        poses = reader.read().processing["behavior"]["PoseEstimation"]
        series = poses.pose_estimation_series["left_hip"]
        np.testing.assert_array_equal(series.timestamps[:], recording.seconds)
        np.testing.assert_array_equal(series.data[:], recording.tracks[0].keypoints[:, 3])
        assert list(poses.skeleton.nodes[:]) == list(recording.keypoint_names)
        np.testing.assert_array_equal(poses.skeleton.edges[:], recording.limbs)


FIRST_IN_A_PROCESS = """
import sys, numpy as np
from efficientpose.movement.files import write
from efficientpose.movement.recording import Recording, Track
points = np.arange(4 * 16 * 2.0).reshape(4, 16, 2)
track = Track(person=0, keypoints=points, scores=np.ones((4, 16)), boxes=np.zeros((4, 4)))
recording = Recording(seconds=np.arange(4) / 25, frames=np.arange(4), tracks=(track,), image_size=(64, 48))
path = write(recording, sys.argv[1], "nwb")[0]
import h5py
with h5py.File(path) as file:
    poses = file["processing/behavior/PoseEstimation"]
    answer = {name: poses[name]["data"].shape[0] for name in recording.keypoint_names}
"""


def test_the_first_file_of_a_process_is_whole(ask, tmp_path):
    """Nothing of pynwb is imported before; it leaves out what it does not know when a writer is opened."""
    assert ask(FIRST_IN_A_PROCESS, tmp_path) == dict.fromkeys(KEYPOINT_NAMES, 4)


def test_a_skeleton_without_limbs(make_recording, tmp_path):
    import pynwb

    path = write(make_recording(people=(0,), limbs=()), tmp_path, "nwb")[0]
    with pynwb.NWBHDF5IO(path, mode="r") as reader:
        assert reader.read().processing["behavior"]["PoseEstimation"].skeleton.edges.shape == (0, 2)
