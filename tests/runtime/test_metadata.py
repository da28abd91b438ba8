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
        (None, r"a\.onnx: this model file does not say how to use it; export it"),
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
        (changed(variant=None), "does not hang together"),
        (changed(input_size=["a", "b"]), "does not hang together"),
        (changed(input_size=[0, 224]), "does not hang together"),
        (changed(mean=[0], std=[1]), "does not hang together"),
        (changed(mean="abc", std="abc"), "does not hang together"),
        (changed(std=[1, 0, 1]), "does not hang together"),
        (changed(has_pafs="yes"), "does not hang together"),
        (changed(blur_sigma="1"), "does not hang together"),
        (changed(blur_sigma=-1), "does not hang together"),
    ],
)
def test_says_what_is_wrong(text, message):
    with pytest.raises(MetadataError, match=message):
        ModelMetadata.from_json(text, source="a.onnx")
