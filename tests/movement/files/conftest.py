"""A recording with everything that is hard to write, and a way to ask tools that tests must not import."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS
from efficientpose.movement.recording import Recording, Track


def random_track(rng, *, person, num_frames, num_keypoints):
    return Track(
        person=person,
        keypoints=rng.uniform(0, 470, (num_frames, num_keypoints, 2)),
        scores=rng.uniform(0.01, 1, (num_frames, num_keypoints)),
        boxes=np.tile([10.25, 20.5, 310.125, 470.0], (num_frames, 1)),
    )


@pytest.fixture
def make_recording():
    """Uneven times, frame 3 damaged; every person lacks keypoint 3 in row 1, the second one is unseen in row 2."""

    def make(*, people=(1, 4), frames=(0, 1, 2, 4), source="clip.mp4", keypoint_names=KEYPOINT_NAMES, **kwargs):
        rng = np.random.default_rng(5)
        tracks = [
            random_track(rng, person=person, num_frames=len(frames), num_keypoints=len(keypoint_names))
            for person in people
        ]
        for track in tracks:
            track.keypoints[1, 3] = np.nan
            track.scores[1, 3] = 0
        for track in tracks[1:2]:
            track.keypoints[2] = np.nan
            track.scores[2] = 0
            track.boxes[2] = np.nan
        return Recording(
            **{
                "seconds": np.array(frames) / 30 + np.linspace(0, 0.01, len(frames)) ** 2,
                "frames": np.array(frames, dtype=np.int64),
                "tracks": tuple(tracks),
                "image_size": (640, 480),
                "source": source,
                "keypoint_names": keypoint_names,
                "limbs": LIMBS if keypoint_names is KEYPOINT_NAMES else ((0, 1),),
            }
            | kwargs
        )

    return make


@pytest.fixture
def recording(make_recording):
    """People 1 and 4 in frames 0, 1, 2 and 4."""
    return make_recording()


@pytest.fixture
def ask(tmp_path):
    """Run code in a process of its own and return what its variable ``answer`` is; skip where a library is missing.

    Pose2Sim, Sports2D and movement change warnings, logging or plotting of the process that imports them.
    """

    def run(code, *arguments):
        ending = "\nimport json; print('\\n' + json.dumps(answer))"
        environment = os.environ | {"HOME": str(tmp_path), "MPLBACKEND": "Agg"}
        command = [sys.executable, "-c", code + ending, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode and "ModuleNotFoundError" in done.stderr:
            pytest.skip(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
