"""A folder of a finished training is read for the same training alone."""

import pytest
from ablation_runs import claim_folder


def test_a_folder_is_claimed_once_and_for_one_run(tmp_path):
    folder = tmp_path / "runs" / "first"
    claim_folder(folder, "three epochs")
    (folder / "epoch_1.pth").touch()
    claim_folder(folder, "three epochs")
    with pytest.raises(ValueError, match=r"first holds a run of other settings, which run\.txt there tells: remove it"):
        claim_folder(folder, "four epochs")
    assert (folder / "run.txt").read_text() == "three epochs"


def test_a_folder_that_does_not_say_of_which_run_it_is_is_refused(tmp_path):
    (tmp_path / "epoch_1.pth").touch()
    with pytest.raises(ValueError, match=r"holds files and no run\.txt"):
        claim_folder(tmp_path, "three epochs")
