import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from lsp import Layout, is_validation, read_collection
from lsp2mpii import convert
from mmpose.registry import DATASETS
from scipy.io import loadmat, savemat

from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.datasets.transforms import PersonCenterScale

SCRIPT = Path(__file__).parents[2] / "tools" / "dataset_converters" / "lsp2mpii.py"
NUM_PEOPLE = 14
THORAX, PELVIS = KEYPOINT_NAMES.index("thorax"), KEYPOINT_NAMES.index("pelvis")
HEAD_TOP, NECK = KEYPOINT_NAMES.index("head_top"), KEYPOINT_NAMES.index("upper_neck")


def make_entries():
    """Entries (N, 14, 3): joint k of entry n at x = 10 + 3k + n, y = 20 + 5k, the third value 1."""
    entries = np.ones((NUM_PEOPLE, 14, 3))
    entries[:, :, 0] = 10 + 3 * np.arange(14) + np.arange(NUM_PEOPLE)[:, None]
    entries[:, :, 1] = 20 + 5 * np.arange(14)
    return entries


def write_source(folder, entries, layout, *, absent=()):
    """Write ``joints.mat`` in the layout's own order of axes, and grey photographs."""
    axes = (1, 2, 0) if layout is Layout.LSPET else (2, 1, 0)
    (folder / "images").mkdir(parents=True)
    savemat(folder / "joints.mat", {"joints": entries.transpose(axes)})
    for number in range(1, len(entries) + 1):
        if number not in absent:
            picture = np.full((120, 90, 3), number, dtype=np.uint8)
            cv2.imwrite(str(folder / "images" / layout.image_name(number)), picture)
    return folder


@pytest.fixture
def lspet(tmp_path):
    """A made-up LSPET; of entry 2 the head top is invisible and the numbers mean nothing."""
    entries = make_entries()
    entries[1, 13] = (-5000, np.nan, 0)
    return write_source(tmp_path / "source", entries, Layout.LSPET)


@pytest.fixture
def lsp(tmp_path):
    """A made-up LSP; in entry 2 the right ankle is visible (0), all else occluded (1)."""
    entries = make_entries()
    entries[1, 0, 2] = 0
    return write_source(tmp_path / "source", entries, Layout.LSP)


def load_dataset(root, *, name, part, pipeline=()):
    arguments = {}
    if part == "val":
        arguments = {"headbox_file": f"{root}/annotations/{name}_gt_val.mat", "test_mode": True}
    return DATASETS.build(
        {
            "type": "ExactMpiiDataset",
            "ann_file": f"annotations/{name}_{part}.json",
            "data_root": str(root),
            "data_prefix": {"img": "images/"},
            "pipeline": list(pipeline),
            **arguments,
        }
    )


def test_lspet_is_read(lspet):
    collection = read_collection(lspet)
    assert collection.layout is Layout.LSPET
    assert [person.image for person in collection.people[:2]] == ["im00001.jpg", "im00002.jpg"]
    first, second = collection.people[:2]
    # LSPET's joints 0, 6, 12 and 13: x = 10 + 3k, y = 20 + 5k, still counted from 1.
    for name, position in {
        "right_ankle": (10, 20),
        "right_wrist": (28, 50),
        "upper_neck": (46, 80),
        "head_top": (49, 85),
    }.items():
        assert tuple(first.joints[KEYPOINT_NAMES.index(name)]) == position, name
    assert np.flatnonzero(~first.labelled).tolist() == [PELVIS, THORAX]
    assert np.flatnonzero(~second.labelled).tolist() == [PELVIS, THORAX, HEAD_TOP]
    assert second.joints[HEAD_TOP].tolist() == second.joints[THORAX].tolist() == [-1, -1]


def test_occluded_joints_of_lsp_are_labelled(lsp):
    collection = read_collection(lsp)
    assert collection.layout is Layout.LSP
    second = collection.people[1]
    assert second.image == "im0002.jpg"
    assert second.labelled.sum() == 14
    assert second.joints[KEYPOINT_NAMES.index("right_ankle")].tolist() == [11, 20]
    assert second.joints[HEAD_TOP].tolist() == [50, 85]


def test_digits_of_names_are_those_found(lsp):
    for path in (lsp / "images").iterdir():
        path.rename(path.with_name(f"im{int(path.stem[2:])}.jpg"))
    assert [person.image for person in read_collection(lsp).people][8:11] == ["im9.jpg", "im10.jpg", "im11.jpg"]


def test_split():
    assert [number for number in range(1, 41) if is_validation(number)] == [4, 14, 24, 34]


