"""All people in an image with the MMPose model, in one pass."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.apis.inference import dataset_meta_from_config

from efficientpose.core.boxes import Boxes
from efficientpose.core.images import check_image, load_image
from efficientpose.core.poses import CropMaps
from efficientpose.core.scenes import SceneFrame, ScenePose, with_shorter_side
from efficientpose.core.skeleton import keypoint_names_of
from efficientpose.inference.estimator import load_network
from efficientpose.models.bottomup import PafPoseEstimator
from efficientpose.models.trained_skeleton import trained_skeleton


class TorchPafEstimator:
    """A loaded network over whole scenes; ``TorchPafEstimator.load("rt").predict("photo.jpg")`` gives all poses.

    Args:
        model: With weights.
        name: What to call it in results.
        shorter_side: What the image's shorter side is scaled to, pixels; people should then be 150 to 250 tall.

    Attributes:
        skeleton: What the poses consist of.
    """

    def __init__(self, model: PafPoseEstimator, *, name: str, shorter_side: int) -> None:
        self.model = model.eval()
        self.name = name
        self.skeleton = trained_skeleton(model)
        self.shorter_side = shorter_side

    @classmethod
    def load(
        cls,
        variant: str = "rt",
        *,
        weights: str | Path | None = None,
        config: str | Path | None = None,
        device: str = "cpu",
        shorter_side: int | None = None,
        flip_test: bool = False,
    ) -> "TorchPafEstimator":
        """Load a variant.

        Args:
            variant: Its name, such as "rt"; the Lite variants were released without part affinity fields.
            weights: As for :meth:`~efficientpose.inference.estimator.TorchPoseEstimator.load`.
            config: Config of a network of your own, top-down or for scenes; it needs ``weights`` and takes the place of
                ``variant``. None for the variant's.
            device: Where it runs, as PyTorch names it.
            shorter_side: What the image's shorter side is scaled to, pixels; None for the config's ``shorter_side``,
                or else 1.25 times the network's input.
            flip_test: Average with the mirrored image: more accurate, twice the time.

        Raises:
            ValueError: If the variant or device is unknown, ``config`` is unusable or comes without ``weights``, or the
                weights do not fit or lack part affinity fields.
            FileNotFoundError: If ``weights`` or ``config`` is not there.
            WeightsNotFoundError: If there are no weights anywhere.
        """
        loaded = load_network(variant, weights=weights, config=config, device=device, change=_take_scenes)
        model, name, checkpoint = loaded
        model.test_cfg = dict(flip_test=flip_test)
        if not any(parameter.any() for parameter in model.head.paf_pass.predict.parameters()):
            raise ValueError(
                f"{checkpoint}: these weights have no part affinity fields; several people in one pass need the ones "
                "released as .h5 of a variant that is not Lite, or trained ones"
            )
        if shorter_side is None:
            shorter_side = model.cfg.get("shorter_side", round(1.25 * min(model.head.decoder.input_size)))
        return cls(model, name=name, shorter_side=shorter_side)

    def predict(self, image: str | Path | np.ndarray, boxes: Boxes | None = None) -> tuple[ScenePose, ...]:
        """Find all people in a file or an image (H, W, 3) uint8 BGR, best first, without boxes.

        Raises:
            ImageError: If the file is no usable image.
            ValueError: If the array is no such image, or there are boxes.
            MemoryError: If the device has too little memory.
        """
        if boxes is not None:
            raise ValueError(f"people are found without boxes here: leave out the {len(boxes)} boxes")
        frame, maps = self._find_maps(load_image(image))
        return self.model.decoder.decode(maps.heatmaps, maps.pafs, frame)

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return the network's input and its maps; raises ValueError if the image is unusable or there is a box."""
        if box is not None:
            raise ValueError("people are found without boxes here: leave out the box")
        return self._find_maps(check_image(image))[1]

    def _find_maps(self, image: np.ndarray) -> tuple[SceneFrame, CropMaps]:
        """Return how the scene lies in the image, and heatmaps (K, h, w) and part affinity fields (2L, h, w) of it."""
        frame = with_shorter_side((image.shape[1], image.shape[0]), shorter_side=self.shorter_side)
        scene = frame.cut(image)
        planes = torch.from_numpy(np.ascontiguousarray(scene.transpose(2, 0, 1)))  # (3, h, w)
        try:
            with torch.no_grad():
                inputs = self.model.data_preprocessor(dict(inputs=[planes], data_samples=[]), False)["inputs"]
                heatmaps, pafs = self.model.predict_maps(inputs)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error
        return frame, CropMaps(crop=scene, heatmaps=heatmaps[0], pafs=pafs[0])


def _take_scenes(config: Config) -> None:
    """Make a config's network one for whole scenes; its keypoints are those of its dataset."""
    init_default_scope("mmpose")  # datasets are looked up before a model is built
    names = keypoint_names_of(dataset_meta_from_config(config, dataset_mode="test"))
    config.model.type = "PafPoseEstimator"
    config.model.keypoint_names = list(names)
