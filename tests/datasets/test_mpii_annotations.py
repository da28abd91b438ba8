import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from efficientpose.datasets.mpii import ExactMpiiDataset
from efficientpose.datasets.mpii_annotations import (
    read_release,
    select_test,
    select_training,
    split_at_random,
    write_annotations,
    write_headboxes,
)

SCRIPT = Path(__file__).parents[2] / "tools" / "dataset_converters" / "mpii_mat2json.py"
EMPTY = np.empty((0, 0))


def structure(records):
    """Return a MATLAB structure array, (1, N), of dictionaries with the same keys."""
    array = np.empty((1, len(records)), dtype=[(name, object) for name in records[0]])
    for i, record in enumerate(records):
        array[0, i] = tuple(record.values())
    return array


def rectangle(x, *, ids=range(16), head=True, position=True):
    """A person; numbers are small MATLAB integers, as in the release."""
    points = [{"x": np.uint16(x + k), "y": np.uint16(2 * k), "id": np.uint8(k), "is_visible": "1"} for k in ids]
    box = {"x1": np.uint16(x), "y1": np.uint16(5), "x2": np.uint16(x + 30), "y2": np.uint16(45)}
    return {
        **(box if head else dict.fromkeys(box, EMPTY)),
        "annopoints": {"point": structure(points)} if points else EMPTY,
        "scale": 1.5 if position else EMPTY,
        "objpos": {"x": np.uint16(x), "y": np.uint16(100)} if position else EMPTY,
    }


def write_release(path, images, is_train, single):
    annolist = [
        {"image": {"name": name}, "annorect": structure(people) if people else EMPTY} for name, people in images
    ]
    cells = np.empty((len(single), 1), dtype=object)
    for i, numbers in enumerate(single):
        cells[i, 0] = np.array(numbers, dtype=np.uint8).reshape(-1, 1)
    release = {"annolist": structure(annolist), "img_train": np.array([is_train]), "single_person": cells}
    savemat(path, {"RELEASE": release})


@pytest.fixture
def release_file(tmp_path):
    """One person; two of whom one has no centre; nobody; two test people of whom the second stands alone."""
    images = [
        ("000000001.jpg", [rectangle(10, ids=range(2, 16))]),
        ("000000002.jpg", [rectangle(20), rectangle(30, position=False)]),
        ("000000003.jpg", []),
        ("000000004.jpg", [rectangle(40, ids=[], head=False), rectangle(50, ids=[], head=False)]),
        ("000000005.jpg", [rectangle(60, ids=[])]),
    ]
    path = tmp_path / "release.mat"
    write_release(path, images, [1, 1, 1, 0, 1], [[1], [], [], [2], [1]])
    return path


def test_read_release(release_file):
    people = read_release(release_file)
    assert [(p.image_index, p.person_index) for p in people] == [(0, 0), (1, 0), (3, 0), (3, 1), (4, 0)]
    first = people[0]
    assert first.image == "000000001.jpg"
    assert first.centre == (10.0, 100.0)
    assert first.scale == 1.5
    assert first.headbox == (10.0, 5.0, 40.0, 45.0)
    assert first.is_train
    assert first.is_single
    np.testing.assert_array_equal(first.labelled, [False] * 2 + [True] * 14)
    np.testing.assert_array_equal(first.joints[:3], [[-1, -1], [-1, -1], [12, 4]])
    assert people[2].headbox is None
    assert [p.image_index for p in select_training(people)] == [0, 1]
    assert [(p.image_index, p.person_index) for p in select_test(people)] == [(3, 1)]


def test_annotations_load_as_a_dataset(release_file, tmp_path):
    people = select_training(read_release(release_file))
    write_annotations(tmp_path / "out" / "mpii_val.json", people)
    write_headboxes(tmp_path / "out" / "heads.mat", people)
    for person in people:
        (tmp_path / person.image).touch()
    dataset = ExactMpiiDataset(
        ann_file=str(tmp_path / "out" / "mpii_val.json"),
        data_prefix={"img": f"{tmp_path}/"},
        headbox_file=str(tmp_path / "out" / "heads.mat"),
        test_mode=True,
    )
    info = dataset.get_data_info(0)
    np.testing.assert_array_equal(info["keypoints"][0, 2], [11, 3])  # 0-based
    assert info["keypoints_visible"][0].tolist() == [0, 0] + [1] * 14
    assert info["head_size"].item() == pytest.approx(0.6 * 50)
    assert info["raw_ann_info"]["person_index"] == 0
    contents = loadmat(tmp_path / "out" / "heads.mat")
    assert contents["pos_gt_src"].shape == (16, 2, 2)
    assert contents["jnt_missing"][:, 0].tolist() == [1, 1] + [0] * 14
    np.testing.assert_array_equal(contents["headboxes_src"][:, :, 1], [[20, 5], [50, 45]])


@pytest.fixture
def crowd(tmp_path):
    """Forty training images of one to three people each."""
    images = [(f"{i}.jpg", [rectangle(10 * k + 1) for k in range(1 + i % 3)]) for i in range(1, 41)]
    write_release(tmp_path / "crowd.mat", images, [1] * 40, [[1]] * 40)
    return tmp_path / "crowd.mat"


def test_random_split(crowd):
    people = select_training(read_release(crowd))
    split = split_at_random(people, num_val=20, seed=5)
    assert 20 <= len(split.val) <= 22
    assert len(split.train) + len(split.val) == len(people)
    assert not {p.image for p in split.train} & {p.image for p in split.val}
    again = split_at_random(people, num_val=20, seed=5)
    assert [p.image for p in again.val] == [p.image for p in split.val]
    other = split_at_random(people, num_val=20, seed=6)
    assert [p.image for p in other.val] != [p.image for p in split.val]
    with pytest.raises(ValueError, match="num_val 500: must be more than 0 and less than the"):
        split_at_random(people, num_val=500)


def test_errors(tmp_path, release_file):
    with pytest.raises(FileNotFoundError, match=r"none.mat: no such file; expected MPII's"):
        read_release(tmp_path / "none.mat")
    savemat(tmp_path / "other.mat", {"x": 1})
    with pytest.raises(ValueError, match=r"other.mat holds no RELEASE"):
        read_release(tmp_path / "other.mat")
    with pytest.raises(ValueError, match=r"person 2 \(000000004.jpg\) has no head box"):
        write_headboxes(tmp_path / "heads.mat", read_release(release_file))


def test_script(crowd, tmp_path):
    out_dir = tmp_path / "annotations"
    command = [sys.executable, str(SCRIPT), str(crowd), str(out_dir), "--num-val", "20", "--seed", "5"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "mpii_test.json: 0 people" in printed
    sizes = {path.stem: len(json.loads(path.read_text())) for path in out_dir.glob("*.json")}
    assert sizes["mpii_random_train"] + sizes["mpii_random_val"] == sizes["mpii_trainval"]
    assert loadmat(out_dir / "mpii_random_gt_val.mat")["headboxes_src"].shape == (2, 2, sizes["mpii_random_val"])
