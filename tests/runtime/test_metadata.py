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
    ],
)
def test_says_what_is_wrong(text, message):
    with pytest.raises(MetadataError, match=message):
        ModelMetadata.from_json(text, source="a.onnx")