def test_files(lspet, tmp_path):
    summary = convert(lspet, tmp_path / "out")
    assert summary == ("lspet", NUM_PEOPLE - 2, 2, 0, 0)
    annotations = tmp_path / "out" / "annotations"
    assert sorted(path.name for path in annotations.iterdir()) == [
        "lspet_gt_val.mat",
        "lspet_train.json",
        "lspet_val.json",
    ]
    val = json.loads((annotations / "lspet_val.json").read_text())
    assert [person["image"] for person in val] == ["im00004.jpg", "im00014.jpg"]
    # Entry 4: x 13 to 52, y 20 to 85. Square: 1.4 · 65 = 91 = 1.25 · 200 · scale. Centre 15 · scale higher.
    assert val[0]["scale"] == pytest.approx(0.364)
    assert val[0]["center"] == pytest.approx([32.5, 52.5 - 5.46])
    assert set(val[0]) == {"image", "center", "scale", "joints", "joints_vis"}
    contents = loadmat(annotations / "lspet_gt_val.mat")
    assert contents["headboxes_src"].shape == (2, 2, 2)
    assert contents["pos_gt_src"][HEAD_TOP, :, 0].tolist() == [52, 85]
    assert np.flatnonzero(contents["jnt_missing"][:, 1]).tolist() == [PELVIS, THORAX]


def test_dataset_frames_the_joints(lspet, tmp_path):
    """The crop is a square of 1.4 times the longer side of the joints' box, around it, 0-based."""
    convert(lspet, tmp_path / "out")
    dataset = load_dataset(tmp_path / "out", name="lspet", part="train")
    assert len(dataset) == NUM_PEOPLE - 2
    first = PersonCenterScale(padding=1.25).transform(dataset.get_data_info(0))
    np.testing.assert_allclose(first["bbox_center"], [[(10 + 49) / 2 - 1, (20 + 85) / 2 - 1]], atol=1e-4)
    np.testing.assert_allclose(first["bbox_scale"], [[1.4 * 65] * 2], atol=1e-4)
    np.testing.assert_array_equal(first["keypoints"][0, HEAD_TOP], [48, 84])
    second = PersonCenterScale(padding=1.25).transform(dataset.get_data_info(1))
    # Without the head top, whose numbers must not count: y 20 to 80.
    np.testing.assert_allclose(second["bbox_scale"], [[1.4 * 60] * 2], atol=1e-4)
    assert second["keypoints_visible"][0, [HEAD_TOP, NECK, THORAX, PELVIS]].tolist() == [0, 1, 0, 0]


def test_head_sizes_of_the_dataset(lsp, tmp_path):
    convert(lsp, tmp_path / "out", name="other")
    dataset = load_dataset(tmp_path / "out", name="other", part="val")
    # Head top minus neck is (3, 5) everywhere; MPII's length is three quarters of it.
    for i in range(2):
        assert dataset.get_data_info(i)["head_size"].item() == pytest.approx(0.75 * np.hypot(3, 5))


