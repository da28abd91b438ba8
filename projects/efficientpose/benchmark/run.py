"""Measure a plan, and compare what takes turns."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from efficientpose.benchmark.contenders import Contender, Material, find_image, load_file, load_released, load_torch
from efficientpose.benchmark.networks import LoadedModel, count_flops, export_for_engines, find_model_file, load_model
from efficientpose.benchmark.plan import ENGINES, RELEASED, Case, Plan
from efficientpose.benchmark.released_pipeline import ReleasedPipeline, check_packages, find_released_model
from efficientpose.benchmark.report import Report, Row, describe_machine
from efficientpose.benchmark.timing import Timing, time_in_turn
from efficientpose.core.images import read_image
from efficientpose.core.variants import Variant, get_variant
from efficientpose.inference.sample_crops import Crops, find_crops

MATRIX_SIDE: Final = 1024
CHANNELS: Final = 256
CELLS: Final = 32

Key = tuple[Case | str, str]  # takes turns: a case and "network" or "end_to_end", or a matrix product and "peak"


def run_benchmark(plan: Plan) -> Report:
    """Measure variant by variant, and number of threads by number of threads; what shares both takes turns.

    Raises:
        ValueError: If something cannot be measured as asked; a ``FileNotFoundError`` if a file is missing.
    """
    if plan.official is not None:
        check_packages()
        for variant in plan.variants:
            find_released_model(plan.official, get_variant(variant))
    with tempfile.TemporaryDirectory() as folder:
        image = find_image(Path(folder)) if plan.picture is None else plan.picture
        height, width = read_image(image).shape[:2]
        settings = {"rounds": plan.rounds, "batch": plan.batch, "picture": image.name, "picture_size": [width, height]}
        baseline = "released TFLite model and pipeline" if plan.official else "each variant's first row"
        report = Report(machine=describe_machine(), settings=settings, baseline=baseline, notes=plan.left_out())
        for name in plan.variants:
            _measure_variant(get_variant(name), plan, image=image, folder=Path(folder), report=report)
    return report


def _measure_variant(variant: Variant, plan: Plan, *, image: Path, folder: Path, report: Report) -> None:
    loaded = load_model(variant, plan)
    report.notes.append(f"{variant.name}: weights {loaded.weights}")
    if loaded.weights == "random":
        report.notes.append(f"{variant.name}: random heatmaps take longer to decode than trained ones")
    crops = find_crops(variant.input_size)
    exported = {}
    if plan.models is None and any(ENGINES[engine].format for engine in plan.engines):
        exported = export_for_engines(loaded, variant, engines=plan.engines, crops=crops, folder=folder)
    material = Material(image=image, crop=crops.pixels[0], batch=plan.batch)
    flops = count_flops(loaded.model)
    products = make_products() if plan.matrix_peak else {}
    for threads in plan.threads:
        with _threads(threads):
            contenders = _load(variant, plan, loaded, material, threads=threads, exported=exported)
            timings = time_in_turn(_ways(contenders, products), rounds=plan.rounds)
            shifts = find_shifts(contenders, crops, side=variant.resolution, image_size=report.settings["picture_size"])
        rates = {name: find_rate(timings[name, "peak"], flops=each.flops) for name, each in products.items()}
        peak = Rate(*(max(each) for each in zip(*rates.values(), strict=True))) if rates else None
        settings: dict[str, Any] = dict(variant=variant, flops=flops, batch=plan.batch, peak=peak)
        report.rows += make_rows(contenders, timings, shifts=shifts, **settings)
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
    variant: Variant, plan: Plan, loaded: LoadedModel, material: Material, *, threads: int, exported: dict[str, Path]
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


def _ways(contenders: Mapping[Case, Contender], products: Mapping[str, "Product"]) -> dict[Key, Callable[[], object]]:
    ways: dict[Key, Callable[[], object]] = {}
    for case, contender in contenders.items():
        ways[case, "network"] = contender.network
        ways[case, "end_to_end"] = contender.end_to_end
    return ways | {(name, "peak"): product.run for name, product in products.items()}


class Product(NamedTuple):
    """A computation that only multiplies and adds, float32; a multiply-add is two FLOPs."""

    run: Callable[[], torch.Tensor]
    flops: int


class Rate(NamedTuple):
    """Billion FLOPs a second, by the median: of time that passed, and of processor time."""

    wall: float
    cpu: float


def make_products() -> dict[str, Product]:
    """Return a product of square matrices and a dense convolution; the higher rate is the machine's peak.

    Their libraries use a processor differently: the product's leaves half of AVX-512 unused on some.
    """
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(MATRIX_SIDE, MATRIX_SIDE, generator=generator) for _ in range(2))
    features = torch.randn(1, CHANNELS, CELLS + 2, CELLS + 2, generator=generator)
    kernel = torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator)
    features, kernel = (each.contiguous(memory_format=torch.channels_last) for each in (features, kernel))
    inference = torch.inference_mode()
    return {
        "matrix product": Product(inference(lambda: one @ other), 2 * MATRIX_SIDE**3),
        "3x3 convolution": Product(inference(lambda: F.conv2d(features, kernel)), 2 * 9 * CHANNELS**2 * CELLS**2),
    }


def find_rate(timing: Timing, *, flops: float) -> Rate:
    """Return the rate of a computation of so many FLOPs."""
    return Rate(wall=flops / timing.wall.median / 1e6, cpu=flops / timing.cpu.median / 1e6)


class Shifts(NamedTuple):
    """Distances of keypoints to the baseline's, input pixels: the largest on crops, largest and median in the image."""

    crops: float
    image: float
    image_median: float


