import copy
import json

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmpose.evaluation.metrics import MpiiPCKAccuracy
from mmpose.registry import DATASETS
from mmpose.structures import PoseDataSample
from scipy.io import loadmat, savemat

from efficientpose.datasets.mpii import ExactMpiiDataset, number_images
from efficientpose.evaluation.pckh_metric import PCKh

PIPELINE = [{"type": "mmpose.LoadImage"}, {"type": "mmpose.GetBBoxCenterScale"}, {"type": "mmpose.PackPoseInputs"}]


def make_annotation(image="000000012.jpg"):
    return {
        "image": image,
        "center": [60.0, 50.0],
        "scale": 0.5,
        "joints": [[10.0 + k, 20.0 + 2 * k] for k in range(16)],
        "joints_vis": [1] * 16,
    }


@pytest.fixture
def make_dataset(tmp_path):
    """Builds the dataset from annotations; an image file need only exist where nothing reads it."""

    def make(annotations, *, present=None, headboxes=None, **arguments):
        (tmp_path / "images").mkdir(exist_ok=True)
        names = [annotation.get("image") for annotation in annotations] if present is None else present
        for name in names:
            (tmp_path / "images" / str(name)).touch()
        (tmp_path / "mpii.json").write_text(json.dumps(annotations))
        if headboxes is not None:
            savemat(tmp_path / "heads.mat", {"headboxes_src": headboxes})
            arguments |= {"headbox_file": str(tmp_path / "heads.mat"), "test_mode": True}
        return ExactMpiiDataset(
            ann_file="mpii.json", data_root=str(tmp_path), data_prefix={"img": "images/"}, **arguments
        )

    return make


@pytest.fixture
def mmpose_mini(mini):
    """The same people by MMPose's own dataset, whose keypoints stay 1-based."""
    exact, _ = mini
    settings = dict(ann_file=exact.ann_file, data_prefix=exact.data_prefix, headbox_file=exact.headbox_file)
    return DATASETS.build(dict(type="MpiiDataset", test_mode=True, pipeline=PIPELINE, **settings))


@pytest.fixture
def mini(shared, tmp_path):
    """The five MPII people with the head boxes of their truth: the dataset, and that truth (5, 16, 2), 1-based."""
    contents = loadmat(shared / "data" / "mpii_val" / "mpii_gt_val.mat")
    root = shared / "data" / "mpii_mini"
    annotations = json.loads((root / "annotations" / "mpii_val.json").read_text())
    truth = contents["pos_gt_src"].transpose(2, 0, 1)
    labelled = contents["jnt_missing"].T == 0
    rows = []
    for annotation in annotations:
        visible = np.array(annotation["joints_vis"], dtype=bool)
        distances = np.abs(truth - np.array(annotation["joints"]))[:, visible].max(axis=(1, 2))
        matching = np.flatnonzero((distances < 0.01) & (labelled == visible).all(axis=1))
        assert len(matching) == 1
        rows.append(matching[0])
    savemat(tmp_path / "heads.mat", {"headboxes_src": contents["headboxes_src"][:, :, rows]})
    dataset = DATASETS.build(
        {
            "type": "ExactMpiiDataset",
            "ann_file": str(root / "annotations" / "mpii_val.json"),
            "data_prefix": {"img": f"{root / 'images'}/"},
            "headbox_file": str(tmp_path / "heads.mat"),
            "test_mode": True,
            "pipeline": PIPELINE,
        }
    )
    return dataset, truth[rows]


def score(metric, dataset, predictions):
    """Score predictions (5, 16, 2) through the dataset's own pipeline and packing."""
    for i, keypoints in enumerate(predictions):
        sample: PoseDataSample = dataset[i]["data_samples"]
        metadata = dict(sample.metainfo_items())
        packed = sample.to_dict() | {"pred_instances": {"keypoints": np.asarray(keypoints)[None]}} | metadata
        metric.process({}, [packed])
    return metric.evaluate(len(dataset))


FINE = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


def test_truth_as_prediction_scores_exactly_100(mini):
    dataset, _ = mini
    truth = [dataset.get_data_info(i)["keypoints"][0] for i in range(5)]
    scores = score(PCKh(thresholds=FINE), dataset, truth)
    assert len(scores) == (1 + 7) * (len(FINE) + 1) + 2 * (len(FINE) + 1)
    assert set(scores.values()) == {100.0}


def test_independent_truth_as_prediction_scores_100(mini):
    dataset, one_based = mini
    scores = score(PCKh(thresholds=FINE), dataset, one_based - 1)
    # The file's coordinates are off the annotations' by 1e-5 px, which the area's threshold 0 does not forgive.
    assert {value for key, value in scores.items() if "AUC" not in key} == {100.0}


def test_mmpose_own_metric_is_a_pixel_off_here(mini):
    """The reason for ``PCKh``: MMPose's adds 1 to predictions."""
    dataset, _ = mini
    truth = [dataset.get_data_info(i)["keypoints"][0] for i in range(5)]
    assert score(MpiiPCKAccuracy(thr=0.01), dataset, truth)["PCK"] < 100


