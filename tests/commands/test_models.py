"""``efficientpose models``."""

import json

import pytest

from efficientpose.cli import main
from efficientpose.core.variants import OPENPOSE, VARIANTS, Variant


@pytest.mark.parametrize("variant", [*VARIANTS.values(), OPENPOSE], ids=[*VARIANTS, "openpose"])
def test_table_and_json_show_the_counts(capsys: pytest.CaptureFixture, variant: Variant) -> None:
    assert main(["models", "--json"]) == 0
    document = {each["name"]: each for each in json.loads(capsys.readouterr().out)}[variant.name]
    assert document["input_size"] == [variant.resolution, variant.resolution]
    assert document["parameters"] == variant.deployed_parameters
    assert document["flops"] == variant.deployed_flops
    figures = {source: document[f"{source}_pckh50"] for source in ("paper", "repository")}
    known, unknown = ("repository", "paper") if variant.is_lite else ("paper", "repository")
    assert figures == {known: variant.reported.pckh50, unknown: None}
    assert document[f"{known}_parameters"] == variant.reported.parameters
    assert document[f"{unknown}_flops"] is None
    assert main(["models"]) == 0
    assert f"{variant.deployed_parameters:,}" in capsys.readouterr().out
