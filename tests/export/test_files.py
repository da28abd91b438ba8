"""Every format computes what the model does, says how to use it, and never keeps a name it does not deserve."""

import functools

import numpy as np
import pytest
import torch

from efficientpose.core.shipped_files import starter_checkpoint
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.export import files
from efficientpose.export.check import run_file
from efficientpose.export.deployed import ExportOptions, deploy
from efficientpose.export.files import FORMATS, check_formats, export_files
from efficientpose.export.graph import trace
from efficientpose.models.build import build_network
from efficientpose.runtime.metadata import METADATA_KEY, ModelMetadata
from efficientpose.weights.convert import convert_file

ALL_FORMATS = list(FORMATS)
RELEASED = {
    "rt": "keras/EfficientPoseRT.h5",
    "i": "keras/EfficientPoseI.h5",
    "ii": "tflite/EfficientPoseII.tflite",
    "rt_lite": "keras/EfficientPoseRT_LITE.h5",
    "i_lite": "keras/EfficientPoseI_LITE.h5",
    "ii_lite": "tflite/EfficientPoseII_LITE.tflite",
}


@pytest.fixture(scope="module")
def starter():
    """A trained network: rounding does not decide between two peaks of its maps, as it may between random ones."""
    network = build_network("rt").eval()
    network.load_state_dict(torch.load(starter_checkpoint(), weights_only=True)["state_dict"])
    return network


def needs(kind):
    for package in FORMATS[kind].packages:
        pytest.importorskip(package)


def export(network, crops, folder, kind, name="rt", **options):
    needs(kind)
    (exported,) = export_files(
        network, ExportOptions(**options), formats=[kind], folder=folder, name=name, weights="random", crops=crops
    )
    return exported


EVERYTHING = dict(outputs="full", pafs=True, normalise_inside=True)


@pytest.fixture(scope="module")
def export_rt(rt, rt_crops, tmp_path_factory):
    """Export RT in a format, plain or with everything, once for all tests."""

    @functools.cache
    def export_once(kind, *, everything=False):
        options = EVERYTHING if everything else {}
        return export(rt, rt_crops, tmp_path_factory.mktemp(f"{kind}_{everything}"), kind, **options)

    return export_once


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("everything", [False, True])
def test_parity(export_rt, kind, everything):
    exported = export_rt(kind, everything=everything)
    assert exported.agreement.is_good
    assert exported.agreement.difference <= 1e-4
    assert exported.path.is_file()
    stem = "efficientpose_rt_full" if everything else "efficientpose_rt"
    assert {path.stem for path in exported.path.parent.iterdir()} == {stem}


SLOW = (pytest.param(variant, marks=pytest.mark.slow) for variant in ("i", "ii", "iii", "iv", "i_lite", "ii_lite"))


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("variant", ["rt_lite", *SLOW])
def test_parity_of_other_variants(make_network, crops_for, tmp_path, kind, variant):
    network = make_network(variant)
    exported = export(network, crops_for(network), tmp_path, kind, name=variant)
    print(exported)
    assert exported.agreement.is_good, exported


RELEASED_SLOW = (pytest.param(variant, marks=pytest.mark.slow) for variant in RELEASED if variant != "rt")


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("variant", ["rt", *RELEASED_SLOW])
def test_released_weights_on_real_crops(shared, make_network, tmp_path, variant, kind):
    convert_file(shared / "official" / RELEASED[variant], tmp_path / "released.pth")
    network = make_network(variant)
    network.load_state_dict(torch.load(tmp_path / "released.pth")["state_dict"])
    side = network.head.decoder.input_size[0]
    with np.load(shared / "golden" / "inputs.npz") as inputs:
        crops = np.stack([inputs[name] for name in inputs.files if name.endswith(f"@{side}")])
    assert len(crops) > 1
    agreement = export(network, crops, tmp_path / kind, kind, name=variant).agreement
    print(f"{variant}, {kind}: difference {agreement.difference:.1e}, shift {agreement.shift:.1e} px")
    assert agreement.difference <= 1e-4
    assert agreement.shift <= 0.25
    assert agreement.is_good


@pytest.mark.parametrize("kind", ["onnx", "openvino", "litert"])
def test_half_precision_halves_the_file(starter, rt_crops, tmp_path, kind):
    single = export(starter, rt_crops, tmp_path, kind)
    half = export(starter, rt_crops, tmp_path, kind, precision="float16")
    assert 1e-5 < half.agreement.difference < 1e-2
    assert half.agreement.is_good
    sizes = [(path.with_suffix(".bin") if kind == "openvino" else path).stat().st_size for _, path, _ in (half, single)]
    assert sizes[0] < 0.6 * sizes[1]


def test_metadata(export_rt):
    onnx = pytest.importorskip("onnx")
    properties = {entry.key: entry.value for entry in onnx.load(export_rt("onnx").path).metadata_props}
    metadata = ModelMetadata.from_json(properties[METADATA_KEY], source="file")
    assert (metadata.variant, metadata.weights, metadata.precision) == ("rt", "random", "float32")
    assert metadata.keypoint_names == KEYPOINT_NAMES
    assert (metadata.input_size, metadata.input_layout) == ((224, 224), "nchw")
    assert (metadata.heatmap_stride, metadata.has_pafs, metadata.sigma, metadata.blur_sigma) == (8, False, 0.05, 1.0)
    assert metadata.mean == (123.675, 116.28, 103.53)
    assert metadata.std == (58.395, 57.12, 57.375)


