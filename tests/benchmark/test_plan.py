"""Which engines, precisions and threads go together."""

from pathlib import Path

import pytest

from efficientpose.benchmark.plan import ENGINES, Plan
from efficientpose.export.files import INT8_FORMATS


def test_what_does_not_go_together_is_left_out_and_said():
    plan = Plan(variants=["rt"], engines=["onnxruntime", "openvino", "torch"], precisions=["float32", "bf16"])
    assert [(case.engine, case.precision) for case in plan.cases("rt", 2)] == [
        ("onnxruntime", "float32"),
        ("openvino", "float32"),
        ("openvino", "bf16"),
        ("torch", "float32"),
    ]
    assert plan.left_out() == ["onnxruntime does not compute in bf16", "torch does not compute in bf16"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(variants=["v"]), "unknown variant 'v'"),
        (dict(engines=["tvm"]), "unknown engine 'tvm': choose from onnxruntime, openvino, litert, torch, torch-fast"),
        (dict(precisions=["int4"]), "unknown precision 'int4': choose from float32, bf16, float16, int8"),
        (dict(engines=[]), "no engine is named"),
        (dict(rounds=0), "rounds must be 1 or more, got 0"),
        (dict(batch=0), "batch must be 1 or more, got 0"),
        (dict(threads=[2, 0]), "threads must be 1 or more, got 0"),
        (dict(precisions=["bf16"]), "none of onnxruntime computes in bf16"),
        (dict(random_weights=True, official=Path("official")), "random weights find other keypoints"),
        (dict(precisions=["int8"]), "int8 files are made with a calibration folder"),
    ],
    ids=str,
)
def test_bad_plans(settings, message):
    with pytest.raises(ValueError, match=message):
        Plan(**dict(variants=["rt"], engines=["onnxruntime"]) | settings)


def test_int8_files_of_a_folder():
    plan = Plan(variants=["rt"], engines=["onnxruntime"], precisions=["int8"], models=Path("models"))
    assert [case.precision for case in plan.cases("rt", 1)] == ["int8"]


def test_int8_is_measured_where_it_can_be_exported():
    assert {kind.format for kind in ENGINES.values() if "int8" in kind.precisions} == set(INT8_FORMATS)
