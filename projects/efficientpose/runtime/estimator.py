"""Poses from images with an exported model file; needs NumPy, OpenCV and one inference engine."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from efficientpose.core.boxes import Boxes, check_boxes
from efficientpose.core.crops import Region, cut_crop, find_region, to_image
from efficientpose.core.decoding import DensePeakFinder, SeveralPeaksFinder, SparsePeakFinder
from efficientpose.core.flip_test import average_mirrored
from efficientpose.core.images import check_image, load_image
from efficientpose.core.poses import CropMaps, Pose
from efficientpose.runtime.crop_encoder import CropEncoder
from efficientpose.runtime.engines import load_engine
from efficientpose.runtime.metadata import MetadataError, ModelMetadata

MAX_BATCH = 16  # crops that the network takes at once; more people come in several batches, so memory stays bounded


class CutPeople(NamedTuple):
    """The people of one image, ready for the network."""

    boxes: np.ndarray  # (N, 4) x1, y1, x2, y2 in image pixels
    crops: list[np.ndarray]  # N times (input height, input width, 3) uint8, BGR
    regions: list[Region]  # what of the image each crop shows


class PoseEstimator:
    """A loaded model file; ``PoseEstimator("efficientpose_rt.onnx").predict("photo.jpg")`` gives the poses.

    One estimator serves one thread at a time, or three that share its steps: see :meth:`prepare`.

    Args:
        file: What ``efficientpose export`` wrote: ``.onnx``, ``.xml`` with its ``.bin``, or ``.tflite``.
        engine: As for :func:`~efficientpose.runtime.engines.load_engine`, and so are threads, device and precision.
        threads: Of the network; None for all cores.
        device: "cpu", or what the engine knows besides.
        precision: "float32" (None), or with OpenVINO "bf16" or "float16".
        flip_test: Average with the mirrored crop: more accurate, twice the time.
        subpixel: Read keypoints between the pixels of the crop; without, they lie on its whole pixels, as released.
        num_peaks: Peaks of each heatmap that a pose carries; 1 for the keypoint alone.

    Attributes:
        name: The variant.
        metadata: What the file says of itself.
        skeleton: What the poses consist of.

    Raises:
        FileNotFoundError: If the file is not there.
        MetadataError: If it does not say how to use it.
        EngineError: If the engine is not installed or cannot run the file as asked.
    """

    def __init__(
        self,
        file: str | Path,
        *,
        engine: str | None = None,
        threads: int | None = None,
        device: str = "cpu",
        precision: str | None = None,
        flip_test: bool = False,
        subpixel: bool = False,
        num_peaks: int = 1,
    ) -> None:
        self._file = Path(file)
        self._engine = load_engine(self._file, engine=engine, threads=threads, device=device, precision=precision)
        self.metadata: ModelMetadata = self._engine.metadata
        self.name = self.metadata.variant
        self.flip_test = flip_test
        self.skeleton = self.metadata.skeleton
        self._input_size = self.metadata.input_size
        self._encoder = CropEncoder(self.metadata, dtype=self._engine.input_dtype)
        width, height = self._input_size
        stride = self.metadata.heatmap_stride
        self._map_shape = (height // stride, width // stride)
        blur_sigma = self.metadata.blur_sigma
        self._peaks: SparsePeakFinder | DensePeakFinder = (
            DensePeakFinder(self._map_shape, blur_sigma=blur_sigma, subpixel=subpixel)
            if stride == 1
            else SparsePeakFinder(self._map_shape, stride=stride, blur_sigma=blur_sigma, subpixel=subpixel)
        )
        self._several_peaks = (
            SeveralPeaksFinder(self._map_shape, stride=stride, blur_sigma=blur_sigma, num_peaks=num_peaks)
            if num_peaks > 1
            else None
        )

    def predict(self, image: str | Path | np.ndarray, boxes: Boxes | None = None) -> tuple[Pose, ...]:
        """Find one pose a box, in the same order, in the image's pixel-centre indices.

        Args:
            image: A file, or (H, W, 3) uint8 BGR as OpenCV reads it.
            boxes: (N, 4) people as x1, y1, x2, y2 in image pixels; None takes the whole image as one person.

        Raises:
            ImageError: If the file is no usable image.
            ValueError: If the array is no such image, or a box is empty, not finite or outside the image.
        """
        return self._predict(self.prepare(image, boxes))

    def predict_batch(
        self, images: Sequence[str | Path | np.ndarray], boxes: Sequence[Boxes | None] | None = None
    ) -> tuple[tuple[Pose, ...], ...]:
        """Find one pose a box of each image, their crops in common batches; images and boxes as for :meth:`predict`.

        Raises:
            ImageError: If a file is no usable image.
            ValueError: If an array or a box is unusable, or there are not as many boxes as images.
        """
        people = [None] * len(images) if boxes is None else list(boxes)
        if len(people) != len(images):
            raise ValueError(f"{len(images)} images need boxes for each, or None, got boxes for {len(people)}")
        cuts = [self.prepare(image, wanted) for image, wanted in zip(images, people, strict=True)]
        together = CutPeople(
            boxes=np.concatenate([np.empty((0, 4), np.float32), *(cut.boxes for cut in cuts)]),
            crops=[crop for cut in cuts for crop in cut.crops],
            regions=[region for cut in cuts for region in cut.regions],
        )
        poses = iter(self._predict(together))
        return tuple(tuple(next(poses) for _ in cut.crops) for cut in cuts)

    def prepare(self, image: str | Path | np.ndarray, boxes: Boxes | None = None) -> CutPeople:
        """Cut the people out of an image: the first of the three steps of :meth:`predict`, which takes the same.

        The steps may run in three threads, each of them in one: a video's frames then pass through all at once.
        """
        pixels = load_image(image)
        checked = check_boxes(boxes, pixels)
        pairs = [self._cut(pixels, box) for box in checked]
        return CutPeople(boxes=checked, crops=[crop for crop, _ in pairs], regions=[region for _, region in pairs])

    def infer(self, cut: CutPeople) -> list[np.ndarray]:
        """Run the network on what :meth:`prepare` returned: heatmaps (B, K, h, w) of each batch."""
        return [self._find_heatmaps(part.crops) for part in self._batches(cut)]

    def finish(self, cut: CutPeople, heatmaps: list[np.ndarray]) -> tuple[Pose, ...]:
        """Read the poses off the heatmaps that :meth:`infer` returned: the last step."""
        poses: list[Pose] = []
        for batch in heatmaps:
            here = slice(len(poses), len(poses) + len(batch))
            peaks = self._peaks.find(batch)
            points = to_image(peaks.keypoints, cut.regions[here], input_size=self._input_size)  # (B, K, 2)
            keypoints = np.concatenate((points, peaks.scores[..., None]), axis=2, dtype=np.float32)
            several: list[np.ndarray | None] = [None] * len(batch)
            if self._several_peaks is not None:
                highest = np.concatenate((peaks.keypoints, peaks.scores[..., None]), axis=2)  # (B, K, 3)
                found_in = zip(batch, highest, cut.regions[here], strict=True)
                several = [self._find_several(self._several_peaks, *each) for each in found_in]
            people = zip(cut.boxes[here], keypoints, several, strict=True)
            poses += [Pose(bbox=box, keypoints=found, peaks=others) for box, found, others in people]
        return tuple(poses)

    def _find_several(
        self, finder: SeveralPeaksFinder, heatmaps: np.ndarray, highest: np.ndarray, region: Region
    ) -> np.ndarray:
        """Return (K, M, 3) peaks in image pixels."""
        peaks = finder.find(heatmaps, highest)
        peaks[..., :2] = to_image(peaks[..., :2], [region], input_size=self._input_size)
        return peaks

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return the network's input for one person and its maps, without flip test; without a box of the whole image.

        Raises:
            ValueError: If the box is empty, not finite or outside the image.
        """
        (checked,) = check_boxes(None if box is None else [box], check_image(image))
        crop, _ = self._cut(image, checked)
        outputs = self._infer([crop])
        return CropMaps(crop=crop, heatmaps=outputs[0][0], pafs=outputs[1][0] if self.metadata.has_pafs else None)

    def _cut(self, image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, Region]:
        height, width = image.shape[:2]
        region = find_region(box, image_size=(width, height), input_size=self._input_size)
        return cut_crop(image, region, input_size=self._input_size), region

    def _batches(self, cut: CutPeople) -> Iterator[CutPeople]:
        size = self._engine.batch_size or MAX_BATCH
        for start in range(0, len(cut.crops), size):
            here = slice(start, start + size)
            yield CutPeople(cut.boxes[here], cut.crops[here], cut.regions[here])

    def _predict(self, cut: CutPeople) -> tuple[Pose, ...]:
        """Return the poses, batch by batch, so that the heatmaps of all never lie in memory together."""
        return tuple(pose for part in self._batches(cut) for pose in self.finish(part, self.infer(part)))

    def _find_heatmaps(self, crops: list[np.ndarray]) -> np.ndarray:
        """Return the heatmaps (B, K, h, w) of a batch, with flip test if asked."""
        heatmaps = self._infer(crops)[0]
        if self.flip_test:
            mirrored = self._infer([np.ascontiguousarray(crop[:, ::-1]) for crop in crops])[0]
            heatmaps = average_mirrored(heatmaps, mirrored, flip_indices=self.metadata.flip_indices)
        return heatmaps

    def _infer(self, crops: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return the outputs of a batch; one that is too small for a network of a fixed batch size is filled up."""
        fill = (self._engine.batch_size or len(crops)) - len(crops)
        outputs = self._engine.infer(self._encoder.encode(crops + crops[:1] * fill))
        expected = (len(crops) + fill, len(self.metadata.keypoint_names), *self._map_shape)
        if len(outputs) < 1 + self.metadata.has_pafs or outputs[0].shape != expected:
            raise MetadataError(
                f"{self._file}: its outputs are {[output.shape for output in outputs]}, but its entry promises "
                f"heatmaps of {expected}{' and part affinity fields' * self.metadata.has_pafs}; export it again"
            )
        return tuple(output[: len(crops)] for output in outputs)
