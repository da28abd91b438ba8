"""TensorRT builds an engine from our ONNX by the README's command, and finds the same keypoints with it."""

import json
import re
import shlex
import shutil
import subprocess

import numpy as np
import pytest
import torch

from efficientpose.export.check import compare, encode_crops, run_model
from efficientpose.export.deployed import ExportOptions
from efficientpose.export.files import export_files


def read_command(repository, replacements):
    """Return the README's command in words, its files replaced."""
    (command,) = re.findall(r"`(trtexec [^`]+)`", (repository / "README.md").read_text())
    for file, ours in replacements.items():
        assert file in command
        command = command.replace(file, str(ours))
    return shlex.split(command)


def test_the_readme_has_the_command_once_and_for_the_size_of_i(repository, tmp_path):
    command = read_command(repository, {"models/efficientpose_i.onnx": tmp_path / "ours.onnx"})
    assert command[:2] == ["trtexec", f"--onnx={tmp_path / 'ours.onnx'}"]
    shapes = dict(word.lstrip("-").split("=images:") for word in command if "Shapes=" in word)
    assert shapes == {"minShapes": "1x3x256x256", "optShapes": "8x3x256x256", "maxShapes": "32x3x256x256"}


@pytest.mark.gpu
@pytest.mark.parametrize("num_crops", [1, 3])
def test_engine_of_the_readme_gives_the_same_maps(repository, shared, checkpoints, make_network, tmp_path, num_crops):
    """TensorRT computes in TF32 if it is not told otherwise: ten bits, as float16, so its limits hold."""
    pytest.importorskip("onnxruntime")
    if shutil.which("trtexec") is None:
        pytest.skip("trtexec is not on the PATH: it comes with TensorRT")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    network = make_network("i")
    network.load_state_dict(torch.load(checkpoints["i"])["state_dict"])
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        crops = np.stack([inputs[name] for name in inputs.files if name.endswith("@256")][:num_crops])
    (exported,) = export_files(
        network, ExportOptions(), formats=["onnx"], folder=tmp_path, name="i", weights="released", crops=crops
    )
    images = encode_crops(network, crops, ExportOptions())
    images.tofile(tmp_path / "images.bin")
    engine, outputs = tmp_path / "i.engine", tmp_path / "outputs.json"
    files = {"models/efficientpose_i.onnx": exported.path, "efficientpose_i.engine": engine}
    subprocess.run(read_command(repository, files), check=True)
    run = ["trtexec", f"--loadEngine={engine}", f"--shapes=images:{num_crops}x3x256x256"]
    run += [f"--loadInputs=images:{tmp_path / 'images.bin'}", f"--exportOutput={outputs}", "--iterations=1"]
    subprocess.run(run, check=True)
    (found,) = json.loads(outputs.read_text())
    heatmaps = np.array(found["values"], np.float32).reshape(num_crops, 16, 32, 32)
    half = ExportOptions(precision="float16")
    agreement = compare(
        run_model(network, crops, ExportOptions()), [(heatmaps,)], decoder=network.head.decoder, options=half
    )
    assert agreement.is_good, agreement