def test_mmpose_own_dataset_and_metric_are_exact_for_0_based_predictions(mmpose_mini, mini):
    truth = [mini[0].get_data_info(i)["keypoints"][0] for i in range(5)]
    assert score(MpiiPCKAccuracy(thr=0.001), mmpose_mini, truth)["PCK"] == 100


def test_our_metric_warns_of_mmpose_dataset(mmpose_mini, mini, monkeypatch):
    metric = PCKh(num_bootstrap=0)
    truth = [mini[0].get_data_info(i)["keypoints"][0] for i in range(5)]
    metric.dataset_meta = mmpose_mini.metainfo
    warnings: list[str] = []
    monkeypatch.setattr(MMLogger, "warning", lambda _, message: warnings.append(message))
    score(metric, mmpose_mini, truth)
    (warning,) = warnings
    assert "one pixel" in warning
    assert "ExactMpiiDataset" in warning


def test_shifted_prediction_scores_as_computed_by_hand(mini):
    dataset, one_based = mini
    heads = np.array([dataset.get_data_info(i)["head_size"].item() for i in range(5)])
    labelled = np.array([dataset.get_data_info(i)["keypoints_visible"][0] for i in range(5)])
    in_mean = np.delete(labelled, [6, 7], axis=1).sum(axis=1)  # without pelvis and thorax
    shift = 9.0
    scores = score(PCKh(thresholds=(0.5, 0.1)), dataset, one_based - 1 + [0, shift])
    for threshold in (0.5, 0.1):
        right = shift / heads <= threshold
        assert scores[f"PCKh@{threshold}"] == pytest.approx(100 * (right * in_mean).sum() / in_mean.sum())
        assert scores[f"Head@{threshold}"] == pytest.approx(100 * right.mean())
    assert 0 < scores["PCKh@0.1"] < 100


def test_keypoints_centre_and_image_share_a_frame(mini):
    dataset, one_based = mini
    info = dataset.get_data_info(0)
    np.testing.assert_allclose(info["keypoints"][0], one_based[0] - 1, atol=1e-3)
    raw = info["raw_ann_info"]
    # MMPose lowers the centre by 15 px of a person 200 px high.
    np.testing.assert_allclose(
        info["bbox_center"][0], [raw["center"][0] - 1, raw["center"][1] + 15 * raw["scale"] - 1], atol=1e-3
    )
    assert info["img_id"] == 5808361
    assert dataset[0]["inputs"].shape[0] == 3


def test_hand_made_person(make_dataset):
    info = make_dataset([make_annotation()]).get_data_info(0)
    np.testing.assert_array_equal(info["keypoints"], [[[9.0 + k, 19.0 + 2 * k] for k in range(16)]])
    np.testing.assert_array_equal(info["keypoints_visible"], np.ones((1, 16)))
    assert info["keypoints"].dtype == np.float32


def test_unlabelled_joints_carry_no_weight(make_dataset):
    annotation = make_annotation()
    annotation["joints_vis"][3] = annotation["joints_vis"][5] = 0
    annotation["joints"][3] = [float("nan"), 1e9]
    annotation["joints"][5] = [None, None]
    info = make_dataset([annotation]).get_data_info(0)
    assert np.flatnonzero(info["keypoints_visible"][0] == 0).tolist() == [3, 5]
    np.testing.assert_array_equal(info["keypoints"][0, [3, 5]], [[59.0, 49.0], [59.0, 49.0]])
    np.testing.assert_array_equal(info["keypoints"][0, 4], [13.0, 27.0])


def test_people_without_joints_are_kept_for_testing_only(make_dataset):
    annotation = make_annotation()
    del annotation["joints"], annotation["joints_vis"]
    info = make_dataset([annotation], test_mode=True).get_data_info(0)
    assert not info["keypoints_visible"].any()
    with pytest.raises(ValueError, match=r"person 0 \(000000012.jpg\): lacks joints, joints_vis"):
        make_dataset([annotation])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "joints",
            [[1.0, 2.0]] * 14,
            r"mpii.json: person 1 \(b.jpg\): joints are 14 entries",
        ),
        ("joints", [[1.0, 2.0]] * 15 + [[3.0]], "joints are 16 entries that are not 16 pairs"),
        ("joints", [[1.0, 2.0]] * 15 + [[float("nan"), 1.0]], r"labelled joint 15 is at \[nan, 1.0\], expected finite"),
        ("joints_vis", [1] * 15 + [2], "expected 16 values 0 or 1"),
        ("joints_vis", [1] * 15, "expected 16 values 0 or 1"),
        ("center", [float("inf"), 1.0], r"center \[inf, 1.0\] and scale 0.5: expected a finite"),
        ("scale", "tall", "scale tall: expected"),
        ("scale", 0, "scale is 0, expected a height over 200 pixels, above 0"),
        ("scale", -1.0, "scale is -1.0, expected"),
        ("image", 7, "image is 7, expected a file name"),
    ],
)
def test_broken_annotations(make_dataset, key, value, message):
    with pytest.raises(ValueError, match=message):
        make_dataset([make_annotation(), make_annotation("b.jpg") | {key: value}])