def find_shifts(
    contenders: Mapping[Case, Contender], crops: Crops, *, side: int, image_size: tuple[int, int]
) -> dict[Case, Shifts]:
    """Return how far each contender's keypoints are from the first one's; ``side`` is that of the network's input."""
    found = {
        case: (np.stack([each.find_in_crop(crop) for crop in crops.pixels]), each.find_in_image())
        for case, each in contenders.items()
    }
    (base_in_crops, base_in_image), *_ = found.values()
    scale = side / max(image_size)
    shifts = {}
    for case, (in_crops, in_image) in found.items():
        in_crop = np.linalg.norm(in_crops - base_in_crops, axis=-1).max()
        distances = scale * np.linalg.norm(in_image - base_in_image, axis=-1)
        shifts[case] = Shifts(float(in_crop), float(distances.max()), float(np.median(distances)))
    return shifts


def make_rows(
    contenders: Mapping[Case, Contender],
    timings: Mapping[Key, Timing],
    *,
    variant: Variant,
    flops: float,
    batch: int,
    peak: Rate | None,
    shifts: Mapping[Case, Shifts],
) -> list[Row]:
    """Compare cases of one variant and number of threads; the first one is the baseline.

    ``flops`` are those of our network for one crop; the released one, which upsamples, has its own.
    """
    baseline, *_ = contenders
    base_network, base_end_to_end = timings[baseline, "network"], timings[baseline, "end_to_end"]
    rows = []
    for case in contenders:
        network, end_to_end = timings[case, "network"], timings[case, "end_to_end"]
        own_flops = variant.deployed_flops if case.engine == RELEASED else flops
        rate = find_rate(network, flops=own_flops * batch)
        rows.append(
            Row(
                case=case,
                network=network,
                end_to_end=end_to_end,
                network_ratio=network.wall.median / base_network.wall.median,
                end_to_end_ratio=end_to_end.wall.median / base_end_to_end.wall.median,
                network_cpu_ratio=network.cpu.median / base_network.cpu.median,
                end_to_end_cpu_ratio=end_to_end.cpu.median / base_end_to_end.cpu.median,
                flops=own_flops,
                share_of_peak=None if peak is None else rate.wall / peak.wall,
                share_of_peak_cpu=None if peak is None else rate.cpu / peak.cpu,
                crop_shift=shifts[case].crops,
                picture_shift=shifts[case].image,
                picture_shift_median=shifts[case].image_median,
            )
        )
    return rows
