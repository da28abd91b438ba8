import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from scipy.io import savemat

from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.evaluation.pckh_metric import PCKh
from efficientpose.evaluation.test_options import (
    DEFAULT_SCALES,
    scale_pipeline,
    set_flip_test,
    set_multi_scale_test,
    set_submission,
)

TOOL = Path(__file__).parents[2] / "tools" / "test.py"
PIPELINE = [
    dict(type="LoadImage"),
    dict(type="PersonCenterScale", padding=1.5),
    dict(type="TopdownAffine", input_size=(64, 64)),
    dict(type="PackPoseInputs"),
]


@pytest.fixture
def config():
    return Config.fromfile(mpii_config_path("rt"))


@pytest.fixture(scope="module")
def tool():
    """What tools/test.py defines."""
    return runpy.run_path(str(TOOL), run_name="tool")


def test_pipeline_branches_at_the_crop():
    before = [dict(step) for step in PIPELINE]
    load, branches = scale_pipeline(PIPELINE, [0.5, 1.0, 2.0])
    assert load == PIPELINE[0]
    assert branches["type"] == "TestTimeAug"
    scaled, *later = branches["transforms"]
    # The crop that is the common frame comes first.
    assert scaled == [dict(type="PersonCenterScale", padding=1.5, scale=scale) for scale in (1.0, 0.5, 2.0)]
    assert later == [[step] for step in PIPELINE[2:]]
    assert before == PIPELINE


def test_first_scale_comes_first_where_1_is_not_among_them():
    scaled = scale_pipeline(PIPELINE, [1.2, 0.8])[1]["transforms"][0]
    assert [step["scale"] for step in scaled] == [1.2, 0.8]


def test_scales_multiply_that_of_the_config():
    pipeline = [dict(type="PersonCenterScale", scale=0.5), PIPELINE[-1]]
    scaled = scale_pipeline(pipeline, [1.0, 3.0])[0]["transforms"][0]
    assert [step["scale"] for step in scaled] == [0.5, 1.5]


@pytest.mark.parametrize("scales", [[], [0.0, 1.0], [1.0, -0.9], [float("nan")], [float("inf")], [1.0, 0.9, 1.0]])
def test_unusable_scales_are_refused(scales):
    with pytest.raises(ValueError, match=r"scales .* must be positive numbers, each once, got \["):
        scale_pipeline(PIPELINE, scales)


@pytest.mark.parametrize("pipeline", [[], [dict(type="GetBBoxCenterScale")], PIPELINE + PIPELINE])
def test_pipeline_without_one_step_to_scale_is_refused(pipeline):
    kinds = ", ".join(step["type"] for step in pipeline) or "nothing"
    with pytest.raises(
        ValueError, match=f"PersonCenterScale, of which the test pipeline must have one; it has {kinds}"
    ):
        scale_pipeline(pipeline, [1.0])


def test_config_gets_default_scales_keeps_its_own_and_yields_to_those_given(config):
    def scales():
        return sorted(step["scale"] for step in config.tta_pipeline[-1]["transforms"][0])

    set_multi_scale_test(config)
    assert config.tta_model == dict(type="MultiScaleTester")
    assert tuple(scales()) == DEFAULT_SCALES
    config.tta_pipeline = scale_pipeline(PIPELINE, [0.5])
    set_multi_scale_test(config)
    assert scales() == [0.5]
    set_multi_scale_test(config, [0.7, 1.0])
    assert scales() == [0.7, 1.0]


def test_flip_test_is_set_and_the_rest_kept(config):
    config.model.test_cfg = dict(output_heatmaps=True)
    set_flip_test(config, enabled=True)
    assert config.model.test_cfg == dict(output_heatmaps=True, flip_test=True)
    config.model.test_cfg = None
    set_flip_test(config, enabled=False)
    assert config.model.test_cfg == dict(flip_test=False)


@pytest.mark.parametrize(
    ("evaluators", "writing"),
    [
        (dict(type="PCKh"), [0]),
        ([dict(type="mmpose.PCKh"), dict(type="DumpResults"), dict(type=PCKh, norm="bbox")], [0, 2]),
        (dict(type="Evaluator", metrics=[dict(type="MpiiPCKAccuracy"), dict(type="PCKh")]), [1]),
    ],
    ids=["one", "list", "evaluator of metrics"],
)
def test_every_pckh_evaluator_writes_the_submission(evaluators, writing, config, tmp_path):
    release_file = tmp_path / "release.mat"
    release_file.touch()
    config.test_evaluator = evaluators
    set_submission(config, tmp_path / "new" / "pred.mat", release_file=release_file)
    found = config.test_evaluator
    found = found.get("metrics", [found]) if isinstance(found, dict) else found
    expected = (str(tmp_path / "new" / "pred.mat"), str(release_file))
    for index, evaluator in enumerate(found):
        files = (evaluator.get("submission_file"), evaluator.get("release_file"))
        assert files == (expected if index in writing else (None, None))
    assert (tmp_path / "new").is_dir()


