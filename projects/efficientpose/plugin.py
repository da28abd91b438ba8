"""Importing this module registers everything with MMPose; configs name it in ``custom_imports``.

Import it before ``mmpose.apis``. MMPose imports ``mmcv.ops``, and with it the compiled module ``mmcv._ext``, whatever
model it builds. EfficientPose needs no compiled operator. Where MMCV was installed without them,
:func:`install_placeholder` puts a module in the place of ``mmcv._ext``, in which ``nms`` is torchvision's and every
other operator raises once it is called. A real extension is never touched.
"""

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from torch import Tensor
from torchvision.ops import nms as torchvision_nms

EXTENSION_NAME = "mmcv._ext"


class CompiledOpMissingError(RuntimeError):
    """A compiled MMCV operator was called, and MMCV was installed without them."""


def nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices of the boxes (N, 4) that non-maximum suppression keeps, best first.

    ``offset`` is MMCV's convention of a box's width: x2 - x1 + offset.
    """
    widened = bboxes.clone()
    widened[:, 2:] += offset
    return torchvision_nms(widened, scores, iou_threshold)


class _PlaceholderExtension(ModuleType):
    """``mmcv._ext`` without compiled code: any operator can be looked up, as ``mmcv.ops`` does on import."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing_op(*_args: object, **_kwargs: object) -> NoReturn:
            raise CompiledOpMissingError(
                f"the operator {name!r} needs MMCV's compiled extension, which is not installed here; "
                "EfficientPose does not use it. Install an MMCV built with its operators to run models that do."
            )

        return missing_op


def install_placeholder() -> bool:
    """Put the placeholder in ``sys.modules`` if MMCV has no compiled extension; return whether it is in use."""
    loaded = sys.modules.get(EXTENSION_NAME)
    if loaded is not None:
        return isinstance(loaded, _PlaceholderExtension)
    if importlib.util.find_spec(EXTENSION_NAME) is not None:
        return False
    placeholder = _PlaceholderExtension(EXTENSION_NAME)
    placeholder.__spec__ = ModuleSpec(EXTENSION_NAME, loader=None, origin="efficientpose placeholder")
    placeholder.nms = nms  # type: ignore[attr-defined]
    sys.modules[EXTENSION_NAME] = placeholder
    return True


install_placeholder()

import efficientpose.codecs  # noqa: E402
import efficientpose.custom_skeletons  # noqa: E402
import efficientpose.datasets.mpii  # noqa: E402
import efficientpose.datasets.scenes  # noqa: E402
import efficientpose.datasets.transforms  # noqa: E402
import efficientpose.engine  # noqa: E402
import efficientpose.evaluation  # noqa: E402
import efficientpose.models  # noqa: E402
import efficientpose.weights.scheme  # noqa: E402, F401
