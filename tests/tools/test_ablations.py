"""Configs, work folders, resumption and table of the ablations; the runs themselves are MMEngine's."""

import ablations
import pytest
import torch
from ablations import CHANGES, claim_folder, make_config, render_table, run_once
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from efficientpose.core.shipped_files import config_path
from efficientpose.evaluation.pckh import Score


@pytest.fixture
def base():
    return Config.fromfile(config_path("efficientpose_i_synthetic.py"))


@pytest.mark.parametrize("change", CHANGES)
def test_the_network_is_the_ablation_s_and_everything_else_the_config_s(base, change):
    config = make_config(base, change, num_epochs=3, seed=7)
    ablation = Config.fromfile(config_path(f"ablations/efficientpose_i_{change}_mpii.py"))
    starts = [config.model.backbone.pop(f"{branch}_pretrained") for branch in ("high", "low")]
    assert starts == [base.model.backbone.pop(f"{branch}_pretrained") for branch in ("high", "low")] == [None, None]
    for branch in ("high", "low"):
        del ablation.model.backbone[f"{branch}_pretrained"]
    assert config.model == ablation.model != base.model
    assert config.train_dataloader == base.train_dataloader
    assert config.val_dataloader.dataset.data_root == "data/synthetic_mpii/"
    assert config.optim_wrapper == base.optim_wrapper
    assert config.param_scheduler == base.param_scheduler
    assert (config.train_cfg.max_epochs, config.train_cfg.val_interval, config.randomness.seed) == (3, 3, 7)
    assert base.train_cfg.max_epochs != 3  # not changed


def test_full_is_the_config_itself(base):
    assert make_config(base, "full", num_epochs=3, seed=0).model == base.model


@pytest.mark.parametrize("change", ["full", "no_paf", "no_upscaling", "one_pass", "three_passes"])
def test_all_can_start_from_one_backbone(change, tmp_path):
    rt = Config.fromfile(config_path("efficientpose_rt_synthetic.py"))
    init_default_scope("mmpose")
    trained = MODELS.build(rt.model)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.fill_(0.25)
    path = tmp_path / "trained.pth"
    torch.save({"state_dict": trained.state_dict()}, path)
    model = MODELS.build(make_config(rt, change, num_epochs=3, seed=0, backbone=path).model)
    model.init_weights()
    assert all((parameter == 0.25).all() for parameter in model.backbone.parameters())
    assert not any((parameter == 0.25).all() for parameter in model.head.parameters())


def test_what_cannot_be_run(base, tmp_path):
    with pytest.raises(ValueError, match=r"absent\.pth: no such checkpoint to take the backbone from"):
        make_config(base, "full", num_epochs=3, seed=0, backbone=tmp_path / "absent.pth")
    with pytest.raises(ValueError, match="unknown change 'no_head': choose one of full, no_upscaling"):
        make_config(base, "no_head", num_epochs=3, seed=0)
    with pytest.raises(ValueError, match="at least 1 epoch, got 0"):
        make_config(base, "full", num_epochs=0, seed=0)
    rt = Config.fromfile(config_path("efficientpose_rt_synthetic.py"))
    with pytest.raises(ValueError, match="no ablation no_low_level of EfficientPose RT"):
        make_config(rt, "no_low_level", num_epochs=3, seed=0)


def test_a_finished_run_is_not_run_again(base, tmp_path, monkeypatch):
    scores = {f"{measure}{end}": 50.0 for measure in ablations.MEASURES for end in ("", "_low", "_high")}
    seen = []
    monkeypatch.setattr(ablations, "_train", lambda config: seen.append(config) or scores)
    config = make_config(base, "full", num_epochs=3, seed=0)
    work_dir = tmp_path / "run"
    first, second = (run_once(config, work_dir) for _ in range(2))
    assert first == second == dict.fromkeys(ablations.MEASURES, Score(50.0, 50.0, 50.0))
    assert len(seen) == 1
    assert seen[0].work_dir == str(work_dir)
    assert seen[0].resume
    other = make_config(base, "full", num_epochs=3, seed=0)
    other.optim_wrapper.optimizer.lr = 0.05
    with pytest.raises(ValueError, match=r"run holds a run of other settings, see its run\.txt: remove it"):
        run_once(other, work_dir)
    assert len(seen) == 1


def test_table_has_means_intervals_seeds_and_differences():
    def run(value):
        return dict.fromkeys(ablations.MEASURES, Score(value, value - 2, value + 4))

    table = render_table({"full": [run(50.0), run(53.0)], "no_paf": [run(48.0), run(50.0)]})
    assert "51.5 [49.5, 55.5] (50.0, 53.0); +0.0" in table
    assert "49.0 [47.0, 53.0] (48.0, 50.0); -2.5" in table


def test_a_folder_is_claimed_once_and_for_one_run(tmp_path):
    folder = tmp_path / "runs" / "first"
    claim_folder(folder, "three epochs")
    (folder / "epoch_1.pth").touch()
    claim_folder(folder, "three epochs")
    with pytest.raises(ValueError, match=r"first holds a run of other settings, see its run\.txt: remove it"):
        claim_folder(folder, "four epochs")
    assert (folder / "run.txt").read_text() == "three epochs"


def test_a_folder_that_does_not_say_of_which_run_it_is_is_refused(tmp_path):
    (tmp_path / "epoch_1.pth").touch()
    with pytest.raises(ValueError, match=r"holds files and no run\.txt"):
        claim_folder(tmp_path, "three epochs")
