"""Every config of another skeleton says what it should, and trains and tests on a tiny data set in COCO's format."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.apis import init_model
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.datasets.transforms import GetBBoxCenterScale

from efficientpose.core.shipped_files import config_path, mpii_config_path
from efficientpose.core.skeleton import MPII_SKELETON
from efficientpose.core.variants import VARIANTS
from efficientpose.custom_skeletons.description import make_skeleton
from efficientpose.custom_skeletons.pretrained import match_keypoints, match_limbs
from efficientpose.datasets.transforms import PersonCenterScale
from efficientpose.models.trained_skeleton import trained_skeleton

SKELETONS = {"coco": 17, "halpe26": 26}
ANNOTATED = {"coco": 17, "halpe26": 136}
CONFIGS = [(variant, name) for variant in ("rt", "i") for name in SKELETONS]
NUM_PEOPLE = 2
SIZE = (120, 90)
SMALL = (48, 48)


def write_people(root, *, num_keypoints):
    """Two people on noise in COCO's format; one keypoint of each is not labelled."""
    (root / "images").mkdir()
    rng = np.random.default_rng(0)
    content = dict(images=[], annotations=[], categories=[dict(id=1, name="person")], info={}, licenses=[])
    for number in range(1, NUM_PEOPLE + 1):
        cv2.imwrite(str(root / "images" / f"{number}.jpg"), rng.integers(0, 256, (*SIZE[::-1], 3), np.uint8))
        content["images"].append(dict(id=number, file_name=f"{number}.jpg", width=SIZE[0], height=SIZE[1]))
        points = np.column_stack((rng.uniform((20, 10), (100, 80), (num_keypoints, 2)), np.full(num_keypoints, 2)))
        points[number] = 0
        content["annotations"].append(
            dict(
                id=number,
                image_id=number,
                category_id=1,
                bbox=[20, 10, 80, 70],
                area=5600,
                iscrowd=0,
                num_keypoints=num_keypoints - 1,
                keypoints=points.round(1).ravel().tolist(),
            )
        )
    (root / "people.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """For each skeleton a folder with people.json and images/."""
    folders = {}
    for name, num_keypoints in ANNOTATED.items():
        folders[name] = tmp_path_factory.mktemp(name)
        write_people(folders[name], num_keypoints=num_keypoints)
    return folders


def make_runner(path, root, work_dir):
    """A config on tiny data for one epoch, without pretrained weights."""
    config = Config.fromfile(path)
    config.work_dir = str(work_dir)
    config.experiment_name = config.visualizer.name = work_dir.name
    config.train_cfg.update(max_epochs=1, val_interval=1)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=NUM_PEOPLE, num_workers=0, persistent_workers=False)
        for dataset in loader.dataset.get("datasets", [loader.dataset]):
            dataset.update(data_root=f"{root}/", ann_file="people.json", data_prefix=dict(img="images/"))
        for step in loader.dataset.pipeline:
            if step.type.endswith("Affine"):
                step.input_size = SMALL
    for metric in (*config.val_evaluator, *config.test_evaluator):
        metric.ann_file = str(root / "people.json")
    config.model.head.decoder.input_size = SMALL
    config.model.init_cfg = None
    config.default_hooks.checkpoint = None
    return Runner.from_cfg(config)


@pytest.mark.filterwarnings("ignore:The metainfo config file")
@pytest.mark.parametrize(("variant", "name"), CONFIGS)
def test_config_trains_and_tests_at_a_small_size(variant, name, data, tmp_path, monkeypatch):
    monkeypatch.setattr(Config, "pretty_text", property(lambda config: ""))  # YAPF takes a minute for Halpe's
    runner = make_runner(config_path(f"efficientpose_{variant}_{name}.py"), data[name], tmp_path)
    parameters = dict(runner.model.named_parameters())
    gradients = {}
    for key, parameter in parameters.items():
        parameter.register_post_accumulate_grad_hook(
            lambda p, key=key: gradients.update({key: (p.grad.isfinite().all().item(), p.grad.any().item())})
        )
    runner.train()
    assert [key for key in parameters if gradients.get(key) != (True, True)] == []
    scores = runner.test()
    assert 0 <= scores["coco/AP"] <= scores["coco/AP .5"] <= 1
    assert list((tmp_path).rglob("people_1.png"))


@pytest.mark.parametrize(("variant", "name"), CONFIGS)
def test_network_is_the_variant_s_but_for_the_skeleton(variant, name):
    config = Config.fromfile(config_path(f"efficientpose_{variant}_{name}.py"))
    model, full = config.model.to_dict(), Config.fromfile(mpii_config_path(variant)).model.to_dict()
    init_cfg = model.pop("init_cfg")
    for branch in ("high", "low"):
        full["backbone"].pop(f"{branch}_pretrained", None)  # all of a backbone's weights are the released ones
    assert (init_cfg["type"], init_cfg["checkpoint"]) == ("PretrainedKeypoints", f"efficientpose://{variant}")
    assert len(init_cfg["keypoint_names"]) == model["head"].pop("num_keypoints") == SKELETONS[name]
    assert len(model["head"]["decoder"].pop("limbs")) == model["head"].pop("num_limbs") == SKELETONS[name] - 1
    assert model == full
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert [step.input_size for step in loader.dataset.pipeline if step.type.endswith("Affine")] == [
            VARIANTS[variant].input_size
        ]
    text = config_path(f"efficientpose_{variant}_{name}.py").read_text()
    assert f"python tools/train.py configs/efficientpose_{variant}_{name}.py" in text
    assert "no score was measured" in text


@pytest.mark.filterwarnings("ignore:The metainfo config file")
@pytest.mark.parametrize(("name", "num_keypoints_kept", "num_limbs_kept"), [("coco", 12, 8), ("halpe26", 15, 11)])
def test_skeleton_is_a_tree_the_same_on_both_sides_and_as_mmpose_has_it(name, num_keypoints_kept, num_limbs_kept):
    config = Config.fromfile(config_path(f"efficientpose_rt_{name}.py"))
    skeleton = make_skeleton(config.keypoint_names, [tuple(limb) for limb in config.limbs])
    assert [tuple(limb) for limb in config.model.head.decoder.limbs] == list(skeleton.limbs)
    root = {"coco": "nose", "halpe26": "neck"}[name]
    others = [number for number in range(SKELETONS[name]) if skeleton.keypoint_names[number] != root]
    assert [limb.distal for limb in skeleton.limbs] == others
    info = parse_pose_metainfo(dict(from_file=f"configs/_base_/datasets/{name}.py"))
    assert tuple(info["keypoint_id2name"].values()) == skeleton.keypoint_names
    assert tuple(info["flip_indices"]) == skeleton.flip_indices
    kept = match_keypoints(skeleton.keypoint_names, MPII_SKELETON.keypoint_names)
    assert len(kept) == num_keypoints_kept
    assert len(match_limbs(skeleton.named_limbs, MPII_SKELETON.named_limbs, kept)) == num_limbs_kept
    model = init_model(str(config_path(f"efficientpose_rt_{name}.py")), device="cpu")
    assert trained_skeleton(model) == skeleton


def test_boxes_are_enlarged_as_mmpose_does_for_coco():
    results = dict(bbox=np.array([[20.0, 10.0, 100.0, 80.0]], np.float32), img_shape=(90, 120))
    own = PersonCenterScale().transform(dict(results))
    expected = GetBBoxCenterScale().transform(dict(results))
    np.testing.assert_array_equal(own["bbox_center"], [[60, 45]])
    for key in ("bbox_center", "bbox_scale"):
        np.testing.assert_array_equal(own[key], expected[key])
