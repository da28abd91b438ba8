"""Measure what a plan says."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import torch

from efficientpose.benchmark.cases import ENGINES, RELEASED, Case, Plan
from efficientpose.benchmark.contenders import Contender, Material, load_file, load_released, load_torch
from efficientpose.benchmark.machine import describe_machine
from efficientpose.benchmark.matrix_peak import Product, Rate, find_rate, make_products
from efficientpose.benchmark.networks import LoadedModel, count_flops, export_for_engines, find_model_file, load_model
from efficientpose.benchmark.pictures import find_picture
from efficientpose.benchmark.released_pipeline import ReleasedPipeline, check_packages, find_released_model
from efficientpose.benchmark.results import Report
from efficientpose.benchmark.rows import Key, find_shifts, make_rows
from efficientpose.benchmark.timing import Timing, time_in_turn
from efficientpose.core.images import read_image
from efficientpose.core.variants import Variant, get_variant
from efficientpose.inference.sample_crops import find_crops


def run_benchmark(plan: Plan) -> Report:
    """Measure variant by variant, and number of threads by number of threads; what shares both takes turns.

    Raises:
        ValueError: If something cannot be measured as asked.
        FileNotFoundError: If a file is missing.
    """
    if plan.official is not None:
        check_packages()
        for variant in plan.variants:
            find_released_model(plan.official, get_variant(variant))
    with tempfile.TemporaryDirectory() as folder:
        picture = find_picture(Path(folder)) if plan.picture is None else plan.picture
        height, width = read_image(picture).shape[:2]
        report = Report(
            machine=describe_machine(),
            settings={
                "rounds": plan.rounds,
                "batch": plan.batch,
                "picture": picture.name,
                "picture_size": [width, height],
            },
            baseline="released TFLite model and pipeline" if plan.official else "each variant's first row",
            notes=plan.left_out(),
        )
        for name in plan.variants:
            _measure_variant(get_variant(name), plan, picture=picture, folder=Path(folder), report=report)
    return report


def _measure_variant(variant: Variant, plan: Plan, *, picture: Path, folder: Path, report: Report) -> None:
    loaded = load_model(variant, plan)
    report.notes.append(f"{variant.name}: weights {loaded.weights}")
    if loaded.weights == "random":
        report.notes.append(f"{variant.name}: random maps take longer to decode than trained ones")
    crops = find_crops(variant.input_size)
    needs_files = plan.models is None and any(ENGINES[engine].format for engine in plan.engines)
    exported = (
        export_for_engines(loaded, variant, engines=plan.engines, crops=crops, folder=folder) if needs_files else {}
    )
    material = Material(picture=picture, crop=crops.pixels[0], batch=plan.batch)
    flops = count_flops(loaded.model)
    products = make_products() if plan.matrix_peak else {}
    picture_size = report.settings["picture_size"]
    for threads in plan.threads:
        with _threads(threads):
            contenders = _load(variant, plan, loaded, material, threads=threads, exported=exported)
            timings = _time(contenders, products, rounds=plan.rounds)
            rates = {name: find_rate(timings[name, "peak"], flops=each.flops) for name, each in products.items()}
            report.rows += make_rows(
                contenders,
                timings,
                variant=variant,
                flops=flops,
                batch=plan.batch,
                peak=_find_highest(rates),
                shifts=find_shifts(contenders, crops, side=variant.resolution, picture_size=picture_size),
            )
        if rates:
            known = report.peak.setdefault(threads, {})
            known |= {product: max(rate.wall, known.get(product, 0.0)) for product, rate in rates.items()}


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let PyTorch and OpenCV use so many threads."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(number)
    cv2.setNumThreads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def _load(
    variant: Variant,
    plan: Plan,
    loaded: LoadedModel,
    material: Material,
    *,
    threads: int,
    exported: dict[str, Path],
) -> dict[Case, Contender]:
    """Load what takes turns; the baseline comes first."""
    contenders: dict[Case, Contender] = {}
    if plan.official is not None:
        pipeline = ReleasedPipeline(find_released_model(plan.official, variant), variant, threads=threads)
        case = Case(variant=variant.name, engine=RELEASED, precision="float32", threads=threads)
        contenders[case] = load_released(pipeline, material)
    for case in plan.cases(variant.name, threads):
        if ENGINES[case.engine].format is None:
            contenders[case] = load_torch(case, loaded.model, material)
        else:
            file = find_model_file(variant.name, case.engine, case.precision, plan=plan, exported=exported)
            contenders[case] = load_file(case, file, material)
    return contenders


def _time(contenders: dict[Case, Contender], products: Mapping[str, Product], *, rounds: int) -> dict[Key, Timing]:
    ways: dict[Key, Callable[[], object]] = {}
    for case, contender in contenders.items():
        ways[case, "network"] = contender.network
        ways[case, "end_to_end"] = contender.end_to_end
    ways |= {(name, "peak"): product.run for name, product in products.items()}
    return time_in_turn(ways, rounds=rounds)


def _find_highest(rates: dict[str, Rate]) -> Rate | None:
    if not rates:
        return None
    return Rate(*(max(each) for each in zip(*rates.values(), strict=True)))
