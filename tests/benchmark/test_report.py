"""The table and the JSON, from numbers made by hand."""

import json
from io import StringIO

import pytest
from rich.console import Console

from efficientpose.benchmark.plan import Case
from efficientpose.benchmark.report import GpuRow, Report, Row, print_report
from efficientpose.benchmark.timing import Spread, Timing


def timing(median):
    return Timing(wall=Spread(median, median - 1, median + 1), cpu=Spread(2 * median, 2 * median - 1, 2 * median + 1))


@pytest.fixture
def report():
    row = Row(
        case=Case(variant="rt", engine="openvino", precision="float32", threads=2),
        network=timing(6.0),
        end_to_end=timing(12.0),
        network_ratio=0.75,
        end_to_end_ratio=0.125,
        network_cpu_ratio=0.5,
        end_to_end_cpu_ratio=0.25,
        flops=7e8,
        share_of_peak=0.31,
        share_of_peak_cpu=0.42,
        crop_shift=0.0,
        picture_shift=1.5,
        picture_shift_median=0.5,
    )
    gpu = GpuRow(variant="rt", way="compile", precision="bf16", batch=8, network=timing(4.0), crops_per_second=2000.0)
    return Report(
        machine={"processor": "Abacus 9000", "cores": 2, "instructions": ["avx2"]},
        settings={"rounds": 3, "batch": 1, "picture": "me.jpg", "picture_size": [640, 480]},
        baseline="released TFLite model and pipeline",
        rows=[row],
        gpu_rows=[gpu],
        peak={2: {"matrix product": 250.4}},
        notes=["rt: weights random"],
    )


def test_json(report, tmp_path):
    report.write(tmp_path / "numbers.json")
    document = json.loads((tmp_path / "numbers.json").read_text())
    assert set(document) == {"format", "machine", "settings", "baseline", "rows", "gpu", "peak_gflops", "notes"}
    (row,) = document["rows"]
    assert row == {
        "variant": "rt",
        "engine": "openvino",
        "precision": "float32",
        "threads": 2,
        "network_ms": {"median": 6.0, "lower": 5.0, "upper": 7.0},
        "network_cpu_ms": {"median": 12.0, "lower": 11.0, "upper": 13.0},
        "end_to_end_ms": {"median": 12.0, "lower": 11.0, "upper": 13.0},
        "end_to_end_cpu_ms": {"median": 24.0, "lower": 23.0, "upper": 25.0},
        "network_ratio": 0.75,
        "end_to_end_ratio": 0.125,
        "network_cpu_ratio": 0.5,
        "end_to_end_cpu_ratio": 0.25,
        "flops": 7e8,
        "share_of_peak": 0.31,
        "share_of_peak_cpu": 0.42,
        "crop_shift": 0.0,
        "picture_shift": 1.5,
        "picture_shift_median": 0.5,
    }
    assert document["gpu"][0]["crops_per_second"] == 2000.0
    assert document["peak_gflops"] == {"2": {"matrix product": 250.4}}


def test_table(report):
    text = StringIO()
    print_report(report, Console(file=text, width=200))
    lines = text.getvalue().splitlines()
    (line,) = [line for line in lines if line.lstrip().startswith("rt") and "openvino" in line and "0.75" in line]
    # 0.125 of the time is 8 times as fast
    assert " ".join(line.split()) == "rt openvino float32 2 6 (5-7) 0.75 0.50 12 (11-13) 0.12 0.25 8.0 0.00 31% 42%"
    (gpu,) = [line for line in lines if "compile" in line]
    assert " ".join(gpu.split()) == "rt compile bf16 8 4 (3-5) 2000"
    footer = " ".join(text.getvalue().split())
    assert "rt: in the image itself keypoints are 0.50 (median) to 1.50 (largest) input px" in footer
    assert "matrix product 250" in footer
    assert "rt: weights random." in footer
