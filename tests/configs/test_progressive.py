"""The config whose crops grow differs from the plain one in that alone; ``test_runs.py`` trains it."""

import ast

from mmengine.config import Config

from efficientpose.locations import config_path

NAME = "efficientpose_rt_progressive_synthetic.py"


def test_it_differs_from_the_plain_one_in_the_crops_growth_alone():
    config, plain = (Config.fromfile(config_path(each)).to_dict() for each in (NAME, "efficientpose_rt_synthetic.py"))
    growing = config["default_hooks"].pop("input_size")
    assert growing.pop("type") == "ProgressiveResizingHook"
    assert growing["input_sizes"][-1] == plain["input_size"]
    assert config == plain
    assert f"tools/train.py configs/{NAME}" in ast.get_docstring(ast.parse(config_path(NAME).read_text()))
