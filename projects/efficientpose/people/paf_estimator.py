"""All people in an image from one pass of an exported model file; needs NumPy, OpenCV and one inference engine."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from efficientpose.core.boxes import Boxes
from efficientpose.core.decoding import STRIDE
from efficientpose.core.flip_test import average_mirrored, average_mirrored_pafs
from efficientpose.core.images import check_image, load_image
from efficientpose.core.poses import CropMaps
from efficientpose.core.scenes import PeopleDecoder, SceneFrame, ScenePose, fit_into
from efficientpose.runtime.crop_encoder import CropEncoder
from efficientpose.runtime.engines import Engine, load_engine
from efficientpose.runtime.metadata import MetadataError


class PafEstimator:
    """Finds people by grouping part affinity fields; its cost does not grow with their number.

    The image is scaled to fit the file's input, aspect kept: export at the shape of your images. One estimator serves
    one thread at a time.

    Args:
        engine: A loaded model file with part affinity fields and heatmaps at stride 8.
        decoder: Finds people in the maps; None for one with the usual thresholds.
        flip_test: Average with the mirrored scene: more accurate, twice the time.

    Attributes:
        name: The variant.
        skeleton: What the poses consist of.

    Raises:
        MetadataError: If the file has no part affinity fields or upsamples its heatmaps.
    """

    def __init__(self, engine: Engine, *, decoder: PeopleDecoder | None = None, flip_test: bool = False) -> None:
        self._engine = engine
        self.metadata = metadata = engine.metadata
        self.name = metadata.variant
        self.flip_test = flip_test
        if not metadata.has_pafs or metadata.heatmap_stride != STRIDE:
            raise MetadataError(
                f"the model file of {metadata.variant} has {'' if metadata.has_pafs else 'no '}part affinity fields "
                f"and heatmaps at stride {metadata.heatmap_stride}; to find people it needs both, at stride {STRIDE}: "
                "export it again, with part affinity fields"
            )
        self.skeleton = metadata.skeleton
        self._encoder = CropEncoder(metadata, dtype=engine.input_dtype)
        self._decoder = decoder or PeopleDecoder(
            limbs=metadata.limbs, keypoint_names=metadata.keypoint_names, blur_sigma=metadata.blur_sigma
        )

    @classmethod
    def load(
        cls,
        file: str | Path,
        *,
        engine: str | None = None,
        threads: int | None = None,
        device: str = "cpu",
        precision: str | None = None,
        flip_test: bool = False,
    ) -> "PafEstimator":
        """Load a model file; arguments as for :class:`~efficientpose.runtime.estimator.PoseEstimator`.

        Raises:
            FileNotFoundError: If the file is not there.
            MetadataError: If it does not say how to use it, or has no part affinity fields.
            EngineError: If the engine is not installed or cannot run the file as asked.
        """
        loaded = load_engine(Path(file), engine=engine, threads=threads, device=device, precision=precision)
        return cls(loaded, flip_test=flip_test)

    def predict(self, image: str | Path | np.ndarray, boxes: Boxes | None = None) -> tuple[ScenePose, ...]:
        """Find all people in a file or an image (H, W, 3) uint8 BGR, best first, without boxes.

        Raises:
            ImageError: If the file is no usable image.
            ValueError: If the array is no such image, or there are boxes.
        """
        if boxes is not None:
            raise ValueError(f"people are found without boxes here: leave out the {len(boxes)} boxes")
        pixels = load_image(image)
        frame = self._frame(pixels)
        heatmaps, pafs = self._infer(frame.cut(pixels))
        return self._decoder.decode(heatmaps, pafs, frame)

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return the network's input and its maps; raises ValueError if the image is unusable or there is a box."""
        if box is not None:
            raise ValueError("people are found without boxes here: leave out the box")
        scene = self._frame(check_image(image)).cut(image)
        heatmaps, pafs = self._infer(scene)
        return CropMaps(crop=scene, heatmaps=heatmaps, pafs=pafs)

    def _frame(self, image: np.ndarray) -> SceneFrame:
        return fit_into((image.shape[1], image.shape[0]), self.metadata.input_size)

    def _infer(self, scene: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return heatmaps (K, h, w) and part affinity fields (2L, h, w), with flip test if asked."""
        heatmaps, pafs = self._run(scene)
        if not self.flip_test:
            return heatmaps, pafs
        mirrored_heatmaps, mirrored_pafs = self._run(np.ascontiguousarray(scene[:, ::-1]))
        flip = self.metadata.flip_indices
        return (
            average_mirrored(heatmaps, mirrored_heatmaps, flip_indices=flip),
            average_mirrored_pafs(pafs, mirrored_pafs, limbs=self.metadata.limbs, flip_indices=flip),
        )

    def _run(self, scene: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = self._engine.infer(self._encoder.encode([scene] * (self._engine.batch_size or 1)))
        return outputs[0][0], outputs[1][0]
