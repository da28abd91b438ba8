import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from efficientpose.weights.released import ReleasedFileError, read_released


def write_layer(path, **parts):
    with h5py.File(path, "w") as file:
        for part, array in parts.items():
            file[f"model_weights/layer/layer/{part}:0"] = array
    return path


def test_keras_kernels_come_in_torch_layout(tmp_path):
    dense = np.arange(4 * 5 * 2 * 3, dtype=np.float32).reshape(4, 5, 2, 3)  # (h, w, in, out)
    depthwise = np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3, 1)  # (h, w, channels, 1)
    transposed = dense + 0.5  # (h, w, out, in)
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["model_weights/dense/inner/kernel:0"] = dense
        file["model_weights/dense/inner/bias:0"] = np.arange(3.0)  # float64
        file["model_weights/depthwise/inner/depthwise_kernel:0"] = depthwise
        file["model_weights/upscaled_deconv2/inner/kernel:0"] = transposed
        file["model_weights/no_weights/inner"] = h5py.SoftLink("/nowhere")
    layers = read_released(tmp_path / "some.h5")
    assert set(layers) == {"dense", "depthwise", "upscaled_deconv2"}
    for y, x, i, o in np.ndindex(dense.shape):
        assert layers["dense"]["kernel"][o, i, y, x] == dense[y, x, i, o]
        assert layers["depthwise"]["kernel"][o, 0, y, x] == depthwise[y, x, o, 0]
        assert layers["upscaled_deconv2"]["kernel"][o, i, y, x] == transposed[y, x, i, o]
    np.testing.assert_array_equal(layers["dense"]["bias"], np.float32([0, 1, 2]))
    assert layers["dense"]["bias"].dtype == np.float32


def test_keras_without_the_optimiser_and_the_group(tmp_path):
    """A file of bare weights has the layers at its root; a whole model's may hold more than weights."""
    with h5py.File(tmp_path / "bare.h5", "w") as file:
        file["layer/layer/gamma:0"] = np.ones(2, np.float32)
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file["model_weights/layer/layer/gamma:0"] = np.ones(2, np.float32)
        file["optimizer_weights/SGD/momentum:0"] = np.ones(2, np.float32)
    for name in ("bare.h5", "whole.h5"):
        assert {layer: list(parts) for layer, parts in read_released(tmp_path / name).items()} == {"layer": ["gamma"]}


@pytest.mark.parametrize("variant", ["RT", "I"])
def test_both_kinds_of_a_variant_agree(shared, variant):
    """A TFLite file is the Keras file with batch norm folded in, weight · gamma / sqrt(variance + eps), in float16."""
    keras = read_released(shared / "official" / "keras" / f"EfficientPose{variant}.h5")
    folded = read_released(shared / "official" / "tflite" / f"EfficientPose{variant}.tflite")
    stem, norm = keras["stem_conv_res1"]["kernel"], keras["stem_bn_res1"]
    scale = norm["gamma"] / np.sqrt(norm["variance"] + 1e-3)
    np.testing.assert_allclose(
        folded["stem_conv_res1"]["kernel"], stem * scale[:, None, None, None], rtol=2e-3, atol=1e-6
    )
    np.testing.assert_allclose(
        folded["stem_conv_res1"]["bias"], norm["beta"] - norm["mean"] * scale, rtol=2e-3, atol=1e-5
    )
    for part in ("kernel", "bias"):
        np.testing.assert_allclose(
            folded["pass3_detection2_confs"][part], keras["pass3_detection2_confs"][part], rtol=1e-3, atol=1e-6
        )


def test_wrong_ending_and_no_file(tmp_path):
    with pytest.raises(ReleasedFileError, match=r"weights.pb: released weights end in .h5 or .tflite"):
        read_released(tmp_path / "weights.pb")
    with pytest.raises(FileNotFoundError, match=r"weights.h5: no such file"):
        read_released(tmp_path / "weights.h5")


@pytest.mark.parametrize("content", [b"", b"not a model\n" * 100], ids=["empty", "text"])
@pytest.mark.parametrize(("ending", "message"), [("h5", "not a readable HDF5 file"), ("tflite", "not a TFLite model")])
def test_not_what_the_ending_says(tmp_path, content, ending, message):
    path = tmp_path / f"weights.{ending}"
    path.write_bytes(content)
    with pytest.raises(ReleasedFileError, match=rf"weights.{ending}: {message}"):
        read_released(path)


@pytest.mark.parametrize("kept", [10, 1000, -1])
def test_truncated_keras(tmp_path, rt_file, kept):
    path = tmp_path / "truncated.h5"
    path.write_bytes(rt_file.read_bytes()[:kept])
    with pytest.raises(ReleasedFileError, match=r"truncated.h5: not a readable HDF5 file"):
        read_released(path)


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9])
def test_truncated_tflite(shared, tmp_path, share):
    data = (shared / "official" / "tflite" / "EfficientPoseRT.tflite").read_bytes()
    path = tmp_path / "truncated.tflite"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ReleasedFileError, match=r"truncated.tflite: the TFLite model is damaged"):
        read_released(path)


