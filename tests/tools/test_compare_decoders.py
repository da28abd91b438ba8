"""``tools/analysis/compare_decoders.py`` on the five people of MPII that come with the reference material."""

import json

import numpy as np
import pytest
import torch
from compare_decoders import compare_decoders, predict_coarse_heatmaps
from mmengine.config import Config
from mmpose.apis import init_model
from scipy.io import savemat

from efficientpose.core.shipped_files import mpii_config_path

TOOL = "analysis/compare_decoders.py"
KEYS = [f"{measure}@{threshold}" for measure in ("PCKh", "torso/PCK") for threshold in (0.05, 0.1, 0.2, 0.5)]


@pytest.fixture
def five_people(shared, tmp_path):
    """Options that name them, with head boxes of 60 × 80 pixels, so that PCKh divides by 60."""
    root = shared / "data" / "mpii_mini"
    savemat(tmp_path / "heads.mat", {"headboxes_src": np.tile([[[0], [0]], [[60], [80]]], (1, 1, 5)).astype(float)})
    options = dict(data_root="", ann_file=root / "annotations" / "mpii_val.json", headbox_file=tmp_path / "heads.mat")
    dataset = [f"dataset.{key}={value}" for key, value in options.items()]
    dataset += [f"dataset.data_prefix.img={root / 'images'}", "num_workers=0", "persistent_workers=False"]
    return [f"test_dataloader.{option}" for option in dataset]


def test_sparse_decoding_scores_as_dense_decoding(run_tool, five_people, checkpoints, tmp_path):
    scores_file = tmp_path / "scores.json"
    arguments = (mpii_config_path("rt"), "--variant", "rt", "--weights", checkpoints["rt"], "--json", scores_file)
    status, printed, _ = run_tool(TOOL, *arguments, "--cfg-options", *five_people)
    assert status == 0
    results = json.loads(scores_file.read_text())
    assert list(results) == ["dense", "sparse", "subpixel"]
    assert results["sparse"]["scores"] == results["dense"]["scores"]
    assert results["sparse"]["milliseconds"] > 0
    assert results["sparse"]["scores"]["torso/PCK@0.1"] == pytest.approx(71.21, abs=0.005)
    assert results["subpixel"]["scores"] != results["sparse"]["scores"]
    assert set(KEYS) <= results["subpixel"]["scores"].keys()
    assert "subpixel" in printed


def draw_ground_truth(predicted, codec):
    """Return the same people with heatmaps drawn from their ground truth, so that decoding alone can err."""
    drawn = []
    for sample in predicted.samples:
        (truth,) = sample.gt_instances.keypoints
        corner = sample.input_center - 0.5 * sample.input_scale
        points = (truth - corner) / sample.input_scale * codec.input_size
        labelled = torch.ones(1, len(points))
        targets = codec.render(torch.from_numpy(points[None]).float(), labelled, with_full_heatmaps=False)
        drawn.append(targets.heatmaps[0].numpy())
    return predicted._replace(heatmaps=np.stack(drawn))


def test_between_pixels_is_as_good_at_every_tight_threshold_where_truth_is_known(five_people, checkpoints):
    config = Config.fromfile(mpii_config_path("rt"))
    config.merge_from_dict(dict(option.split("=", 1) for option in five_people if "=" in option))
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    model = init_model(config, str(checkpoints["rt"]), device="cpu")
    maps = draw_ground_truth(predict_coarse_heatmaps(model, config), model.head.decoder)
    tight = (0.002, 0.005, 0.01, 0.02, 0.05)
    results = compare_decoders(model, maps, thresholds=tight)
    keys = [f"{measure}@{threshold:g}" for measure in ("PCKh", "torso/PCK") for threshold in tight]
    plain, refined = (np.array([results[name].scores[key] for key in keys]) for name in ("sparse", "subpixel"))
    assert (refined >= plain).all()
    assert (refined > plain + 20).sum() >= 4
    assert results["dense"].scores == results["sparse"].scores
    assert refined[keys.index("torso/PCK@0.02")] == 100


def test_first_people_only(run_tool, five_people, checkpoints, tmp_path):
    scores_file = tmp_path / "scores.json"
    arguments = (mpii_config_path("rt"), "--variant", "rt", "--weights", checkpoints["rt"], "--json", scores_file)
    assert run_tool(TOOL, *arguments, "--people", 2, "--cfg-options", *five_people)[0] == 0
    score = json.loads(scores_file.read_text())["sparse"]["scores"]["torso/PCK@0.1"]
    assert score != pytest.approx(71.21, abs=0.005)  # of all five


def test_network_that_is_not_upsampled_is_refused(run_tool, untrained_checkpoint):
    arguments = (mpii_config_path("rt"), "--variant", "rt", "--weights", untrained_checkpoint)
    status, _, error = run_tool(TOOL, *arguments, "--cfg-options", "model.head.decoder.sparse=False")
    assert status == 1
    assert "error: decoders are compared on an EfficientPoseHead with bilinear upsampling" in error
