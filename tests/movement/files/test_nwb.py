"""NWB files read back by movement."""

import numpy as np
import pytest

from efficientpose.movement.files import write

pynwb = pytest.importorskip("pynwb")
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
    path = write(recording, tmp_path, "nwb")[0]
    with pynwb.NWBHDF5IO(path, mode="r") as reader:
        poses = reader.read().processing["behavior"]["PoseEstimation"]
        series = poses.pose_estimation_series["left_hip"]
        np.testing.assert_array_equal(series.timestamps[:], recording.seconds)
        np.testing.assert_array_equal(series.data[:], recording.tracks[0].keypoints[:, 3])
        assert list(poses.skeleton.nodes[:]) == list(recording.keypoint_names)
        np.testing.assert_array_equal(poses.skeleton.edges[:], recording.limbs)


def test_a_skeleton_without_limbs(make_recording, tmp_path):
    path = write(make_recording(people=(0,), limbs=()), tmp_path, "nwb")[0]
    with pynwb.NWBHDF5IO(path, mode="r") as reader:
        assert reader.read().processing["behavior"]["PoseEstimation"].skeleton.edges.shape == (0, 2)
