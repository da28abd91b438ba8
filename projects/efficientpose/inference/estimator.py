"""Poses from images with the MMPose model, through MMPose's own inference functions."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmpose.apis import inference_topdown, init_model
from mmpose.models.pose_estimators import BottomupPoseEstimator, TopdownPoseEstimator
from mmpose.structures import PoseDataSample

from efficientpose.core.boxes import Boxes, check_boxes
from efficientpose.core.crops import Region, to_image
from efficientpose.core.decoding import SeveralPeaksFinder
from efficientpose.core.images import check_image, load_image
from efficientpose.core.poses import CropMaps, Pose
from efficientpose.core.shipped_files import mpii_config_path
from efficientpose.core.variants import get_variant
from efficientpose.models.trained_skeleton import trained_skeleton
from efficientpose.weights.checkpoint import load_checkpoint
from efficientpose.weights.find import find_weights


class TorchPoseEstimator:
    """A loaded network; ``TorchPoseEstimator.load("rt").predict("photo.jpg")`` gives the poses.

    ``efficientpose.PoseEstimator`` is this class.

    Args:
        model: A pose estimator as MMPose's ``init_model`` returns it, with weights.
        name: What to call it in results.
        num_peaks: Peaks of each heatmap that a pose carries; 1 for the keypoint alone.

    Attributes:
        skeleton: What the poses consist of.

    Raises:
        ValueError: If the config's data set does not have the network's keypoints.
    """

    def __init__(self, model: TopdownPoseEstimator, *, name: str, num_peaks: int = 1) -> None:
        self.model = model
        self.name = name
        self._num_peaks = num_peaks
        if num_peaks > 1:
            model.test_cfg["output_heatmaps"] = "coarse"
        self._finder_for = lru_cache(maxsize=1)(self._make_finder)
        self.skeleton = trained_skeleton(model)

    @classmethod
    def load(
        cls,
        variant: str = "rt",
        *,
        weights: str | Path | None = None,
        config: str | Path | None = None,
        device: str = "cpu",
        flip_test: bool | None = None,
        subpixel: bool | None = None,
        num_peaks: int = 1,
    ) -> "TorchPoseEstimator":
        """Load a variant.

        Args:
            variant: Its name, such as "rt" or "ii_lite".
            weights: A checkpoint of ours or a released file; None looks in the cache, in the folder that
                EFFICIENTPOSE_WEIGHTS_DIR names, and then downloads.
            config: Config of a network of your own; it needs ``weights`` and takes the place of ``variant``. None for
                the variant's.
            device: Where it runs, as PyTorch names it.
            flip_test: Average with the mirrored image: more accurate, twice the time; None leaves it to the config.
            subpixel: Read keypoints between the pixels of the crop, not on whole ones as released; None leaves it to
                the config.
            num_peaks: Peaks of each heatmap that a pose carries; 1 for the keypoint alone.

        Raises:
            ValueError: If the variant or device is unknown, ``config`` is unusable or comes without ``weights``, the
                weights do not fit, or ``subpixel`` is given for a network whose decoder does not know it.
            FileNotFoundError: If ``weights`` or ``config`` is not there.
            WeightsNotFoundError: If there are no weights anywhere.
        """

        def set_decoder(settings: Config) -> None:
            if subpixel is not None:
                settings.model.head.decoder.subpixel = subpixel

        model, name, _ = load_network(variant, weights=weights, config=config, device=device, change=set_decoder)
        if flip_test is not None:
            model.test_cfg["flip_test"] = flip_test
        return cls(model, name=name, num_peaks=num_peaks)

    def predict(self, image: str | Path | np.ndarray, boxes: Boxes | None = None) -> tuple[Pose, ...]:
        """Find one pose a box, in the same order, in the image's pixel-centre indices.

        Args:
            image: A file, or (H, W, 3) uint8 BGR as OpenCV reads it.
            boxes: (N, 4) people as x1, y1, x2, y2 in image pixels; None takes the whole image as one person.

        Raises:
            ImageError: If the file is no usable image.
            ValueError: If the array is no such image, or a box is empty, not finite or outside the image.
            MemoryError: If the device has too little memory.
        """
        pixels = load_image(image)
        regions = check_boxes(boxes, pixels)
        poses = []
        try:
            samples = inference_topdown(self.model, pixels, regions)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error
        for sample in samples:
            people = sample.pred_instances
            keypoints = np.concatenate((people.keypoints[0], people.keypoint_scores[0][:, None]), axis=1)
            poses.append(Pose(np.asarray(people.bboxes[0]), keypoints, self._find_several_peaks(sample, keypoints)))
        return tuple(poses)

    def _find_several_peaks(self, sample: PoseDataSample, keypoints: np.ndarray) -> np.ndarray | None:
        """Return (K, M, 3) peaks in image pixels; None for one peak."""
        if self._num_peaks == 1:
            return None
        heatmaps = sample.pred_fields.heatmaps.float().cpu().numpy()  # (K, h, w)
        width, height = np.ravel(sample.metainfo["input_size"]).tolist()
        region = Region(*(np.ravel(sample.metainfo[f"input_{name}"]) for name in ("center", "scale")))
        in_input = (keypoints[:, :2] - region.centre + 0.5 * region.size) / region.size * (width, height)
        finder = self._finder_for(heatmaps.shape[1:], round(width / heatmaps.shape[2]))
        peaks = finder.find(heatmaps, np.column_stack((in_input, keypoints[:, 2])))
        peaks[..., :2] = to_image(peaks[..., :2], [region], input_size=(width, height))
        return peaks

    def _make_finder(self, heatmap_shape: tuple[int, int], stride: int) -> SeveralPeaksFinder:
        blur_sigma = getattr(self.model.head.decoder, "blur_sigma", 0.0)
        return SeveralPeaksFinder(heatmap_shape, stride=stride, blur_sigma=blur_sigma, num_peaks=self._num_peaks)

    def predict_maps(self, image: np.ndarray, box: Sequence[float] | None = None) -> CropMaps:
        """Return the network's input for one person and its maps, without flip test; without a box of the whole image.

        Raises:
            ValueError: If the box is empty, not finite or outside the image.
        """
        check_image(image)
        bbox = check_boxes(None if box is None else [box], image)
        pipeline = Compose(self.model.cfg.test_dataloader.dataset.pipeline)
        data = pipeline(dict(img=image, bbox=bbox, bbox_score=np.ones(1, np.float32), **self.model.dataset_meta))
        with torch.no_grad():
            batch = self.model.data_preprocessor(pseudo_collate([data]), False)
            maps = self.model(batch["inputs"], None, mode="tensor")
        # the released Lite files lack the part affinity fields' weights, which are zero here
        pafs = None if maps.pafs is None or not maps.pafs.any() else maps.pafs[0].cpu().numpy()
        crop = np.ascontiguousarray(data["inputs"].numpy().transpose(1, 2, 0))
        return CropMaps(crop=crop, heatmaps=maps.final[0].cpu().numpy(), pafs=pafs)


class LoadedNetwork(NamedTuple):
    """A pose estimator with weights."""

    model: TopdownPoseEstimator | BottomupPoseEstimator
    name: str  # of the variant, or of the config
    checkpoint: Path  # where the weights are from


def load_network(
    variant: str,
    *,
    weights: str | Path | None,
    config: str | Path | None,
    device: str,
    change: Callable[[Config], None] = lambda _: None,
) -> LoadedNetwork:
    """Build a variant, or the network of a config, and load its weights; see :meth:`TorchPoseEstimator.load`.

    ``change`` is that of :func:`build_model`.
    """
    known = get_variant(variant).name
    check_device(device)
    if config is not None and weights is None:
        raise ValueError(f"{config} is a network of its own: give its weights too")
    checkpoint = find_weights(known, explicit=None if weights is None else Path(weights))
    path, name = (mpii_config_path(known), known) if config is None else (Path(config), Path(config).stem)
    model = build_model(path, device=device, change=change)
    load_checkpoint(model, checkpoint, variant=known if config is None else None)
    return LoadedNetwork(model, name, checkpoint)


def build_model(
    path: Path, *, device: str, change: Callable[[Config], None] = lambda _: None
) -> TopdownPoseEstimator | BottomupPoseEstimator:
    """Build the network of a config, which ``change`` may change first, with random weights.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it is unusable.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such config")
    try:
        config = Config.fromfile(path)
        change(config)
        return init_model(config, device=device)
    except (AttributeError, KeyError, NameError, OSError, SyntaxError, TypeError) as error:
        raise ValueError(f"{path}: not a usable config of a pose estimator ({error!r})") from error


def check_device(device: str) -> None:
    """Check that PyTorch knows a device and has it; raises ValueError if not."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {device!r} cannot be used ({reason}): try "cpu"') from error