def test_annotation_file_errors(make_dataset, tmp_path):
    with pytest.raises(ValueError, match=r"mpii.json is empty"):
        make_dataset([])
    with pytest.raises(FileNotFoundError, match=r"none.json'?: no such annotation file"):
        ExactMpiiDataset(ann_file=str(tmp_path / "none.json"))
    for text, message in [
        ("{]", "is not JSON"),
        ('{"images": []}', "expected one as in"),
        ("[1]", "expected one as in"),
    ]:
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            ExactMpiiDataset(ann_file=str(tmp_path / "other.json"))
    with pytest.raises(ValueError, match="no usable person is left"):
        make_dataset([make_annotation()], present=[], missing_images="skip")


def test_arguments_are_checked(make_dataset):
    with pytest.raises(ValueError, match="missing_images 'ignore': choose 'error' or 'skip'"):
        make_dataset([make_annotation()], missing_images="ignore")
    with pytest.raises(TypeError, match="headbox"):
        make_dataset([make_annotation()], headbox="heads.mat")


def make_headboxes(*diagonals):
    """Head boxes (2, 2, N) of 3:4 sides."""
    corners = [[[0.0, 0.0], [0.6 * diagonal, 0.8 * diagonal]] for diagonal in diagonals]
    return np.array(corners).transpose(1, 2, 0)


def test_head_sizes(make_dataset):
    dataset = make_dataset([make_annotation(), make_annotation("3.jpg")], headboxes=make_headboxes(50, 100))
    sizes = [dataset.get_data_info(i)["head_size"] for i in range(2)]
    np.testing.assert_allclose(sizes, [[[30.0]], [[60.0]]])


def test_head_box_errors(make_dataset, tmp_path):
    with pytest.raises(ValueError, match=r"headboxes_src has shape \(2, 2, 2\), expected \(2, 2, 1\) for the 1 people"):
        make_dataset([make_annotation()], headboxes=make_headboxes(50, 60))
    with pytest.raises(ValueError, match=r"head box 0 has diagonal 0.0"):
        make_dataset([make_annotation()], headboxes=make_headboxes(0))
    with pytest.raises(FileNotFoundError, match=r"none.mat: no such head-box file"):
        make_dataset([make_annotation()], headbox_file=str(tmp_path / "none.mat"), test_mode=True)
    savemat(tmp_path / "empty.mat", {"boxes": 1})
    with pytest.raises(ValueError, match=r"empty.mat lacks headboxes_src"):
        make_dataset([make_annotation()], headbox_file=str(tmp_path / "empty.mat"), test_mode=True)


def test_missing_images(make_dataset, monkeypatch):
    people = [make_annotation("1.jpg"), make_annotation("2.jpg"), make_annotation("2.jpg"), make_annotation("3.jpg")]
    arguments = {"present": ["1.jpg", "3.jpg"], "headboxes": make_headboxes(10, 20, 30, 40)}
    with pytest.raises(FileNotFoundError, match=r"images/2.jpg: no such image \(1 of the 3 images"):
        make_dataset(copy.deepcopy(people), **arguments)
    warnings = []
    monkeypatch.setattr("mmengine.logging.MMLogger.warning", lambda self, text: warnings.append(text))
    dataset = make_dataset(people, missing_images="skip", **arguments)
    assert "2 of 4 people are left out, because 1 images are absent" in warnings[0]
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [info["img_id"] for info in infos] == [1, 3]
    assert [info["id"] for info in infos] == [0, 3]
    np.testing.assert_allclose([info["head_size"].item() for info in infos], [6.0, 24.0])


def test_all_images_missing(make_dataset):
    with pytest.raises(ValueError, match="no usable person is left"):
        make_dataset([make_annotation()], present=[], missing_images="skip")


def test_image_numbers(make_dataset):
    assert number_images(["0012.jpg", "7.jpg", "0012.jpg"]) == {"0012.jpg": 12, "7.jpg": 7}
    assert number_images(["im2.jpg", "im1.jpg", "im2.jpg"]) == {"im2.jpg": 0, "im1.jpg": 1}
    assert number_images(["1.jpg", "01.jpg"]) == {"1.jpg": 0, "01.jpg": 1}
    info = make_dataset([make_annotation("im00001.jpg"), make_annotation("im00002.jpg")]).get_data_info(1)
    assert info["img_id"] == 1
    assert info["img_path"].endswith("images/im00002.jpg")


def test_bottomup_groups_people_by_image(make_dataset):
    people = [make_annotation("a.jpg"), make_annotation("a.jpg"), make_annotation("b.jpg")]
    dataset = make_dataset(people, data_mode="bottomup")
    assert [dataset.get_data_info(i)["keypoints"].shape for i in range(2)] == [(2, 16, 2), (1, 16, 2)]
    assert dataset.get_data_info(0)["img_path"].endswith("a.jpg")
