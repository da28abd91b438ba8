import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mpii_mat2json import read_release, select_test, select_training, split_at_random
from scipy.io import loadmat, savemat

from efficientpose.datasets.annotation_files import write_headboxes, write_mpii
from efficientpose.datasets.mpii import ExactMpiiDataset

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
    write_mpii(tmp_path / "out" / "mpii_val.json", people)
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


@pytest.fixture
def run_script(tmp_path, monkeypatch):
    """Run the script in this process; return what it ends with and the files that it leaves."""

    def run(release_file, *arguments):
        out_dir = tmp_path / "annotations"
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(release_file), str(out_dir), *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return str(stop.value.code), sorted(path.name for path in out_dir.glob("*"))

    return run


def test_script_s_errors_are_one_line(run_script, tmp_path, release_file, crowd):
    """A text as the exit code is printed and ends in status 1; the test below sees it from outside."""
    (tmp_path / "text.mat").write_text("no MATLAB file")
    (tmp_path / "half.mat").write_bytes(release_file.read_bytes()[:700])
    savemat(tmp_path / "lists.mat", {"RELEASE": {"annolist": np.zeros(2), "img_train": np.zeros(2)}})
    savemat(tmp_path / "number.mat", {"RELEASE": 5})
    for name, message in {
        "none.mat": "none.mat: no such file; expected MPII's",
        "text.mat": "text.mat is not a MATLAB file that can be read",
        "half.mat": "half.mat is not a MATLAB file that can be read",
        "lists.mat": "lists.mat: RELEASE lacks single_person",
        "number.mat": "number.mat holds no RELEASE",
    }.items():
        ending, files = run_script(tmp_path / name)
        assert ending.startswith("error: ")
        assert message in ending
        assert "\n" not in ending
        assert files == []
    ending, files = run_script(crowd, "--num-val", "500")
    assert ending.startswith("error: num_val 500: must be more than 0 and less than")
    assert files == []


@pytest.mark.parametrize("changes", [dict(image={}), dict(annorect=5), dict(ids=[16])], ids=str)
def test_an_entry_that_is_not_as_in_the_release_is_named(tmp_path, changes):
    path = tmp_path / "other.mat"
    person = rectangle(20, ids=changes.get("ids", range(16)))
    entry = {"image": {"name": "2.jpg"}, "annorect": structure([person])}
    entry |= {key: value for key, value in changes.items() if key != "ids"}
    first = {"image": {"name": "1.jpg"}, "annorect": structure([rectangle(10)])}
    numbers = np.empty((2, 1), dtype=object)
    numbers[:, 0] = [np.array([[1]], dtype=np.uint8)] * 2
    release = {"annolist": structure([first, entry]), "img_train": np.array([[1, 1]]), "single_person": numbers}
    savemat(path, {"RELEASE": release})
    with pytest.raises(ValueError, match=r"other\.mat: entry 1 of annolist is not as in MPII's release \("):
        read_release(path)


def test_script_checks_head_boxes_before_it_writes_anything(tmp_path):
    people = [(f"{i}.jpg", [rectangle(10, head=i != 3)]) for i in range(1, 5)]
    write_release(tmp_path / "boxless.mat", people, [1] * 4, [[1]] * 4)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "boxless.mat"), str(tmp_path / "out"), "--num-val", "3"]
    # Three of four: the seed decides who is left out, and it is not the one without a head box.
    run = subprocess.run([*command, "--seed", "1"], check=False, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("error: person ")
    assert "(3.jpg) has no head box, which PCKh needs" in run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.glob("out/*")) == []
