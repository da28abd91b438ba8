"""The tools around training, started as from the command line, in this process."""

import json
import re

import cv2
import pytest
from mmengine.config import Config

from efficientpose.core.shipped_files import config_path

TOY = """
import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS


@DATASETS.register_module(force=True)
class ToyData(torch.utils.data.Dataset):
    def __len__(self):
        return 80

    def __getitem__(self, index):
        return dict(inputs=torch.zeros(1))


@MODELS.register_module(force=True)
class ToyQuadratic(BaseModel):
    def __init__(self):
        super().__init__()
        self.position = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, inputs, mode="loss"):
        return dict(loss=2 * (self.position**2).sum())
"""

TOY_CONFIG = '''"""Gradient descent on 4 x² / 2, which diverges above a rate of 2 / 4."""

custom_imports = dict(imports=["toy_quadratic"], allow_failed_imports=False)
default_scope = "mmengine"
model = dict(type="ToyQuadratic")
train_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type="DefaultSampler"), dataset=dict(type="ToyData")
)
train_cfg = dict(by_epoch=True, max_epochs=10)
optim_wrapper = dict(optimizer=dict(type="SGD", lr=7.0))
'''


def test_schedules_of_the_recipe_are_drawn(run_tool, tmp_path):
    path = config_path("efficientpose_rt_mpii.py")
    config, out = Config.fromfile(path), tmp_path / "schedules.png"
    max_rate = config.optim_wrapper.optimizer.lr
    code, printed, _ = run_tool("analysis/plot_schedules.py", path, "--epoch-length", 4, "--out", out)
    assert code == 0
    first, highest = re.search(r"λ: first (\S+), highest (\S+) \(epoch 1\.50\)", printed).groups()
    assert float(highest) == pytest.approx(max_rate, rel=1e-3)
    assert float(first) == pytest.approx(max_rate / 3000, rel=1e-3)
    assert "800 steps, 4 an epoch" in printed
    sigma_end, _, last_epoch = re.findall(r"sigma (\S+): epochs (\d+) to (\d+)", printed)[-1]
    assert (float(sigma_end), last_epoch) == (config.default_hooks.sigma.sigma_end, "200")
    assert min(cv2.imread(str(out)).shape[:2]) >= 600


def test_another_schedule_is_drawn_without_the_paper_s_marks(run_tool, tmp_path):
    config, out = tmp_path / "stepwise.py", tmp_path / "s.svg"
    config.write_text(
        f'_base_ = ["{config_path("efficientpose_rt_mpii.py")}"]\n'
        'param_scheduler = [dict(type="StepLR", step_size=1, gamma=0.5)]\n'
        "train_cfg = dict(max_epochs=3)\n"
    )
    options = ["optim_wrapper.optimizer.lr=0.8", "train_dataloader.batch_size=5000"]
    code, printed, _ = run_tool("analysis/plot_schedules.py", config, "--out", out, "--cfg-options", *options)
    assert code == 0
    assert "22,246 people in batches of 5000: MPII's common split" in printed
    assert "λ: first 0.8, highest 0.8 (epoch 0.00), last 0.2; 15 steps, 5 an epoch" in printed
    assert out.read_text().startswith("<?xml")


def test_the_recipe_s_lines_for_adam_and_a_cosine_are_drawn(run_tool, tmp_path):
    text = config_path("_base_/schedule.py").read_text()
    lines = re.findall(r"^    ((?:optim_wrapper|param_scheduler) = .*_?(?:AdamW|Cosine).*)$", text, flags=re.MULTILINE)
    assert len(lines) == 2
    config = tmp_path / "adam.py"
    config.write_text("\n".join([f'_base_ = ["{config_path("efficientpose_rt_mpii.py")}"]', *lines, ""]))
    assert Config.fromfile(config).optim_wrapper.optimizer == dict(type="AdamW", lr=1e-3, weight_decay=1e-4)
    arguments = (config, "--out", tmp_path / "s.svg", "--cfg-options", "train_dataloader.batch_size=5000")
    code, printed, _ = run_tool("analysis/plot_schedules.py", *arguments)
    assert code == 0
    assert "λ: first 0.001, highest 0.001 (epoch 0.00), last " in printed


