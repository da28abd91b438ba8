"""``efficientpose benchmark``: how fast each engine is here, and how that compares with the released pipeline."""

import argparse
from pathlib import Path

from efficientpose.commands.console import UsageError, parse_variants, quiet_imports, split_names


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    summary = "measure the speed of engines and variants"
    parser = commands.add_parser("benchmark", help=summary, description=benchmark.__doc__)
    add = parser.add_argument
    several = "several joined by commas"
    add("--model", default="rt", metavar="NAMES", help=f"variants, {several} (default: rt)")
    engines = f"{several}; torch-compile too, which takes minutes to begin (default: %(default)s)"
    add("--engines", default="onnxruntime,openvino,litert,torch,torch-fast", metavar="NAMES", help=engines)
    add("--precision", default="float32", metavar="NAMES", help=f"float32, bf16, float16, int8; {several}")
    add("--threads", default="2", metavar="NUMBERS", help=f"of the network; {several} (default: 2)")
    add("--rounds", type=int, default=30, metavar="N", help="runs of each, in turn (default: 30)")
    add("--batch", type=int, default=1, metavar="N", help="crops at once (default: 1)")
    add("--picture", type=Path, metavar="FILE", help="an image of one person (default: one that comes along)")
    add("--models-dir", type=Path, metavar="DIR", help="exported files (default: export them now)")
    official = "folder with the released .tflite models: measure them and the released pipeline in the same run"
    add("--against-official", type=Path, metavar="DIR", help=official)
    add("--random-weights", action="store_true", help="look for no weights; networks are as fast")
    add("--matrix-peak", action="store_true", help="measure the machine's peak and the networks' share")
    add("--gpu-batches", default="1,8,32,128", metavar="NUMBERS", help="on a GPU (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the numbers as well")
    parser.set_defaults(run=benchmark)


def benchmark(options: argparse.Namespace) -> int:
    """Measure networks alone, and all the way from an image's file to keypoints, everything in turn in one run.

    Times are medians with quartiles; compare ratios, not times of different runs.
    """
    names = parse_variants(options.model)
    threads = _parse_numbers("--threads", options.threads)
    batches = _parse_numbers("--gpu-batches", options.gpu_batches)
    if options.json is not None and not options.json.parent.is_dir():
        raise UsageError(f"{options.json.parent}: no such folder; make it before measuring")
    if options.json is not None and options.json.is_dir():
        raise UsageError(f"--json takes a file to write, and {options.json} is a folder")
    with quiet_imports():
        import efficientpose.plugin  # noqa: F401
        from efficientpose.benchmark.gpu import NO_GPU, measure_gpu
        from efficientpose.benchmark.plan import Plan
        from efficientpose.benchmark.report import print_report
        from efficientpose.benchmark.run import run_benchmark

    plan = Plan(
        variants=names,
        engines=split_names(options.engines),
        precisions=split_names(options.precision),
        threads=threads,
        rounds=options.rounds,
        batch=options.batch,
        official=options.against_official,
        models=options.models_dir,
        random_weights=options.random_weights,
        picture=options.picture,
        matrix_peak=options.matrix_peak,
    )
    import torch
    from rich.console import Console

    report = run_benchmark(plan)
    if torch.cuda.is_available():
        report.gpu_rows = measure_gpu(plan, batches=batches)
        report.machine["gpu"] = torch.cuda.get_device_name()
    else:
        report.notes.append(NO_GPU)
    print_report(report, Console())
    if options.json is not None:
        report.write(options.json)
        print(f"written to {options.json}")
    return 0


def _parse_numbers(option: str, text: str) -> list[int]:
    names = split_names(text)
    if not names or not all(name.isdigit() and int(name) > 0 for name in names):
        raise UsageError(f"{option} takes whole numbers from 1, joined by commas, not {text!r}")
    return [int(name) for name in names]