def test_submission_that_cannot_be_written_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match=r"out.txt: a submission ends in .mat or .json"):
        set_submission(config, tmp_path / "out.txt")
    with pytest.raises(ValueError, match=r"out.json: only a submission that ends in .mat"):
        set_submission(config, tmp_path / "out.json", release_file=tmp_path / "release.mat")
    with pytest.raises(FileNotFoundError, match=r"release.mat: no such file; expected MPII's"):
        set_submission(config, tmp_path / "out.mat", release_file=tmp_path / "release.mat")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        set_submission(config, tmp_path / "file" / "out.mat")
    assert "submission_file" not in config.test_evaluator
    config.test_evaluator = [dict(type="MpiiPCKAccuracy"), dict(type="Unheard")]
    with pytest.raises(ValueError, match="evaluator PCKh, but test_evaluator is MpiiPCKAccuracy, Unheard"):
        set_submission(config, tmp_path / "out.mat")
    config.test_evaluator = None
    with pytest.raises(ValueError, match="test_evaluator is empty"):
        set_submission(config, tmp_path / "out.mat")


@pytest.mark.parametrize(
    ("arguments", "flip_test", "is_multi_scale"),
    [
        ("", False, False),
        ("--flip-test", True, False),
        ("--no-flip-test", False, False),
        ("--tta", True, True),
        ("--tta --no-flip-test", False, True),
        ("--tta-scales 0.9 1.0", True, True),
    ],
)
def test_options_of_the_tool(arguments, flip_test, is_multi_scale, config, tool):
    options, remaining = tool["make_parser"]().parse_known_args(["CONFIG", *arguments.split(), "--dump", "a.pkl"])
    assert remaining == ["CONFIG", "--dump", "a.pkl"]  # MMPose's
    assert tool["apply"](options, config) == is_multi_scale
    assert config.model.test_cfg.flip_test == flip_test
    assert ("tta_pipeline" in config) == is_multi_scale


def test_release_file_alone_is_refused(config, tool):
    options = tool["make_parser"]().parse_args(["--release-file", "release.mat"])
    with pytest.raises(ValueError, match=r"--release-file release.mat goes with --dump-submission"):
        tool["apply"](options, config)


def test_tool_tests_at_several_scales_and_writes_predictions(tmp_path, monkeypatch, untrained_checkpoint):
    people = []
    rng = np.random.default_rng(0)
    for name in ("1.jpg", "2.jpg"):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (90, 120, 3), np.uint8))
        joints = rng.uniform(10, 80, (16, 2)).tolist()
        people.append(dict(image=name, joints=joints, joints_vis=[1] * 16, center=[60.0, 45.0], scale=0.4))
    (tmp_path / "mpii.json").write_text(json.dumps(people))
    savemat(tmp_path / "heads.mat", {"headboxes_src": np.stack([np.full((2, 2), 30.0), np.full((2, 2), 60.0)])})
    dataset = dict(data_root="", ann_file=tmp_path / "mpii.json", headbox_file=tmp_path / "heads.mat")
    dataset["data_prefix.img"] = tmp_path
    loader = [f"dataset.{key}={value}" for key, value in dataset.items()]
    loader += ["num_workers=0", "persistent_workers=False", "batch_size=2"]
    arguments = [TOOL, mpii_config_path("rt"), untrained_checkpoint, "--tta-scales", "0.8", "1"]
    arguments += ["--dump-submission", tmp_path / "results.json", "--out", tmp_path / "scores.json"]
    arguments += ["--work-dir", tmp_path / "work", "--cfg-options", *(f"test_dataloader.{option}" for option in loader)]
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
    runpy.run_path(str(TOOL), run_name="__main__")
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(each["file_name"], len(each["keypoints"])) for each in results] == [("1.jpg", 48), ("2.jpg", 48)]
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert 0 <= scores["PCKh@0.1"] <= scores["PCKh@0.5"] <= 100
