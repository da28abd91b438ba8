"""What the commands share: how to install what is missing, and what an interrupt does."""

import argparse
import signal
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from efficientpose.cli import main
from efficientpose.commands.console import EXTRA_MODULES, find_remedy


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("rich", 'pip install "efficientpose[runtime]"'),
        ("onnxruntime.capi", 'pip install "efficientpose[runtime]"'),
        ("scipy.signal", 'pip install "efficientpose[movement]"'),
        ("onnx", 'pip install "efficientpose[export]"'),
        ("torch", "install PyTorch and MMPose, see requirements/mminstall.txt"),
        ("mmcv.cnn", "install PyTorch and MMPose, see requirements/mminstall.txt"),
    ],
)
def test_remedies(module: str, remedy: str) -> None:
    assert find_remedy(module).startswith(remedy)


def test_extras_bring_the_modules_that_they_are_named_for() -> None:
    extras: dict[str, set[str]] = {}
    for line in requires("efficientpose"):
        requirement = Requirement(line)
        for extra in EXTRA_MODULES:
            if requirement.marker is not None and requirement.marker.evaluate({"extra": extra}):
                extras.setdefault(extra, set()).add(requirement.name.replace("-", "_"))
    for extra, modules in EXTRA_MODULES.items():
        assert set(modules) <= extras[extra]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("becomes", [KeyboardInterrupt, ImportError])
def test_an_interrupt_while_modules_are_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, becomes: type, number: int
) -> None:
    """NumPy makes an ImportError of it."""

    def import_engines(text: str) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise becomes("failed to import") from None

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda self, arguments: import_engines(arguments))
    before = signal.getsignal(number)
    assert main(["predict"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_a_broken_module_is_no_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: argparse.ArgumentParser, arguments: list[str]) -> None:
        raise ImportError("undefined symbol")

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", fail)
    with pytest.raises(ImportError, match="undefined symbol"):
        main(["predict"])
