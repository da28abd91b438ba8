"""MMPose's transforms from a person's bounding box to the crop; the geometry is :mod:`efficientpose.core.crops`'s."""

import math

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.datasets.transforms import TopdownAffine
from mmpose.registry import TRANSFORMS
from mmpose.structures.bbox import bbox_xyxy2cs

from efficientpose.core.crops import PERSON_PADDING, Region, antialias, find_padding


@TRANSFORMS.register_module()
class PersonCenterScale(BaseTransform):
    """Turn a person's bounding box into the centre and size of the region to crop, with padding around it.

    A box that is the whole image gets none: the image is letterboxed (longer side to the input's side, centred, black
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

    def __init__(self, *, padding: float = PERSON_PADDING, scale: float = 1.0) -> None:
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
        padding = find_padding(results["bbox"][0], image_size=(width, height), padding=self.padding)
        results["bbox_center"], results["bbox_scale"] = bbox_xyxy2cs(results["bbox"], padding=padding / self.scale)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, scale={self.scale})"


@TRANSFORMS.register_module()
class AntialiasedAffine(TopdownAffine):
    """MMPose's ``TopdownAffine``, antialiased where a crop shrinks the image.

    It cuts what :func:`efficientpose.core.crops.cut_crop` cuts, so that a network sees the same in training, in
    MMPose's inferencers and exported. A crop that does not shrink is ``TopdownAffine``'s to the bit. One that shrinks
    moves the region by half the difference of the pixels' sides, to the middle of their areas.

    Required and changed keys: those of ``TopdownAffine``.

    Args:
        input_size: (width, height) of the crop.
    """

    def __init__(self, *, input_size: tuple[int, int]) -> None:
        super().__init__(input_size=input_size)

    def transform(self, results: dict) -> dict | None:
        """Cut the crop (MMCV's contract)."""
        width, height = map(int, self.input_size)
        size = self._fix_aspect_ratio(results["bbox_scale"], aspect_ratio=width / height)[0]
        region = Region(results["bbox_center"][0], size)
        if region.factor((width, height)) <= 1:
            return super().transform(results)
        region = region.aligned((width, height))
        degrees = float(np.ravel(results.get("bbox_rotation", 0.0))[0])
        smoothed, inside = antialias(results["img"], region, input_size=(width, height), degrees=degrees)
        kept = dict(bbox_center=region.centre[None], bbox_scale=size[None])
        moved = dict(results, img=smoothed.image, bbox_center=inside.centre[None], bbox_scale=inside.size[None])
        if results.get("keypoints") is not None:
            kept["keypoints"] = results["keypoints"]
            moved["keypoints"] = kept["keypoints"].copy()
            moved["keypoints"][..., :2] = smoothed.locate(kept["keypoints"][..., :2])
        return super().transform(moved) | kept | dict(input_center=region.centre, input_scale=size)