def test_absent_photographs(tmp_path):
    source = write_source(tmp_path / "source", make_entries(), Layout.LSPET, absent=(3, 4))
    with pytest.raises(FileNotFoundError, match=r"im00003.jpg: no such image \(2 of the 14 .*--skip-absent"):
        convert(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert convert(source, tmp_path / "out", skip_absent=True) == ("lspet", 11, 1, 2, 0)


def test_people_without_a_box_are_left_out(tmp_path):
    entries = make_entries()
    entries[0] = 0  # nothing labelled
    entries[4, 1:, 2] = 0  # one joint
    entries[5, :, :2] = 33  # all in one place
    source = write_source(tmp_path / "source", entries, Layout.LSPET)
    collection = read_collection(source)
    assert collection.num_boxless == 3
    assert [person.number for person in collection.people] == [2, 3, 4, *range(7, 15)]


def test_converting_again_changes_nothing(lspet, tmp_path):
    out = tmp_path / "out"
    convert(lspet, out)
    assert (out / "images").is_symlink()
    before = {path.name: path.read_bytes() for path in (out / "annotations").glob("*.json")}
    convert(lspet, out)
    assert {path.name: path.read_bytes() for path in (out / "annotations").glob("*.json")} == before
    assert not list(out.rglob("*.partial"))


def test_converting_in_place(lspet):
    convert(lspet, lspet)
    assert not (lspet / "images").is_symlink()
    assert len(list((lspet / "images").iterdir())) == NUM_PEOPLE
    assert len(load_dataset(lspet, name="lspet", part="train")) == NUM_PEOPLE - 2


def test_other_photographs_stop_it_before_anything_is_written(lspet, tmp_path):
    (tmp_path / "out" / "images").mkdir(parents=True)
    with pytest.raises(FileExistsError, match=r"out/images is there and is not"):
        convert(lspet, tmp_path / "out")
    assert not (tmp_path / "out" / "annotations").exists()


def entries_with(value, *, at):
    entries = make_entries()
    entries[at] = value
    return entries


@pytest.mark.parametrize(
    ("layout", "entries", "message"),
    [
        (Layout.LSPET, entries_with(np.nan, at=(6, 2, 0)), r"entry 7 \(im00007.jpg\) has right_hip at \[nan, 30.0\]"),
        (Layout.LSP, entries_with(np.inf, at=(6, 2, 1)), r"entry 7 \(im0007.jpg\) has right_hip at \[22.0, inf\]"),
        (
            Layout.LSPET,
            entries_with(2, at=(0, 0, 2)),
            r"entry 1 \(im00001.jpg\) has visibilities \[2.0, .*expected 0 or 1",
        ),
        (Layout.LSPET, np.ones((5, 15, 3)), r"joints are float64 of shape \(15, 3, 5\), expected .* \(14, 3, N\)"),
        (Layout.LSPET, np.zeros((5, 14, 3)), "no image has a person with two labelled keypoints"),
        (Layout.LSPET, make_entries()[:3], "no person is left for validation"),
    ],
)
def test_broken_joints(layout, entries, message, tmp_path):
    source = write_source(tmp_path / "source", entries, layout)
    with pytest.raises(ValueError, match=message):
        convert(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_broken_sources(lspet, tmp_path):
    with pytest.raises(ValueError, match="name 'a/b': expected the beginning of a file name"):
        convert(lspet, tmp_path / "out", name="a/b")
    (lspet / "images" / "im4.jpg").touch()
    with pytest.raises(ValueError, match=r"im00004.jpg and im4.jpg have the same number"):
        read_collection(lspet)
    (lspet / "images" / "im4.jpg").rename(lspet / "images" / "im00015.jpg")
    with pytest.raises(ValueError, match=r"im00015.jpg: joints.mat has 14 entries"):
        read_collection(lspet)
    (lspet / "images").rename(lspet / "pictures")
    with pytest.raises(FileNotFoundError, match=r"source/images: no such folder; expected the images"):
        read_collection(lspet)
    content = (lspet / "joints.mat").read_bytes()
    for broken in (b"nothing of the kind", content[: len(content) // 2], b""):
        (lspet / "joints.mat").write_bytes(broken)
        with pytest.raises(ValueError, match=r"joints.mat is not a MATLAB file that can be read"):
            read_collection(lspet)
    savemat(lspet / "joints.mat", {"points": 1})
    with pytest.raises(ValueError, match=r"joints.mat holds no 'joints'"):
        read_collection(lspet)
    (lspet / "joints.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"joints.mat: no such file; expected the joints.mat of LSP"):
        read_collection(lspet)


def test_script(tmp_path):
    source = write_source(tmp_path / "source", make_entries(), Layout.LSP, absent=(2,))
    command = [sys.executable, str(SCRIPT), str(source), str(tmp_path / "out")]
    failed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert "im0002.jpg: no such image" in failed.stderr
    command += ["--skip-absent", "--copy-images", "--name", "leeds"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines()[:3] == [
        "leeds_train.json: 11 people",
        "leeds_val.json: 2 people",
        "left out: 1 entries without their image",
    ]


def test_real_lspet(shared, tmp_path):
    """The photographs there are: each found, the split in whole, and every crop as its joints want it."""
    source = shared / "data" / "lspet"
    summary = convert(source, tmp_path, skip_absent=True)
    assert summary.num_train + summary.num_val + summary.num_absent + summary.num_boxless == 10000
    pipeline = [{"type": "mmpose.LoadImage"}, {"type": "mmpose.PersonCenterScale"}]
    joints = loadmat(source / "joints.mat")["joints"]
    dataset = load_dataset(tmp_path, name="lspet", part="val", pipeline=pipeline)
    assert len(dataset) == summary.num_val
    for index in range(0, len(dataset), len(dataset) // 5):
        info = dataset[index]
        number = int(Path(info["img_path"]).stem[2:])
        assert number % 10 == 4
        visible = joints[joints[:, 2, number - 1] == 1, :2, number - 1] - 1
        assert info["keypoints_visible"].sum() == len(visible)
        low, high = visible.min(axis=0), visible.max(axis=0)
        np.testing.assert_allclose(info["bbox_center"], [(low + high) / 2], atol=1e-3)
        np.testing.assert_allclose(info["bbox_scale"], [[1.4 * (high - low).max()] * 2], atol=1e-3)
        assert info["img"].ndim == 3