def test_torchscript_metadata(export_rt):
    found = {METADATA_KEY: ""}
    torch.jit.load(str(export_rt("torchscript", everything=True).path), _extra_files=found)
    metadata = ModelMetadata.from_json(found[METADATA_KEY].decode(), source="file")
    assert (metadata.mean, metadata.heatmap_stride, metadata.has_pafs) == (None, 1, True)


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_zero_weights_are_noticed(rt, rt_crops, tmp_path, kind, monkeypatch):
    """An exporter once wrote zeros in place of the weights."""

    def deploy_zeros(network, options):
        deployed = deploy(network, options)
        for parameter in deployed.parameters():
            torch.nn.init.zeros_(parameter)
        return deployed

    monkeypatch.setattr(files, "deploy", deploy_zeros)
    exported = export(rt, rt_crops, tmp_path, kind)
    assert exported.agreement.is_constant
    assert not exported.agreement.is_good
    assert exported.path.name.endswith(".failed")
    assert all(path.name.endswith(".failed") for path in tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["onnx", "litert"])
@pytest.mark.parametrize("fault", ["swapped", "negated"])
def test_a_wrong_stem_is_noticed(rt, rt_crops, tmp_path, kind, fault, break_stem, monkeypatch):
    """A network once agreed whatever its stem was: its maps hardly depended on the crop."""
    monkeypatch.setattr(files, "deploy", lambda network, options: break_stem(deploy(network, options), fault))
    exported = export(rt, rt_crops, tmp_path, kind)
    assert exported.agreement.difference > 0.05
    assert not exported.agreement.is_constant
    assert exported.path.name.endswith(".failed")


@pytest.mark.parametrize("is_off", [lambda size: size == 1, lambda size: size > 1], ids=["one", "several"])
def test_an_engine_that_is_wrong_for_one_person_or_for_several_is_noticed(rt, rt_crops, tmp_path, is_off, monkeypatch):
    def run_wrongly(path, batches, options):
        return [tuple(out + 0.1 * is_off(len(out)) for out in each) for each in run_file(path, batches, options)]

    monkeypatch.setattr(files, "run_file", run_wrongly)
    exported = export(rt, rt_crops, tmp_path, "onnx")
    assert exported.agreement.difference == pytest.approx(0.1, abs=1e-3)
    assert exported.path.name.endswith(".failed")


def test_a_failed_file_leaves_the_good_one(rt, rt_crops, tmp_path, monkeypatch):
    good = export(rt, rt_crops, tmp_path, "onnx").path
    before = good.read_bytes()
    monkeypatch.setattr(files, "encode_crops", lambda network, crops, options: np.ones((2, 3, 224, 224), np.float32))
    assert export(rt, rt_crops, tmp_path, "onnx").path == good.with_name("efficientpose_rt.onnx.failed")
    assert good.read_bytes() == before


def test_a_folder_in_the_place_of_the_file_is_an_error(rt, rt_crops, tmp_path):
    place = tmp_path / "efficientpose_rt.onnx"
    place.mkdir()
    with pytest.raises(IsADirectoryError, match=r"efficientpose_rt\.onnx"):
        export(rt, rt_crops, tmp_path, "onnx")
    assert not list(place.iterdir())


def test_errors(monkeypatch):
    with pytest.raises(ValueError, match="unknown format 'coreml': choose from onnx, openvino, litert, torchscript"):
        check_formats(["onnx", "coreml"], ExportOptions())
    with pytest.raises(ValueError, match="rtmlib reads ONNX"):
        check_formats(["litert"], ExportOptions(layout="rtmlib"))
    with pytest.raises(ValueError, match="TorchScript is exported in float32"):
        check_formats(["torchscript"], ExportOptions(precision="float16"))
    monkeypatch.setattr(files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'litert needs flatbuffers, ai_edge_litert: pip install "efficientpose'):
        check_formats(["litert"], ExportOptions())


def test_operations(rt):
    graph = trace(deploy(rt, ExportOptions()))
    kinds = {operation.kind for operation in graph.operations}
    assert kinds == {"add", "concatenate", "convolution", "global_mean", "multiply", "sigmoid", "silu"}
    assert graph.outputs == ("heatmaps",)
    assert graph.shapes["heatmaps"] == (1, 16, 28, 28)
    known = {"images"}
    for operation in graph.operations:
        assert known.issuperset(operation.inputs)
        known.add(operation.name)
    assert len(known) == len(graph.operations) + 1


def test_onnx_is_clean(export_rt):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(export_rt("onnx").path)
    kinds = {node.op_type for node in model.graph.node}
    assert kinds == {"Add", "Concat", "Conv", "GlobalAveragePool", "Mul", "Sigmoid"}  # no Pad, no normalisation
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    stem = next(node for node in model.graph.node if node.op_type == "Conv")
    assert next(list(attribute.ints) for attribute in stem.attribute if attribute.name == "pads") == [0, 0, 1, 1]
    shapes = {value.name: value.type.tensor_type.shape for value in (*model.graph.input, *model.graph.output)}
    sides = {name: [side.dim_param or side.dim_value for side in shape.dim] for name, shape in shapes.items()}
    assert sides == {"images": ["batch", 3, 224, 224], "heatmaps": ["batch", 16, 28, 28]}
