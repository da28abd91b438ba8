"""Scenes of several people in COCO's format, with MPII's keypoints; one sample a picture."""

from pathlib import Path
from typing import Any, Literal

from mmengine.fileio import exists
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from efficientpose.skeleton import NUM_KEYPOINTS


@DATASETS.register_module()
class PeopleDataset(BaseCocoStyleDataset):
    """MMPose's COCO-style dataset, bottom-up, of people with MPII's 16 keypoints, checked when loaded.

    Keypoints are 0-based pixel-centre indices; visibility 0 is not labelled. A sample has everybody in a picture:
    ``keypoints`` (N, 16, 2), ``keypoints_visible`` (N, 16), ``bbox`` (N, 4), and ``raw_ann_info``, their annotations.

    Args:
        ann_file: Annotations, ``.json``.
        data_mode: "bottomup".
        **kwargs: Arguments of ``mmpose.datasets.BaseCocoStyleDataset``, which raises on any it does not know.

    Raises:
        FileNotFoundError: If the annotations or a picture is absent.
        ValueError: If somebody has another number of keypoints, or there is nobody.
    """

    METAINFO: dict = dict(from_file="configs/_base_/datasets/mpii.py")

    def __init__(self, ann_file: str = "", *, data_mode: Literal["bottomup"] = "bottomup", **kwargs: Any) -> None:
        if data_mode != "bottomup":
            raise ValueError(f"a sample here is a whole scene: data_mode is 'bottomup', not {data_mode!r}")
        super().__init__(ann_file=ann_file, data_mode=data_mode, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load one entry a picture.

        Raises:
            FileNotFoundError: If the annotations or a picture is absent.
            ValueError: If somebody has another number of keypoints, or there is nobody.
        """
        if not exists(self.ann_file):
            raise FileNotFoundError(f"{self.ann_file!r}: no such annotation file; expected COCO's format")
        scenes: list[dict] = super().load_data_list()
        if not any(scene["id"] for scene in scenes):
            raise ValueError(f"{self.ann_file}: there is nobody in it; expected annotations with bbox and keypoints")
        for scene in scenes:
            if not Path(scene["img_path"]).is_file():
                raise FileNotFoundError(f"{scene['img_path']}: no such picture, but {self.ann_file} lists it")
        return scenes

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """Parse one person's annotation (MMPose's contract).

        Raises:
            ValueError: If there are not 16 keypoints of x, y and visibility.
        """
        annotation = raw_data_info["raw_ann_info"]
        if "keypoints" in annotation and len(annotation["keypoints"]) != 3 * NUM_KEYPOINTS:
            raise ValueError(
                f"{self.ann_file}: annotation {annotation.get('id')} has {len(annotation['keypoints'])} numbers as "
                f"keypoints, expected {3 * NUM_KEYPOINTS}: x, y and visibility of each"
            )
        parsed: dict | None = super().parse_data_info(raw_data_info)
        return parsed
