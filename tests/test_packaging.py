"""The wheel: what is in it, that a source distribution builds the same one, and that mim can use it."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PathDistribution
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmpose.apis import init_model
from packaging.requirements import Requirement
from scipy.io import savemat

import efficientpose
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.variants import VARIANTS
from efficientpose.weights.catalog import MODELS_URL, released_file

REPOSITORY = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
OFFLINE = ["--no-deps", "--no-index", "--no-build-isolation"]
MIM_FOLDER = "efficientpose/.mim/"


def run(command, *, cwd, **environment):
    """Run a command and return what it printed; fail with that if it fails."""
    variables = os.environ | {"no_proxy": "127.0.0.1"} | environment
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def copy_sources(target):
    """Copy what a wheel is built from, without what building or running leaves in the checkout."""
    for name in ("checkpoints", "configs", "projects", "requirements", "tools"):
        shutil.copytree(REPOSITORY / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", "model-index.yml"):
        shutil.copy(REPOSITORY / name, target)


def build_wheel(source, target):
    run([*PIP, "wheel", *OFFLINE, "--wheel-dir", target, "."], cwd=source)
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    target = tmp_path_factory.mktemp("sources") / "checkout"
    copy_sources(target)
    return target


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory):
    return build_wheel(sources, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def installed(wheel, tmp_path):
    """A folder with the wheel installed, to be put on PYTHONPATH."""
    target = tmp_path / "site"
    run([*PIP, "install", "--no-deps", "--no-index", "--target", target, wheel], cwd=tmp_path)
    return target


def files_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(("folder", "num_least"), [("checkpoints", 1), ("configs", 2), ("tools", 2)])
def test_wheel_carries_checkpoint_configs_and_tools(folder, num_least, sources, wheel):
    packed = files_in(wheel)
    paths = [path for path in (sources / folder).rglob("*") if path.suffix in {".pth", ".py", ".yml"}]
    assert len(paths) >= num_least
    for path in paths:
        assert packed[MIM_FOLDER + path.relative_to(sources).as_posix()] == path.read_bytes()
    assert packed[f"{MIM_FOLDER}model-index.yml"] == (sources / "model-index.yml").read_bytes()


def test_wheel_carries_the_packages_and_nothing_else(sources, wheel):
    packed = set(files_in(wheel))
    own = {path.relative_to(sources / "projects").as_posix() for path in (sources / "projects").rglob("*.py")}
    assert own <= packed
    packages = {path.parent.name for path in (sources / "projects").glob("*/__init__.py")}
    assert packages == {"efficientpose", "synthetic_people", "dataset_checker"}
    assert {name.split("/")[0] for name in packed} == packages | {
        f"efficientpose-{efficientpose.__version__}.dist-info",
    }
    assert not [name for name in packed if "__pycache__" in name or name.endswith((".sh", ".so"))]
    assert wheel.name == f"efficientpose-{efficientpose.__version__}-py3-none-any.whl"


def test_source_distribution_builds_the_same_wheel(sources, wheel, tmp_path):
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    run([sys.executable, "-c", build, tmp_path], cwd=sources)
    (archive,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path)
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    rebuilt, original = files_in(build_wheel(unpacked, tmp_path / "wheel")), files_in(wheel)
    assert rebuilt.keys() == original.keys()
    assert [name for name in original if original[name] != rebuilt[name] and not name.endswith("/RECORD")] == []


def test_what_is_needed_without_extras_is_light(installed):
    (metadata,) = installed.glob("*.dist-info")
    distribution = PathDistribution(metadata)
    requirements = [Requirement(text) for text in distribution.requires]
    for extra, more in (("", set()), ("runtime", {"onnxruntime", "rich"})):
        needed = {item.name for item in requirements if item.marker is None or item.marker.evaluate({"extra": extra})}
        assert needed == {"numpy", "opencv-python-headless", "av"} | more
    assert {"mmpose", "export", "mim", "test", "dev"} <= set(distribution.metadata.get_all("Provides-Extra"))
    (script,) = distribution.entry_points
    assert (script.group, script.name, script.value) == ("console_scripts", "efficientpose", "efficientpose.cli:main")


def test_pinned_requirements_name_one_version_each_and_cover_the_others():
    folder = REPOSITORY / "requirements"

    def read(name):
        lines = (line.split("#")[0].strip() for line in (folder / f"{name}.txt").read_text().splitlines())
        return [Requirement(line) for line in lines if line]

    def key(requirement):
        return re.sub(r"[-_.]+", "-", requirement.name).lower()

    pinned = {key(requirement): requirement for requirement in read("pinned") + read("pinned-dev")}
    assert len(pinned) == len(read("pinned") + read("pinned-dev"))
    assert all(re.fullmatch(r"==[\w.]+", str(requirement.specifier)) for requirement in pinned.values())
    for name in ("runtime", "mmpose", "mminstall", "mim", "test", "dev"):
        for requirement in read(name):
            version = str(pinned[key(requirement)].specifier).removeprefix("==")
            assert requirement.specifier.contains(version), f"{name}.txt: {requirement} is pinned to {version}"


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_metafile_gives_the_figures_of_the_authors_and_the_released_file(variant):
    models = yaml.safe_load((REPOSITORY / "configs" / "metafile.yml").read_text())["Models"]
    (model,) = (model for model in models if model["Name"] == f"efficientpose_{variant.name}_mpii")
    assert (REPOSITORY / model["Config"]) == mpii_config_path(variant.name)
    assert model["Weights"] == MODELS_URL + released_file(variant.name).path
    assert model["Metadata"]["Parameters"] == variant.reported.parameters
    assert model["Metadata"]["FLOPs"] == variant.reported.flops
    assert model["Results"][0]["Metrics"] == {"PCKh@50": variant.reported.pckh50, "PCKh@10": variant.reported.pckh10}
    assert ("paper" if variant.paper else "repository") in model["Results"][0]["Dataset"]
    assert len(models) == len(VARIANTS)


def mim(*arguments, site, cwd):
    """Run mim where ``site`` comes before the environment's packages; its cache goes to ``cwd``."""
    return run([sys.executable, "-m", "mim", *arguments], cwd=cwd, PYTHONPATH=str(site), HOME=str(cwd))


