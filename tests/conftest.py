"""Shared by all tests: MMPose made importable, and the reference material where it is there."""

import os
import re
import runpy
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import efficientpose.plugin  # noqa: F401 - registers the components, and lets MMPose be imported
from efficientpose.core.skeleton import FLIP_INDICES, KEYPOINT_NAMES, LIMBS
from efficientpose.runtime.metadata import METADATA_KEY, ModelMetadata

REPOSITORY = Path(__file__).parents[1]


def pytest_configure() -> None:
    torch.set_num_threads(1)  # most tests run small maps, on which a second thread only waits
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background starts deaf to it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """III and IV are II's code, larger: what is tested on every variant of the models is slow with them."""
    is_large = re.compile(r"\[(.*[^a-z0-9])?(iii|iv|b5|b7)([^a-z0-9].*)?\]$").search
    for item in items:
        if item.path.parent.name in ("models", "configs") and is_large(item.name):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture
def run_tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str, str]]:
    """Run a tool, as it is called in ``tools``, in this process; return its exit status and what it printed."""

    def run(tool: str, *arguments: object) -> tuple[int, str, str]:
        path = str(REPOSITORY / "tools" / tool)
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        capsys.readouterr()
        try:
            runpy.run_path(path, run_name="__main__")
            status = 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def shared() -> Path:
    """Released weights, their recorded outputs and photographs; tests that need them skip without."""
    folder = Path(os.environ.get("EFFICIENTPOSE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "golden" / "inputs.npz").is_file():
        pytest.skip(f"no reference material in {folder}: set EFFICIENTPOSE_SHARED to where it is")
    return folder


@pytest.fixture(scope="session")
def checkpoints(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The released RT, I and II as checkpoints of ours."""
    from efficientpose.weights.convert import convert_file

    folder = tmp_path_factory.mktemp("checkpoints")
    sources = {"rt": "keras/EfficientPoseRT.h5", "i": "keras/EfficientPoseI.h5", "ii": "tflite/EfficientPoseII.tflite"}
    for variant, source in sources.items():
        convert_file(shared / "official" / source, folder / f"{variant}.pth")
    return {variant: folder / f"{variant}.pth" for variant in sources}


@pytest.fixture(scope="session")
def untrained_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RT with random weights, for what needs no pose."""
    from efficientpose.models.build import build_network
    from efficientpose.weights.checkpoint import make_checkpoint, save_checkpoint

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("untrained") / "rt.pth"
    save_checkpoint(make_checkpoint(build_network("rt").state_dict(), variant="rt", source="random"), path)
    return path


TINY_SIDE = 64
MakeModel = Callable[..., Path]
MakeVideo = Callable[..., Path]


@pytest.fixture
def metadata() -> ModelMetadata:
    """Of a network that reads 64 x 64 pixels as they are."""
    return ModelMetadata(
        variant="rt",
        version="1.2.3",
        keypoint_names=KEYPOINT_NAMES,
        limbs=tuple((limb.proximal, limb.distal) for limb in LIMBS),
        flip_indices=tuple(FLIP_INDICES),
        input_size=(TINY_SIDE, TINY_SIDE),
        input_layout="nchw",
        mean=None,
        std=None,
        heatmap_stride=8,
        has_pafs=False,
        sigma=0.05,
        blur_sigma=1.0,
        precision="float32",
        weights="made by hand",
    )


@pytest.fixture
def make_model(tmp_path: Path, metadata: ModelMetadata) -> MakeModel:
    """Write an ``.onnx`` file whose even heatmaps are the mean red, and odd ones the mean blue, of 8 x 8 pixels.

    Keywords change the metadata; ``sides`` and ``batch`` are those of the graph's input, ``text`` stands in for the
    metadata.
    """
    onnx = pytest.importorskip("onnx")

    def make(
        name: str = "tiny.onnx", *, sides=(TINY_SIDE, TINY_SIDE), batch="batch", stride=8, text=None, **changes
    ) -> Path:
        weights = np.zeros((len(KEYPOINT_NAMES), 3, stride, stride), np.float32)
        weights[0::2, 0] = weights[1::2, 2] = 1 / (stride * stride * 255)
        float32 = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Conv", ["images", "weights"], ["heatmaps"], strides=[stride, stride])],
            "tiny",
            [onnx.helper.make_tensor_value_info("images", float32, [batch, 3, *sides])],
            [onnx.helper.make_tensor_value_info("heatmaps", float32, [batch, len(weights), None, None])],
            [onnx.numpy_helper.from_array(weights, "weights")],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        entry = replace(metadata, **changes).to_json() if text is None else text
        if entry:
            onnx.helper.set_model_props(model, {METADATA_KEY: entry})
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return make


def numbered_frame(number: int, *, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """Grey, with the number as eight black or white bars; it outlives compression."""
    frame = np.full((size[1], size[0], 3), 128, np.uint8)
    for bit in range(8):
        frame[8:40, 8 + 10 * bit : 16 + 10 * bit] = 255 * (number >> bit & 1)
    return frame


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Write a video of numbered frames with OpenCV."""

    def make(name: str = "clip.mp4", *, num_frames: int = 30, rate: float = 25.0, fourcc: str = "mp4v") -> Path:
        writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*fourcc), rate, (96, 64))
        assert writer.isOpened()
        for number in range(num_frames):
            writer.write(numbered_frame(number))
        writer.release()
        return tmp_path / name

    return make
