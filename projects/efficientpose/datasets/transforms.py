"""From a person's box to the region that the network sees."""

import math

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.datasets.transforms import TopdownAffine
from mmpose.registry import TRANSFORMS
from mmpose.structures.bbox import bbox_xyxy2cs

from efficientpose.runtime.crops import Region, cut_crop


@TRANSFORMS.register_module()
class PersonCenterScale(BaseTransform):
    """Turn a person's box into the centre and size of the region to crop, with context around it.

    A box that is the whole image gets none: the picture is letterboxed (longer side to the input's side, centred, black
    border), as the released code does it. MMPose's ``GetBBoxCenterScale`` would pad it as well.

    Required keys: ``bbox`` (1, 4) as x1, y1, x2, y2 in image pixels; ``img_shape`` (height, width). A ``bbox_center``
    and ``bbox_scale`` that the dataset gives are kept, padded and scaled.

    Added keys: ``bbox_center`` (1, 2) and ``bbox_scale`` (1, 2), in image pixels.

    Args:
        padding: Side of the region per side of the box.
        scale: How much larger than usual the person appears in the region, for multi-scale testing. Every region's side
            is divided by it, also that of a box that is the whole image.

    Raises:
        ValueError: If one is not positive.
    """

    def __init__(self, *, padding: float = 1.25, scale: float = 1.0) -> None:
        super().__init__()
        if padding <= 0:
            raise ValueError(f"padding must be positive, got {padding}")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be positive, got {scale}")
        self.padding = padding
        self.scale = scale

    def transform(self, results: dict) -> dict:
        """Add the centre and size of the region (MMCV's contract)."""
        if "bbox_center" in results and "bbox_scale" in results:
            results["bbox_scale"] = results["bbox_scale"] * (self.padding / self.scale)
            return results
        height, width = results["img_shape"]
        is_whole_image = np.array_equal(results["bbox"], [[0, 0, width, height]])
        padding = 1.0 if is_whole_image else self.padding
        results["bbox_center"], results["bbox_scale"] = bbox_xyxy2cs(results["bbox"], padding=padding / self.scale)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, scale={self.scale})"


@TRANSFORMS.register_module()
class AntialiasedAffine(TopdownAffine):
    """MMPose's ``TopdownAffine`` for prediction, without aliases where a crop shrinks the picture.

    What :func:`efficientpose.runtime.crops.cut_crop` cuts, so that a network gives the same keypoints in PyTorch and
    exported. A crop that does not shrink is ``TopdownAffine``'s to the bit.

    Required and changed keys: those of ``TopdownAffine``; a crop that shrinks moves the region by half the difference of
    the pixels' sides, to the middle of their areas.

    Raises:
        ValueError: If there is a rotation, or UDP, which prediction does not need.
    """

    def transform(self, results: dict) -> dict | None:
        """Cut the crop (MMCV's contract)."""
        if self.use_udp or np.any(results.get("bbox_rotation", 0)):
            raise ValueError("AntialiasedAffine is for prediction, without rotation and UDP; train with TopdownAffine")
        width, height = map(int, self.input_size)
        results["bbox_scale"] = self._fix_aspect_ratio(results["bbox_scale"], aspect_ratio=width / height)
        image = results["img"]
        region = Region(results["bbox_center"][0], results["bbox_scale"][0]).aligned((width, height))
        results["bbox_center"] = region.centre[None]
        results = super().transform(results)
        results["img"] = cut_crop(image, region, input_size=(width, height))
        results["input_scale"] = region.size  # MMPose rounds it once more
        return results
