"""Build the package; configs, tools and model index go along in ``efficientpose/.mim``, where mim looks for them."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM_CONTENT = ("checkpoints", "configs", "tools", "model-index.yml")


class BuildWithMim(build_py):
    """Copy what mim needs into the package; an editable install goes without (see ``core/shipped_files.py``)."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "efficientpose", ".mim")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_CONTENT:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.sh"))
            else:
                shutil.copy(source, target / name)


def read_version() -> str:
    """Return ``__version__`` without importing the package."""
    text = (ROOT / "projects" / "efficientpose" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("projects/efficientpose/__init__.py has no line __version__ = ...")
    return found[1]


def read_requirements(name: str) -> list[str]:
    """Return the requirements in requirements/``name``.txt."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


mmpose = read_requirements("mmpose") + read_requirements("mminstall")

setup(
    name="efficientpose",
    version=read_version(),
    description="EfficientPose (Groos et al. 2020) on MMPose: single-person pose estimation",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
    keywords=["pose estimation", "EfficientPose", "MMPose", "OpenMMLab"],
    package_dir={"": "projects"},
    packages=find_packages("projects"),
    include_package_data=True,
    python_requires=">=3.10,<3.13",
    install_requires=read_requirements("runtime"),
    extras_require={
        "runtime": ["onnxruntime>=1.17", "rich"],  # one inference engine, and the command line's progress bar
        "openvino": ["openvino>=2024.1", "rich"],
        "litert": ["ai-edge-litert>=1.1", "rich"],
        "movement": ["pandas", "scipy", "matplotlib", "tables", "ezc3d"],
        "mmpose": mmpose,
        # An export starts from the MMPose model, and each file is run at once.
        "export": [*mmpose, "onnx>=1.15", "onnxruntime>=1.17", "openvino>=2024.1", "ai-edge-litert>=1.1"],
        "mim": read_requirements("mim"),
        "test": read_requirements("test"),
        "dev": read_requirements("dev"),
    },
    entry_points={"console_scripts": ["efficientpose = efficientpose.cli:main"]},
    cmdclass={"build_py": BuildWithMim},
)
