"""Measure a network on a GPU: ways to run it, precisions, and how throughput grows with the batch."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from efficientpose.benchmark.contenders import run_network
from efficientpose.benchmark.networks import encode_for_torch, load_model
from efficientpose.benchmark.plan import Plan
from efficientpose.benchmark.report import GpuRow
from efficientpose.benchmark.timing import time_in_turn
from efficientpose.core.variants import get_variant
from efficientpose.inference.fast import prepare_for_inference
from efficientpose.inference.sample_crops import find_crops

NO_GPU: Final = "GPU: skipped, PyTorch finds no CUDA device"
WAYS: Final = ("torch", "eager", "compile", "cuda_graphs")
PRECISIONS: Final = ("float32", "bf16", "float16")


def measure_gpu(
    plan: Plan,
    *,
    batches: Sequence[int],
    ways: Sequence[str] = WAYS,
    precisions: Sequence[str] = PRECISIONS,
    device: str = "cuda",
) -> list[GpuRow]:
    """Measure a plan's variants: "torch" is the MMPose model in float32; the other ways are prepared, channels last."""
    rows = []
    for name in plan.variants:
        variant = get_variant(name)
        model = load_model(variant, plan).model.to(device)
        crop = find_crops(variant.input_size).pixels[0]
        models = {("torch", "float32"): model} if "torch" in ways else {}
        for way in ways:
            for precision in precisions if way != "torch" else ():
                models[way, precision] = prepare_for_inference(model, execution=way, precision=precision)  # type: ignore[arg-type]
        for batch in batches:
            images = encode_for_torch(model, [crop] * batch)
            runs = {key: _make_run(each, images) for key, each in models.items()}
            for (way, precision), timing in time_in_turn(runs, rounds=plan.rounds, warm_up=3).items():
                case: dict[str, Any] = dict(variant=name, way=way, precision=precision, batch=batch)
                rows.append(GpuRow(**case, network=timing, crops_per_second=1000 * batch / timing.wall.median))
    return rows


def _make_run(model: Any, images: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        run_network(model, images)
        if images.is_cuda:
            torch.cuda.synchronize()

    return run
