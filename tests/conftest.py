"""Shared by all tests: MMPose made importable, and the reference material where it is there."""

import os
from pathlib import Path

import pytest
import torch

import efficientpose.plugin  # noqa: F401 - registers the components, and lets MMPose be imported

REPOSITORY = Path(__file__).parents[1]


def pytest_configure() -> None:
    torch.set_num_threads(1)  # most tests run small maps, on which a second thread only waits


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


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
