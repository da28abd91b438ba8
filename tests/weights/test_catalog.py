import hashlib
import re

import pytest

from efficientpose.core.variants import VARIANTS
from efficientpose.weights.catalog import MODELS_URL, RELEASED_FILES, released_file, released_files


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_has_a_keras_file_first_where_one_is_known(variant):
    files = released_files(variant)
    assert files[0].kind == ("tflite" if variant == "ii_lite" else "keras")
    assert released_file(variant) is files[0]
    assert len({file.kind for file in files}) == len(files)


def test_names_and_paths():
    file = released_file("IV")
    assert (file.variant, file.name, file.path) == ("iv", "EfficientPoseIV.h5", "keras/EfficientPoseIV.h5")
    assert released_file("ii", kind="tflite").path == "tflite/EfficientPoseII.tflite"
    assert released_file("i_lite", kind="tflite").path == "tflite/EfficientPoseI_LITE.tflite"
    assert MODELS_URL.endswith("/")


def test_checksums_are_known_but_of_three_files():
    unknown = [file.name for file in RELEASED_FILES if file.sha256 is None]
    assert unknown == ["EfficientPoseII.h5", "EfficientPoseIII.h5", "EfficientPoseIV.h5"]
    known = [file.sha256 for file in RELEASED_FILES if file.sha256 is not None]
    assert len(set(known)) == len(known)
    assert all(re.fullmatch(r"[0-9a-f]{64}", sha256) for sha256 in known)


@pytest.mark.parametrize("file", [file for file in RELEASED_FILES if file.sha256], ids=lambda file: file.name)
def test_checksums_are_those_of_the_released_files(shared, file):
    assert hashlib.sha256((shared / "official" / file.path).read_bytes()).hexdigest() == file.sha256


def test_errors():
    with pytest.raises(
        ValueError, match="unknown variant 'v': choose one of rt, i, ii, iii, iv, rt_lite, i_lite, ii_lite"
    ):
        released_files("v")
    with pytest.raises(ValueError, match="no tflite file of EfficientPose III is known: choose keras"):
        released_file("iii", kind="tflite")
    with pytest.raises(ValueError, match="no keras file of EfficientPose II Lite is known: choose tflite"):
        released_file("ii_lite", kind="keras")
