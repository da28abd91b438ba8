"""PyTorch's and MMEngine's tools see through every unmodified MMPose model."""

import io

import onnxruntime
import pytest
import torch
from mmengine.analysis import get_model_complexity_info

from efficientpose.core.variants import VARIANTS
from efficientpose.models.build import build_network

SMALL = (1, 3, 64, 64)


LARGE = ("ii", "iii", "iv", "ii_lite")


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in VARIANTS], scope="module"
)
def network(request):
    torch.manual_seed(0)
    network = build_network(request.param).eval()
    network.forward = network._forward  # as MMPose's get_flops.py does: without data samples
    return network


def test_traced_network_equals_the_network(network):
    images = torch.rand(SMALL)
    with torch.inference_mode():
        traced = torch.jit.trace(network, images, check_trace=False)
        expected, found = network(images), traced(images)
    torch.testing.assert_close(found[0], expected.pafs)
    torch.testing.assert_close(found[2], expected.full_heatmaps)


def test_network_is_counted_by_mmengine(network):
    counted = get_model_complexity_info(network, SMALL[1:], show_table=False, show_arch=False)
    assert counted["flops"] > 1e6
    assert counted["params"] == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
def test_onnx_file_of_the_trace_and_torch_export_equal_the_network(network):
    images, file = torch.rand(SMALL), io.BytesIO()
    with torch.inference_mode():
        expected = network(images).full_heatmaps
        exported = torch.export.export(network, (images,)).module()(images)
        torch.onnx.export(network, (images,), file, dynamo=False)
    torch.testing.assert_close(exported.full_heatmaps, expected)
    session = onnxruntime.InferenceSession(file.getvalue())
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    torch.testing.assert_close(torch.from_numpy(found[-1]), expected, atol=1e-4, rtol=1e-3)
