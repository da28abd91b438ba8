"""The config for short budgets differs from the plain one in what its docstring says; ``test_runs.py`` trains it."""

import ast

from mmengine.config import Config

from efficientpose.core.shipped_files import config_path

NAME = "efficientpose_rt_progressive_synthetic.py"


def test_it_differs_from_the_plain_one_in_crops_sigma_and_rotation_alone():
    config, plain = (Config.fromfile(config_path(each)).to_dict() for each in (NAME, "efficientpose_rt_synthetic.py"))
    growing = config["default_hooks"].pop("input_size")
    assert growing.pop("type") == "ProgressiveResizingHook"
    assert growing["input_sizes"][-1] == plain["input_size"]
    assert config["default_hooks"].pop("sigma") == plain["default_hooks"].pop("sigma") | dict(
        sigma_start=0.10, num_levels=2
    )
    for each, rotate_prob in ((config, 0.5), (plain, 1.0)):
        steps = each["train_dataloader"]["dataset"]["pipeline"]
        (rotation,) = (step for step in steps if step["type"] == "RandomBBoxTransform")
        assert rotation.pop("rotate_prob") == rotate_prob
    for name in ("rotated_half", "transforms", "train_transforms"):  # names for parts of the config
        config.pop(name, None), plain.pop(name, None)
    assert config == plain
    assert f"tools/train.py configs/{NAME}" in ast.get_docstring(ast.parse(config_path(NAME).read_text()))