def test_a_pickle_is_not_executed(tmp_path):
    marker = tmp_path / "executed"

    class Payload:
        def __reduce__(self):
            return (Path.touch, (marker,))

    for name in ("payload.h5", "payload.tflite"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Payload()))
        with pytest.raises(ReleasedFileError, match=name):
            read_released(path)
    assert not marker.exists()
    pickle.loads((tmp_path / "payload.h5").read_bytes())  # would have
    assert marker.exists()


def test_external_links_are_not_followed(tmp_path):
    other = write_layer(tmp_path / "other.h5", kernel=np.ones((1, 1, 1, 1)))
    with h5py.File(tmp_path / "layer.h5", "w") as file:
        file["model_weights/layer/layer/bias:0"] = np.ones(1)
        file["model_weights/other"] = h5py.ExternalLink(str(other), "model_weights/layer")
    assert list(read_released(tmp_path / "layer.h5")) == ["layer"]
    with h5py.File(tmp_path / "root.h5", "w") as file:
        file["model_weights"] = h5py.ExternalLink(str(other), "model_weights")
    with pytest.raises(ReleasedFileError, match=r"root.h5: model_weights must be a group inside this file"):
        read_released(tmp_path / "root.h5")


def test_values_of_other_files_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones(4, np.float32).tobytes())
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("model_weights/layer/layer/bias:0", (4,), "f4", external=[(str(secret), 0, 16)])
    other = write_layer(tmp_path / "other.h5", bias=np.ones(4, np.float32))
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(other), "model_weights/layer/layer/bias:0", shape=(4,))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("model_weights/layer/layer/bias:0", layout)
    for name in ("external.h5", "virtual.h5"):
        with pytest.raises(ReleasedFileError, match=rf"{name}: the values of layer/layer/bias:0 are in another file"):
            read_released(tmp_path / name)


def test_arrays_that_are_no_weights(tmp_path):
    path = write_layer(tmp_path / "part.h5", momentum=np.ones(2))
    with pytest.raises(ReleasedFileError, match=r"part.h5: layer/layer/momentum:0 is not a weight of a Keras layer"):
        read_released(path)
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["model_weights/layer/one/bias:0"] = file["model_weights/layer/two/bias:0"] = np.ones(2)
    with pytest.raises(ReleasedFileError, match=r"layer/two/bias:0 is .* or its layer has two of them"):
        read_released(tmp_path / "two.h5")
    path = write_layer(tmp_path / "text.h5", bias=["one", "two"])
    with pytest.raises(ReleasedFileError, match=r"text.h5: layer/layer/bias:0 is object \(2,\), where floating-point"):
        read_released(path)
    with h5py.File(tmp_path / "huge.h5", "w") as file:  # a few bytes on disk
        file.create_dataset("model_weights/layer/layer/bias:0", (2**40,), "f4", chunks=(2**10,))
    with pytest.raises(ReleasedFileError, match=r"huge.h5: .* of at most 64 MiB"):
        read_released(tmp_path / "huge.h5")


STEM = "efficientnet-lite{}/model/stem/conv2d/Conv2D_0"
STEM_NORM = "efficientnet-lite{}/model/stem/tpu_batch_normalization/FusedBatchNormV3_0"


@pytest.mark.parametrize(("variant", "digit"), [("RT", 0), ("I", 2)])
def test_both_kinds_of_a_lite_variant_agree(shared, variant, digit):
    keras = read_released(shared / "official" / "keras" / f"EfficientPose{variant}_LITE.h5")
    folded = read_released(shared / "official" / "tflite" / f"EfficientPose{variant}_LITE.tflite")
    assert folded.keys() == {layer for layer, parts in keras.items() if "gamma" not in parts}
    stem, norm, folded_stem = keras[STEM.format(digit)], keras[STEM_NORM.format(digit)], folded[STEM.format(digit)]
    scale = norm["gamma"] / np.sqrt(norm["variance"] + 1e-3)
    close = dict(rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(folded_stem["kernel"], stem["kernel"] * scale[:, None, None, None], **close)
    np.testing.assert_allclose(folded_stem["bias"], norm["beta"] - norm["mean"] * scale, **close)
    for layer in ("pass3_detection2_confs", "upscaled_deconv1", "upscaled_deconv2", "upscaled_confs"):
        for part in ("kernel", "bias"):
            np.testing.assert_allclose(folded[layer][part], keras[layer][part], rtol=1e-3, atol=1e-6)


def test_a_layer_s_name_may_have_slashes(tmp_path):
    with h5py.File(tmp_path / "lite.h5", "w") as file:
        for number in (1, 2):
            file[f"model_weights/model/block/conv_{number}/model/block/conv_{number}/bias:0"] = np.full(
                1, number, np.float32
            )
    assert {layer: parts["bias"].tolist() for layer, parts in read_released(tmp_path / "lite.h5").items()} == {
        "model/block/conv_1": [1],
        "model/block/conv_2": [2],
    }
