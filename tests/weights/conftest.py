"""Generated files in the released layout, and a server to download them from."""

import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest
from torch import nn

from efficientpose.models.build import build_network
from efficientpose.weights import catalog, find
from efficientpose.weights.catalog import ReleasedFile
from efficientpose.weights.released import released_layer_names

TAPS = np.array([0.25, 0.75, 0.75, 0.25], np.float32)


def bilinear_upsampler():
    """The three transposed convolutions as the authors released them, in Keras' layout (h, w, out, in)."""
    kernel = np.zeros((4, 4, 16, 16), np.float32)
    kernel[..., range(16), range(16)] = np.outer(TAPS, TAPS)[..., None]
    layers = ("upscaled_deconv1", "upscaled_deconv2", "upscaled_confs")
    return {
        f"{layer}/{part}": array for layer in layers for part, array in (("kernel", kernel), ("bias", np.zeros(16)))
    }


def random_layer(shapes, generator):
    """Numbers that keep a network's activations in range; a variance is positive."""
    arrays = {}
    for name, shape in shapes.items():
        part = name.rpartition("/")[2]
        if part in ("gamma", "moving_variance"):
            array = generator.uniform(0.5, 1.5, shape)
        elif part == "kernel":
            array = generator.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
        else:
            array = generator.normal(size=shape) / 5
        arrays[name] = array.astype(np.float32)
    return arrays


def network_shapes(variant):
    """Every tensor of a released network: "layer/part" → shape in Keras' layout."""
    shapes = {}
    network = build_network(variant)
    names = released_layer_names(network)
    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            layer, (out, width, height, side) = names[path], module.weight.shape
            if module.groups > 1:
                shapes[f"{layer}/depthwise_kernel"] = (height, side, out, 1)
            else:
                shapes[f"{layer}/kernel"] = (height, side, width, out)
            if module.bias is not None:
                shapes[f"{layer}/bias"] = (out,)
        elif isinstance(module, nn.BatchNorm2d):
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                shapes[f"{names[path]}/{part}"] = (module.num_features,)
    return shapes


@pytest.fixture(scope="session")
def rt_arrays():
    """Every tensor of EfficientPose RT, random: "layer/part" → array in Keras' layout."""
    return random_layer(network_shapes("rt"), np.random.default_rng(0)) | bilinear_upsampler()


@pytest.fixture(scope="session")
def rt_lite_arrays():
    """Every tensor of EfficientPose RT Lite as released, without the predictions of the earlier passes."""
    shapes = network_shapes("rt_lite")
    for layer in ("pass1_skeleton_pafs", "pass2_detection1_confs"):
        for part in ("kernel", "bias"):
            del shapes[f"{layer}/{part}"]
    return random_layer(shapes, np.random.default_rng(0)) | bilinear_upsampler()


@pytest.fixture(scope="session")
def make_arrays():
    """The generator of random tensors: shapes by "layer/part", and a seed."""
    return lambda shapes, seed: random_layer(shapes, np.random.default_rng(seed)) | bilinear_upsampler()


@pytest.fixture(scope="session")
def write_keras():
    """Writes "layer/part" → array as Keras lays out a whole model's file."""

    def write(path, arrays):
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                layer, part = name.rsplit("/", 1)
                file[f"model_weights/{layer}/{layer}_1/{part}:0"] = array
        return path

    return write


@pytest.fixture(scope="session")
def rt_file(tmp_path_factory, rt_arrays, write_keras):
    """A whole EfficientPose RT with random weights."""
    return write_keras(tmp_path_factory.mktemp("released") / "EfficientPoseRT.h5", rt_arrays)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and no folder of released files."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EFFICIENTPOSE_CACHE_DIR", str(folder))
    monkeypatch.delenv("EFFICIENTPOSE_WEIGHTS_DIR", raising=False)
    find._temporary_cache.cache_clear()
    monkeypatch.setattr(find, "_RETRIES", 0)  # pooch waits a second before each
    return folder


@pytest.fixture
def set_released(monkeypatch):
    """Says that the authors released these files: (kind, variant, checksum)."""
    return lambda *files: monkeypatch.setattr(catalog, "RELEASED_FILES", [ReleasedFile(*file) for file in files])


@pytest.fixture
def rt_released(rt_file, set_released):
    """Takes the random EfficientPose RT for the released one."""
    set_released(
        ("keras", "rt", hashlib.sha256(rt_file.read_bytes()).hexdigest()),
        ("tflite", "rt", "0" * 64),
        ("keras", "ii", None),
    )
    return rt_file


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.files``; see the fixture for its faults."""

    def do_GET(self):
        server = self.server
        server.requests.append(self.path)
        body = server.files.get(self.path)
        if server.status is not None or body is None:
            self.send_error(server.status or 404)
            return
        server.gate.wait()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        size = server.cuts.pop(0) if server.cuts else len(body)
        with contextlib.suppress(ConnectionError):  # a client that has gone
            self.end_headers()
            self.wfile.write(body[:size])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """A server: ``files`` and ``requests`` by path.

    ``cuts``: bytes after which it hangs up, one an answer; ``status``: what it answers instead; ``gate``: answers wait
    until it is set.
    """
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.files, httpd.requests, httpd.cuts, httpd.status = {}, [], [], None
    httpd.gate = threading.Event()
    httpd.gate.set()
    httpd.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs=dict(poll_interval=0.01))
    thread.start()
    yield httpd
    httpd.gate.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()
