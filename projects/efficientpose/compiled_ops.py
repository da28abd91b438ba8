"""Stand in for MMCV's compiled operators where MMCV was installed without them.

MMPose imports ``mmcv.ops``, and with it the extension module ``mmcv._ext``, whatever model it builds. EfficientPose
needs no compiled operator. Where no ``mmcv._ext`` is installed, :func:`install_placeholder` puts a module in its place
in which ``nms`` is torchvision's and every other operator raises once it is called. A real extension is never touched.
"""

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from torch import Tensor

EXTENSION_NAME = "mmcv._ext"


class CompiledOpMissingError(RuntimeError):
    """A compiled MMCV operator was called, and MMCV was installed without them."""


def nms(bboxes: "Tensor", scores: "Tensor", iou_threshold: float, offset: int) -> "Tensor":
    """Return the indices of the boxes that non-maximum suppression keeps, best first.

    Args:
        bboxes: (N, 4) boxes as x1, y1, x2, y2.
        scores: (N,).
        iou_threshold: Boxes that overlap a better one by more than this are dropped.
        offset: MMCV's convention of a box's width: x2 - x1 + offset.
    """
    from torchvision.ops import nms as torchvision_nms

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
    """Put the placeholder in ``sys.modules`` if MMCV has no compiled extension.

    Returns:
        Whether the placeholder is in use.
    """
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
