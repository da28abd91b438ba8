"""The tools that measure finding and following several people, started as from the command line, in this process."""

import pytest


def test_switches_are_counted(run_tool):
    status, printed, _ = run_tool("analysis/track_switches.py", "--clips", 1, "--people", 3, "--seconds", 6)
    assert status == 0
    assert printed.startswith("3 people, changes of number a minute: nearest box ")
    assert ", tracking " in printed


def test_bad_numbers_of_clips(run_tool):
    assert run_tool("analysis/track_switches.py", "--clips", 0)[::2] == (1, "error: clips must be 1 or more, got 0\n")
    status, _, error = run_tool("analysis/track_switches.py", "--people", 0)
    assert (status, error.startswith("error: a clip needs people")) == (1, True)


@pytest.mark.slow
def test_scenes_are_scored(run_tool, checkpoints):
    arguments = ("--variant", "rt", "--weights", checkpoints["rt"], "--people", 2)
    status, printed, _ = run_tool("analysis/people_scenes.py", *arguments, "--scenes", 1, "--size", 160)
    assert status == 0
    first, second, third = printed.splitlines()
    assert first.startswith("synthetic, 2 people, one pass: people precision ")
    assert second.startswith("synthetic, 2 people, search: people precision ")
    assert third.startswith("synthetic, 2 people, crops: people precision ")
    status, printed, _ = run_tool("analysis/people_scenes.py", *arguments, "--timing", "--rounds", 1)
    assert status == 0
    assert printed.startswith("2 people: network of one pass ")


def test_no_weights(run_tool, tmp_path):
    status, _, error = run_tool("analysis/people_scenes.py", "--weights", tmp_path / "none.pth")
    assert status == 1
    assert error.startswith("error: ")
    assert "none.pth: no such checkpoint" in error
