"""Synthetic truth, read back and scored: exact to the file's rounding, and predictions that know nothing score low.

Together these make a score on synthetic people one of the network's.
"""

import numpy as np
import pytest

from efficientpose import PoseEstimator
from efficientpose.commands.demo import score_on_synthetic_people
from efficientpose.datasets.mpii import ExactMpiiDataset
from efficientpose.evaluation.pckh_metric import PCKh
from synthetic_people.generate import Plan, Split, generate
from synthetic_people.scene import sample_scene

SEED = 11
NUM_TRAIN, NUM_VAL, NUM_REDRAWN = 100, 100, 10
FINE = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
ROUNDING = 0.5e-4 + 2**-16
"""Pixels: half of the last of the annotations' four decimals, and of float32's steps between 256 and 512."""
PADDING = 1.25  # of the crop, per side of the person's box


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("synthetic") / "people"
    generate(Plan(num_train=NUM_TRAIN, num_val=NUM_VAL, seed=SEED), out)
    return out


def read(folder, split):
    """Read a part as training does, or as testing does."""
    head_boxes = dict(headbox_file=str(folder / "annotations" / "mpii_gt_val.mat")) if split is Split.VAL else {}
    return ExactMpiiDataset(
        ann_file=f"annotations/mpii_{split.name.lower()}.json",
        data_root=str(folder),
        data_prefix=dict(img="images/"),
        pipeline=[dict(type=f"mmpose.{step}") for step in ("LoadImage", "GetBBoxCenterScale", "PackPoseInputs")],
        test_mode=split is Split.VAL,
        **head_boxes,
    )


@pytest.fixture(scope="module")
def dataset(folder):
    return read(folder, Split.VAL)


@pytest.fixture(scope="module")
def scenes():
    """The first scenes of the validation part, drawn again: their truth never was in a file."""
    seeds = [np.random.SeedSequence(SEED, spawn_key=(int(Split.VAL), index)) for index in range(NUM_REDRAWN)]
    return [sample_scene(np.random.default_rng(each)) for each in seeds]


def people_of(dataset):
    """Everyone's truth (N, 16, 2) and whether it is labelled (N, 16); crops' centres (N, 1, 2) and sides (N, 1, 1)."""
    people = [dataset.get_data_info(index) for index in range(len(dataset))]
    return (
        np.stack([person["keypoints"][0] for person in people]),
        np.stack([person["keypoints_visible"][0] == 1 for person in people]),
        np.stack([person["bbox_center"] for person in people]),
        np.stack([person["bbox_scale"][:, :1] for person in people]) * PADDING,
    )


def score(dataset, predictions, *, thresholds=(0.5, 0.1)):
    """Score the first people's predictions (N, 16, 2) through the dataset's own pipeline and packing."""
    metric = PCKh(thresholds=thresholds)
    for index, keypoints in enumerate(predictions):
        sample = dataset[index]["data_samples"]
        metadata = dict(sample.metainfo_items())
        metric.process({}, [sample.to_dict() | {"pred_instances": {"keypoints": keypoints[None]}} | metadata])
    return metric.evaluate(len(predictions))


def test_truth_as_prediction_scores_exactly_100(dataset):
    truth, *_ = people_of(dataset)
    scores = score(dataset, truth, thresholds=FINE)
    assert len(scores) == (1 + 7) * (len(FINE) + 1) + 2 * (len(FINE) + 1)
    assert set(scores.values()) == {100.0}


def test_keypoints_are_read_where_the_scene_has_them(dataset, scenes):
    truth, labelled, *_ = people_of(dataset)
    for scene, keypoints, known in zip(scenes, truth, labelled, strict=False):
        np.testing.assert_array_equal(known, scene.labelled)
        assert np.abs(keypoints - scene.keypoints)[known].max() <= ROUNDING
    assert not all(scene.labelled.all() for scene in scenes)


def test_the_scene_s_own_truth_scores_100_down_to_a_hundredth(dataset, scenes):
    scores = score(dataset, [scene.keypoints for scene in scenes], thresholds=FINE)
    # Rounding is more than the area's threshold 0 forgives.
    assert {value for key, value in scores.items() if "AUC" not in key} == {100.0}


@pytest.mark.parametrize(("shift", "threshold"), [((1.2, -1.6), 0.1), ((-4.8, 6.4), 0.5)])
def test_a_shifted_prediction_scores_as_computed_by_hand(dataset, scenes, shift, threshold):
    """Shifts of 2 and 8 pixels: right for heads with a reference length of 20 and 16 pixels and more."""
    reference_lengths = np.array([0.6 * np.linalg.norm(scene.head_box[1] - scene.head_box[0]) for scene in scenes])
    right = np.hypot(*shift) <= threshold * reference_lengths
    num_labelled = np.array([np.delete(scene.labelled, [6, 7]).sum() for scene in scenes])  # but pelvis and thorax
    num_heads = np.array([scene.labelled[9] for scene in scenes])
    scores = score(dataset, [scene.keypoints + shift for scene in scenes])
    assert scores[f"PCKh@{threshold}"] == pytest.approx(100 * num_labelled[right].sum() / num_labelled.sum())
    assert scores[f"Head@{threshold}"] == pytest.approx(100 * num_heads[right].sum() / num_heads.sum())
    assert 0 < scores[f"PCKh@{threshold}"] < 100


@pytest.mark.slow
def test_an_untrained_network_scores_near_zero(folder, untrained_checkpoint):
    table = score_on_synthetic_people(PoseEstimator.load("rt", weights=untrained_checkpoint), folder)
    assert table.num_people == NUM_VAL
    assert table.rows["Mean"]["@0.5"].value < 5
    assert table.rows["Mean"]["@0.1"].value < 1


def test_the_mean_pose_scores_little_and_on_limbs_nearly_nothing(folder, dataset):
    """The mean training pose in the crop's frame: it has the crop from the truth, and so hits some trunks.

    It scored 14.1 and 0.3 at @0.5 and @0.1 when this was written; hips 38.0, wrists 4.6, ankles 3.2.
    """
    truth, labelled, centres, sides = people_of(read(folder, Split.TRAIN))
    mean_pose = np.nanmean(np.where(labelled[..., None], (truth - centres) / sides, np.nan), axis=0)
    _, _, centres, sides = people_of(dataset)
    scores = score(dataset, centres + mean_pose * sides)
    assert scores["PCKh@0.5"] < 20
    assert scores["PCKh@0.1"] < 2
    assert max(scores["Wrist@0.5"], scores["Ankle@0.5"]) < 10
