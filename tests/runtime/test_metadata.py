"""What an exported model says of itself."""

import json

import pytest

from efficientpose.runtime.metadata import MetadataError, ModelMetadata

METADATA = ModelMetadata(
    variant="rt",
    version="1.2.3",
    keypoint_names=("left", "right"),
    limbs=((0, 1),),
    flip_indices=(1, 0),
    input_size=(224, 224),
    input_layout="nchw",
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    heatmap_stride=8,
    has_pafs=True,
    sigma=0.05,
    blur_sigma=1.0,
    precision="float32",
    weights="released",
)


def changed(**entries):
    return json.dumps({**json.loads(METADATA.to_json()), **entries})


def test_round_trip():
    assert ModelMetadata.from_json(METADATA.to_json(), source="a.onnx") == METADATA


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"a\.onnx: this model file does not say how to use it; export it .* \(without --layout rtmlib\)"),
        ("{", r"a\.onnx: its entry 'efficientpose' is no JSON"),
        ("[]", "is not of format 1"),
        (changed(format=2), "is not of format 1"),
        (changed(colour="red"), "missing or unknown: colour"),
        (changed(limbs=[[0, 2]]), "does not hang together"),
        (changed(mean=None), "does not hang together"),
        (changed(input_layout="chwn"), "does not hang together"),
        (changed(flip_indices=[0]), "does not hang together"),
        (changed(flip_indices=[1.0, 0.0]), "does not hang together"),
        (changed(limbs=[[0, 1, 1]]), "does not hang together"),
        (changed(limbs=[1]), "does not hang together"),
        (changed(keypoint_names=2), "does not hang together"),
        (changed(variant=None), "variant is None, and must be a text"),
        (changed(version=3), r"a\.onnx: its entry 'efficientpose' is unusable: version is 3, and must be a text"),
        (changed(weights=["mine"]), r"weights is \('mine',\), and must be a text"),
        (changed(precision=None), "precision is None, and must be one of float32, float16, int8"),
        (changed(precision="float64"), "precision is 'float64', and must be one of float32, float16, int8"),
        (changed(sigma="x"), "sigma is 'x', and must be a fraction of the input above 0, at most 0.5"),
        (changed(sigma=True), "sigma is True, and must be a fraction"),
        (changed(sigma=0), "sigma is 0, and must be a fraction"),
        (changed(sigma=float("nan")), "sigma is nan, and must be a fraction"),
        (changed(sigma=13), "sigma is 13, and must be a fraction"),
        (changed(input_size=["a", "b"]), "does not hang together"),
        (changed(input_size=[0, 224]), "does not hang together"),
        (changed(mean=[0], std=[1]), "does not hang together"),
        (changed(mean="abc", std="abc"), "does not hang together"),
        (changed(std=[1, 0, 1]), "does not hang together"),
        (changed(has_pafs="yes"), "does not hang together"),
        (changed(blur_sigma="1"), "blur_sigma is '1', and must be pixels, 0 to 16"),
        (changed(blur_sigma=-1), "blur_sigma is -1, and must be pixels, 0 to 16"),
        (changed(blur_sigma=50), "blur_sigma is 50, and must be pixels, 0 to 16"),
    ],
)
def test_says_what_is_wrong(text, message):
    with pytest.raises(MetadataError, match=message):
        ModelMetadata.from_json(text, source="a.onnx")


@pytest.mark.parametrize(
    "entries", [dict(sigma=0.5, blur_sigma=16), dict(sigma=0.01, blur_sigma=0), dict(precision="int8")]
)
def test_what_lies_on_a_limit_is_read(entries):
    metadata = ModelMetadata.from_json(changed(**entries), source="a.onnx")
    assert all(getattr(metadata, name) == value for name, value in entries.items())
