"""Who may import whom, and what importing the package costs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "projects" / "efficientpose"

LEVEL = {
    room: int(level)
    for level, room in re.findall(
        r"^\| (\d+) \| `(\w+)` \|", (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
    )
}
"""Rooms of the package by level; each may import itself and what lies on a lower level."""
WITHOUT_TORCH = ("core", "runtime", "video", "people")
RUNTIME_LIBRARIES = {"numpy", "cv2"}
OTHER_LIBRARIES = {
    "onnxruntime_engine.py": {"onnxruntime"},
    "openvino_engine.py": {"openvino"},
    "litert_engine.py": {"ai_edge_litert"},
    "reading.py": {"av"},
    "writing.py": {"av"},
}
NETWORK_PARTS = ("backbone", "neck", "head")


def imported_modules(source):
    """Every module and name that Python source imports, anywhere in it, as dotted paths."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import; name the module in full"
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def own_modules(source):
    """Those below ``efficientpose``, without that name: "models.head", "skeleton"."""
    parts = [module.split(".") for module in imported_modules(source)]
    return {".".join(names[1:]) for names in parts if names[0] == "efficientpose" and len(names) > 1}


def forbidden_rooms(room, source):
    """Rooms that source in ``room`` imports and may not."""
    used = {module.split(".")[0] for module in own_modules(source)}
    return {other for other in used & LEVEL.keys() if other != room and LEVEL[other] >= LEVEL[room]}


PUBLIC_NAMES = (PACKAGE / "__init__.py", PACKAGE / "runtime" / "__init__.py")
"""They load what is asked for when it is asked for."""


def source_files():
    files = sorted(path for path in PACKAGE.rglob("*.py") if path not in PUBLIC_NAMES)
    return [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in files]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        ("models", "from efficientpose.core.skeleton import FLIP_PAIRS", set()),
        ("models", "from efficientpose.models.head import Head", set()),
        ("models", "import efficientpose.datasets.mpii", {"datasets"}),
        ("runtime", "def f():\n    from efficientpose.models import build", {"models"}),
        ("codecs", "from efficientpose import inference", {"inference"}),
        ("core", "from efficientpose.runtime import engines", {"runtime"}),
        ("weights", "from efficientpose import __version__", set()),
    ],
)
def test_the_check_sees_imports_in_every_form(room, source, expected):
    assert forbidden_rooms(room, source) == expected


@pytest.mark.parametrize("path", source_files())
def test_rooms_import_only_what_lies_below(path):
    room = room_of(path)
    assert room in LEVEL, f"{path}: put the new room {room!r} on a level in CONTRIBUTING.md"
    forbidden = forbidden_rooms(room, path.read_text())
    assert not forbidden, f"{path} imports {sorted(forbidden)}, which may not lie below {room}"


def test_package_itself_imports_only_inference_lazily():
    assert {module.split(".")[0] for module in own_modules((PACKAGE / "__init__.py").read_text())} == {"inference"}


@pytest.mark.parametrize("part", NETWORK_PARTS)
def test_parts_of_the_network_do_not_import_one_another(part):
    imported = own_modules((PACKAGE / "models" / f"{part}.py").read_text())
    others = {f"models.{other}" for other in NETWORK_PARTS if other != part}
    assert not {module for module in imported if any(module.startswith(other) for other in others)}


@pytest.mark.parametrize(
    "path",
    sorted(path for room in WITHOUT_TORCH for path in (PACKAGE / room).rglob("*.py")),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_runtime_needs_numpy_opencv_and_an_engine_only(path):
    libraries = {module.split(".")[0] for module in imported_modules(path.read_text())} - {"efficientpose"}
    assert libraries <= RUNTIME_LIBRARIES | OTHER_LIBRARIES.get(path.name, set()) | sys.stdlib_module_names


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("efficientpose", {"torch", "mmpose", "mmengine", "cv2", "numpy"}),
        ("efficientpose.cli", {"torch", "mmpose", "mmengine", "cv2"}),
        ("efficientpose.runtime", {"torch", "torchvision", "mmpose", "mmengine", "mmcv", "scipy", "matplotlib"}),
    ],
)
def test_importing_loads_nothing_heavy(module, heavy):
    loaded = python(f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})").split()
    assert module.split(".")[0] in loaded
    assert not heavy & set(loaded)


def imports_at_the_head(source):
    """What each import that is not inside a function names, in order."""
    heads = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return [imported_modules(ast.unparse(node)) for node in heads]


def loaded_at_once(module):
    """Third-party packages that importing an own module loads, through every own module that it imports at its head."""
    seen, found, waiting = set(), set(), {module}
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        if not (PACKAGE.parent / parts[0]).is_dir():
            found.add(parts[0])
        for path in (PACKAGE.parent / Path(*parts, "__init__.py"), PACKAGE.parent / f"{'/'.join(parts)}.py"):
            if path.is_file() and path not in seen:
                seen.add(path)
                waiting |= {".".join(parts[:depth]) for depth in range(1, len(parts))}
                waiting = waiting.union(*imports_at_the_head(path.read_text()))
    return found


def test_what_a_module_loads_is_found_through_others():
    assert "mmpose" in loaded_at_once("efficientpose.benchmark.contenders")
    assert not {"mmpose", "torch"} & loaded_at_once("efficientpose.runtime.estimator")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "tools").rglob("*.py")), ids=lambda path: path.name)
def test_tools_import_the_plugin_first(path):
    """It lets MMPose be imported where MMCV has no compiled operators; in a test's process, another has done it."""
    lines = imports_at_the_head(path.read_text())
    own = [[name for name in names if name.startswith("efficientpose.")] for names in lines]
    needing = [index for index, names in enumerate(own) if any("mmpose" in loaded_at_once(name) for name in names)]
    assert not needing or any("efficientpose.plugin" in names for names in own[: needing[0] + 1])
