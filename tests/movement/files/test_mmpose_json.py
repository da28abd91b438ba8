"""MMPose's prediction JSON against MMPose's own writer."""

from types import SimpleNamespace

import mmengine
import numpy as np
import pandas as pd
import torch
from mmengine.structures import InstanceData
from mmpose.apis.inferencers.base_mmpose_inferencer import BaseMMPoseInferencer
from mmpose.structures import split_instances

from efficientpose.movement.files import write
from efficientpose.movement.files.frames import people_in


def mmpose_writes(recording, folder):
    """What MMPose's inferencer writes of a video with these people in frames 0 to 4."""
    frames = {0: [], 1: [], 2: [], 3: [], 4: []}
    for row, frame in enumerate(recording.frames.tolist()):
        people = people_in(recording, row)
        instances = InstanceData(
            keypoints=np.stack([person.keypoints[:, :2] for person in people]),
            keypoint_scores=np.stack([person.keypoints[:, 2] for person in people]),
            bboxes=np.stack([person.box for person in people]),
            bbox_scores=[person.score for person in people],
        )
        frames[frame] = split_instances(instances)
    video = {"writer": None, "name": "clip.mp4", "predictions": list(frames.values())}
    BaseMMPoseInferencer._finalize_video_processing(SimpleNamespace(video_info=video), str(folder))
    return mmengine.load(folder / "clip.json")


def test_mmpose_writes_the_same(recording, tmp_path):
    path, times = write(recording, tmp_path, "mmpose")
    frames = mmengine.load(path)
    people = [[one.pop("track_id") for one in frame["instances"]] for frame in frames]
    assert people == [[1, 4], [1, 4], [1], [], [1, 4]]
    assert frames == mmpose_writes(recording, tmp_path)
    np.testing.assert_allclose(pd.read_csv(times).seconds, recording.seconds, atol=5.1e-7)


def test_instances_go_back_into_mmpose_s_structures(recording, tmp_path):
    frame = mmengine.load(write(recording, tmp_path / "poses.json", "mmpose")[0])[4]
    fields = {"keypoints": "keypoints", "keypoint_scores": "keypoint_scores"}
    instances = InstanceData(
        **{name: torch.tensor([one[key] for one in frame["instances"]]) for name, key in fields.items()}
    )
    for number, track in enumerate(recording.tracks):
        np.testing.assert_allclose(instances.keypoints[number], track.keypoints[3], atol=1e-4)
        np.testing.assert_allclose(instances.keypoint_scores[number], track.scores[3], atol=1e-4)