def test_a_picture_of_no_known_kind_is_refused(run_tool, tmp_path):
    config, out = config_path("efficientpose_rt_mpii.py"), tmp_path / "s.xyz"
    code, _, errors = run_tool("analysis/plot_schedules.py", config, "--epoch-length", 1, "--out", out)
    assert code == 1
    assert errors.endswith(f"try {tmp_path / 's.png'}\n")


def test_curves_of_two_runs_are_drawn(run_tool, tmp_path):
    for name, losses in (("a", [3.0, 2.0]), ("b", [2.5, 1.25])):
        folder = tmp_path / name / "20260101_000000" / "vis_data"
        folder.mkdir(parents=True)
        records = [dict(loss=loss, epoch=step, iter=step, step=step) for step, loss in enumerate(losses, start=1)]
        (folder / "scalars.json").write_text("\n".join(map(json.dumps, records)))
    runs, out = (tmp_path / "a", tmp_path / "b"), tmp_path / "curves.png"
    code, printed, _ = run_tool("analysis/plot_curves.py", *runs, "--keys", "loss", "--out", out)
    assert code == 0
    assert printed == f"loss, a: 2 at epoch 2\nloss, b: 1.25 at epoch 2\ndrawn in {out}\n"
    assert cv2.imread(str(out)) is not None
    assert run_tool("analysis/plot_curves.py", *runs, "--keys", "los") == (
        1,
        "",
        "error: 'los' was not logged; there are loss\n",
    )
    code, _, errors = run_tool("analysis/plot_curves.py", tmp_path / "c")
    assert (code, errors[:22]) == (1, f"error: {tmp_path / 'c'}: no logs"[:22])


def test_the_range_test_prints_the_line_for_the_config(run_tool, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy_quadratic.py").write_text(TOY)
    config = tmp_path / "toy.py"
    config.write_text(TOY_CONFIG)
    ramp = ("--lowest", 0.01, "--highest", 100, "--steps", 150)
    code, printed, errors = run_tool("lr_range_test.py", config, *ramp, "--confirm", "--out", tmp_path / "range.png")
    assert (code, errors) == (0, "")
    max_rate = float(re.search(r"optim_wrapper = dict\(optimizer=dict\(lr=(\S+)\)\)", printed)[1])
    assert 0.5 / 1.0638**4 - 0.01 < max_rate < 0.5 * 1.0638**4
    assert f"first cycle up to {max_rate}: does not diverge" in printed
    assert "and diverged at" in printed
    assert config.read_text() == TOY_CONFIG
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"toy_quadratic.py", "toy.py", "range.png"}

    code, _, errors = run_tool("lr_range_test.py", config, "--lowest", 1e-6, "--highest", 1e-5, "--steps", 30)
    assert (code, "raise the highest rate" in errors) == (1, True)
    assert not (tmp_path / "lr_range.png").exists()


@pytest.mark.slow
def test_the_benchmark_runs(run_tool, tmp_path):
    out = tmp_path / "bench.json"
    code, printed, _ = run_tool("bench_train.py", "--quick", "--out", out)
    assert code == 0
    (row,) = json.loads(out.read_text())
    assert (row["variant"], row["input_size"]) == ("rt", [224, 224])
    assert row["pipeline"]["ratio"] == pytest.approx(row["pipeline"]["device"] / row["pipeline"]["loader"])
    assert row["step"]["batch_size"] == 8
    assert f"{row['step']['ratio']:.2f}" in printed
    assert 0 < row["worker_memory"]["device"] < row["worker_memory"]["loader"] * 2


def test_an_ablation_that_there_is_not_is_told_before_the_first_training(run_tool, tmp_path):
    config = config_path("efficientpose_rt_synthetic.py")
    arguments = (config, "--epochs", 1, "--changes", "no_low_level", "--out", tmp_path / "out")
    status, out, error = run_tool("analysis/ablations.py", *arguments)
    assert (status, out) == (1, "")
    assert error.strip() == "error: the paper has no ablation no_low_level of EfficientPose RT"
    assert not (tmp_path / "out").exists()