@pytest.fixture
def file_server(tmp_path):
    """A server of files on this machine: its folder and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.slow
def test_mim_downloads_weights_and_config(installed, file_server, tmp_path):
    folder, address = file_server
    content = np.random.default_rng(0).bytes(5000)
    (folder / "EfficientPoseRT.h5").write_bytes(content)
    metafile = installed / MIM_FOLDER / "configs" / "metafile.yml"
    metafile.write_text(metafile.read_text().replace(f"{MODELS_URL}keras/", address))
    mim("download", "efficientpose", "--config", "efficientpose_rt_mpii", "--dest", "out", site=installed, cwd=tmp_path)
    assert (tmp_path / "out" / "EfficientPoseRT.h5").read_bytes() == content
    dumped = Config.fromfile(tmp_path / "out" / "efficientpose_rt_mpii.py")
    assert dumped.to_dict() == Config.fromfile(mpii_config_path("rt")).to_dict()


def write_mpii(root):
    """A data set in MPII's layout: two people in pictures of noise."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    people = []
    for name in ("1.jpg", "2.jpg"):
        cv2.imwrite(str(root / "images" / name), rng.integers(0, 256, (90, 120, 3), np.uint8))
        joints = rng.uniform(10, 80, (16, 2)).tolist()
        people.append({"image": name, "joints": joints, "joints_vis": [1] * 16, "center": [60.0, 45.0], "scale": 0.4})
    (root / "annotations" / "mpii_val.json").write_text(json.dumps(people))
    corners = np.stack([np.full((2, 2), 30.0), np.full((2, 2), 60.0)])
    savemat(root / "annotations" / "mpii_gt_val.mat", {"headboxes_src": corners})


@pytest.mark.slow
def test_mim_tests_a_checkpoint(installed, tmp_path):
    """``mim test`` finds config and tool in the installed wheel, and the tool runs to its scores."""
    write_mpii(tmp_path / "data" / "mpii")
    model = init_model(str(mpii_config_path("rt")), device="cpu")
    torch.save({"state_dict": model.state_dict(), "meta": {}}, tmp_path / "rt.pth")
    loader = ["num_workers=0", "persistent_workers=False", "batch_size=2"]
    printed = mim(
        *("test", "efficientpose", "efficientpose_rt_mpii.py", "--checkpoint", "rt.pth", "--cfg-options"),
        *(f"test_dataloader.{option}" for option in loader),
        site=installed,
        cwd=tmp_path,
    )
    assert f"{installed / MIM_FOLDER}/tools/test.py" in printed
    assert re.search(r"PCKh@0\.5: \d", printed), printed
    assert "Testing finished successfully." in printed
