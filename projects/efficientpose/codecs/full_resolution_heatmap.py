"""The codec between keypoints and the network's heatmaps and part affinity fields."""

import copy
import math
from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from efficientpose.codecs.targets import (
    Targets,
    check_sigma,
    keypoint_weights,
    known_cells,
    limb_weights,
    render_heatmaps,
    render_pafs,
    render_scene_heatmaps,
    render_scene_pafs,
    separate_heatmaps,
    weights_of_labels,
)
from efficientpose.core.decoding import STRIDE, DensePeakFinder, Peaks, SparsePeakFinder
from efficientpose.core.skeleton import LIMBS

TYPICAL_LIMB = 0.2  # length of a limb in a crop of one person, as a fraction of the crop's side


@KEYPOINT_CODECS.register_module()
class FullResolutionHeatmap(BaseKeypointCodec):
    """Gaussian heatmaps whose width is a fraction of the input, decoded by the highest peak after a light blur.

    All coordinates are pixel-centre indices of the network input, without offset: a peak at full resolution lies on the
    keypoint. MMPose's (non-UDP) affine transform maps such indices linearly to and from the image.

    Args:
        input_size: (width, height) of the network input, multiples of 8.
        heatmap_size: (width, height) of the heatmaps that :meth:`encode` draws; None for ``input_size``.
        sigma: Width of the Gaussian exp(-d² / sigma²) as a fraction of the input's longer side. The released networks'
            peaks fit 0.05.
        limbs: Pairs (proximal, distal) of keypoint indices that have a part affinity field.
        limb_half_width: Half the width of a part affinity band, in cells at stride 8.
        blur_sigma: Standard deviation in cells of the decoder's blur, as released; 0 for none.
        sparse: Whether a head with bilinear upsampling should skip it and call :meth:`decode_sparsely`: the same
            keypoints in a fraction of the time.
        subpixel: Whether to refine peaks, see :class:`~efficientpose.core.decoding.PeakRefiner`. On drawn peaks it
            reduces the decoder's own error from 0.32 px to 0.06 px (RT) and from 0.26 px to 0.03 px (II). The networks'
            errors are so much larger that no score shows it.
        encode_pafs: Whether :meth:`encode` draws part affinity fields as well. ``PackPoseInputs`` packs them beside
            heatmaps of their size alone, with ``heatmap_size`` an eighth of ``input_size``.

    Raises:
        ValueError: If the input is not a multiple of 8, the heatmap size does not divide it, or a width is not
        positive.
    """

    label_mapping_table = dict(keypoint_weights="keypoint_weights")
    field_mapping_table = dict(heatmaps="heatmaps")
    separable = True  # render leaves Gaussians as columns and rows, if asked to

    def __init__(
        self,
        *,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int] | None = None,
        sigma: float = 0.05,
        limbs: Sequence[tuple[int, int]] = LIMBS,
        limb_half_width: float = 1.0,
        blur_sigma: float = 1.0,
        sparse: bool = True,
        subpixel: bool = False,
        encode_pafs: bool = False,
    ) -> None:
        super().__init__()
        width, height = input_size
        if width < STRIDE or height < STRIDE or width % STRIDE or height % STRIDE:
            nearest = tuple(max(STRIDE, round(side / STRIDE) * STRIDE) for side in input_size)
            raise ValueError(f"input_size must hold multiples of {STRIDE}, got {tuple(input_size)}: try {nearest}")
        if limb_half_width <= 0 or blur_sigma < 0:
            raise ValueError(
                f"limb_half_width must be positive and blur_sigma at least 0, got {limb_half_width} and {blur_sigma}"
            )
        check_sigma("sigma", sigma)
        self.input_size = (int(width), int(height))
        self.heatmap_size = self.input_size if heatmap_size is None else (int(heatmap_size[0]), int(heatmap_size[1]))
        self.heatmap_stride = self._stride_of(self.heatmap_size)
        self.sigma = sigma
        self.limbs = tuple((int(proximal), int(distal)) for proximal, distal in limbs)
        self.limb_half_width, self.blur_sigma = limb_half_width, blur_sigma
        self.sparse, self.subpixel, self.encode_pafs = sparse, subpixel, encode_pafs
        if encode_pafs and self.heatmap_stride == STRIDE:  # MMPose packs fields of one size only
            self.field_mapping_table = dict(heatmaps="heatmaps", pafs="pafs")
            self.label_mapping_table = dict(keypoint_weights="keypoint_weights", limb_weights="limb_weights")

    def resized(self, input_size: tuple[int, int]) -> "FullResolutionHeatmap":
        """Return this codec, at its present sigma, for an input of another (width, height), a multiple of 8."""
        other = copy.copy(self)
        other.__dict__.pop("_peak_finder", None)
        other.input_size = input_size
        other.heatmap_size = (input_size[0] // self.heatmap_stride, input_size[1] // self.heatmap_stride)
        return other

    @property
    def sigma_pixels(self) -> float:
        """Width of the Gaussian in input pixels, the same at every stride."""
        return self.sigma * max(self.input_size)

    @property
    def heatmap_energy(self) -> float:
        """Mean square of a heatmap whose keypoint lies well inside, at any stride: πσ²/2 on a square."""
        width, height = self.input_size
        return math.pi * self.sigma_pixels**2 / (2 * width * height)

    @property
    def paf_energy(self) -> float:
        """Mean square of one component of a field whose limb is as long as :data:`TYPICAL_LIMB` says."""
        width, height = self.input_size
        band = 2 * self.limb_half_width * STRIDE * TYPICAL_LIMB * max(width, height)
        return band / (2 * width * height)

    def _stride_of(self, map_size: tuple[int, int]) -> int:
        (width, height), (map_width, map_height) = self.input_size, map_size
        stride = width // map_width if map_width else 0
        if stride < 1 or (map_width * stride, map_height * stride) != (width, height):
            raise ValueError(
                f"maps of (width, height) {(map_width, map_height)} do not fit an input of {self.input_size}: "
                "their size must be the input's, divided by one whole number"
            )
        return stride

    def render(
        self,
        keypoints: Tensor,
        labelled: Tensor,
        *,
        with_pafs: bool = True,
        with_full_heatmaps: bool = True,
        separably: bool = False,
    ) -> Targets:
        """Draw the targets of a batch on the keypoints' device.

        Keypoints (B, K, 2) are in the input frame and weighted by ``labelled`` (B, K); where that is 0 they may hold
        anything. ``separably`` leaves the heatmaps at full resolution as their columns and rows.
        """
        finite = torch.where((labelled > 0).unsqueeze(-1), keypoints, 0.0)
        width, height = self.input_size
        full = None
        if with_full_heatmaps:
            full = separate_heatmaps(finite, map_shape=(height, width), stride=1, sigma=self.sigma_pixels)
        return Targets(
            heatmaps=self._render_heatmaps(finite, stride=STRIDE),
            full_heatmaps=None if full is None or separably else full.multiply(),
            pafs=self._render_pafs(finite) if with_pafs else None,
            keypoint_weights=keypoint_weights(keypoints, labelled, input_size=self.input_size),
            limb_weights=limb_weights(labelled, self.limbs) if with_pafs else None,
            heatmap_energy=self.heatmap_energy,
            paf_energy=self.paf_energy,
            separable_heatmaps=full if separably else None,
        )

    @property
    def _coarse_shape(self) -> tuple[int, int]:
        """(h, w) at stride 8."""
        return (self.input_size[1] // STRIDE, self.input_size[0] // STRIDE)

    def _render_heatmaps(self, keypoints: Tensor, *, stride: int) -> Tensor:
        """Draw heatmaps (B, K, H / stride, W / stride) of keypoints (B, K, 2)."""
        map_shape = (self.input_size[1] // stride, self.input_size[0] // stride)
        return render_heatmaps(keypoints, map_shape=map_shape, stride=stride, sigma=self.sigma_pixels)

    def _render_pafs(self, keypoints: Tensor) -> Tensor:
        """Draw part affinity fields (B, 2L, h, w) at stride 8 of keypoints (B, K, 2)."""
        half_width = self.limb_half_width * STRIDE
        return render_pafs(keypoints, self.limbs, map_shape=self._coarse_shape, stride=STRIDE, half_width=half_width)

    def render_scenes(self, keypoints: Tensor, labelled: Tensor, boxes: Tensor) -> Targets:
        """Draw the targets of scenes with up to P people at stride 8; an empty place has no label and no box.

        Where a person's keypoint is not labelled, its heatmap does not count inside that person's bounding box.
        Keypoints (B, P, K, 2) and boxes (B, P, 4) x1, y1, x2, y2 are in the input frame; where ``labelled`` (B, P, K)
        is 0 a keypoint may hold anything.
        """
        draw_heatmaps = partial(render_scene_heatmaps, map_shape=self._coarse_shape, stride=STRIDE)
        draw_pafs = partial(render_scene_pafs, map_shape=self._coarse_shape, stride=STRIDE)
        find_known = partial(known_cells, map_shape=self._coarse_shape, stride=STRIDE)
        limbs_labelled = limb_weights(labelled.flatten(0, 1), self.limbs).unflatten(0, labelled.shape[:2])  # (B, P, L)
        return Targets(
            heatmaps=draw_heatmaps(keypoints, labelled, sigma=self.sigma_pixels),
            full_heatmaps=None,
            pafs=draw_pafs(keypoints, labelled, self.limbs, half_width=self.limb_half_width * STRIDE),
            keypoint_weights=find_known(labelled, boxes),
            limb_weights=find_known(limbs_labelled, boxes),
            heatmap_energy=self.heatmap_energy,
            paf_energy=self.paf_energy,
        )

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Draw one person's heatmaps in the data loader, for heads that expect them from there.

        Keypoints (1, K, 2) are in the input frame; ``keypoints_visible`` (1, K) is nonzero where labelled, None if all
        are, or (1, K, 2) with a column of weights. Returns ``heatmaps``, (K, h, w) float32 of ``heatmap_size``, and
        ``keypoint_weights``, (1, K); with ``encode_pafs`` also ``pafs``, (2L, h, w) at stride 8, and ``limb_weights``,
        (1, L), as :meth:`render` does.

        Raises:
            ValueError: If there is not exactly one person.
        """
        if keypoints.shape[0] != 1:
            raise ValueError(f"one person a crop can be encoded, got {keypoints.shape[0]}")
        labelled = weights_of_labels(np.ones(keypoints.shape[:2]) if keypoints_visible is None else keypoints_visible)
        points = torch.from_numpy(np.where(labelled[..., None] > 0, keypoints, 0).astype(np.float32))
        heatmaps = self._render_heatmaps(points, stride=self.heatmap_stride)
        is_labelled = torch.from_numpy(labelled)
        weights = keypoint_weights(points, is_labelled, input_size=self.input_size)
        encoded = dict(heatmaps=heatmaps[0], keypoint_weights=weights)
        if self.encode_pafs:
            encoded |= dict(pafs=self._render_pafs(points)[0], limb_weights=limb_weights(is_labelled, self.limbs))
        return {name: tensor.numpy() for name, tensor in encoded.items()}

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the peak of each of the heatmaps (K, h, w), at full resolution or at a stride; they are not changed.

        Returns keypoints (1, K, 2) in the input frame and scores (1, K), the heatmap without blur at the peak.

        Raises:
            ValueError: If the heatmaps' size does not divide the input's.
        """
        _, height, width = encoded.shape
        stride = self._stride_of((width, height))
        finder = DensePeakFinder((height, width), stride=stride, blur_sigma=self.blur_sigma, subpixel=self.subpixel)
        return finder.find(encoded[None])

    @cached_property
    def _peak_finder(self) -> SparsePeakFinder:
        return SparsePeakFinder(self._coarse_shape, blur_sigma=self.blur_sigma, subpixel=self.subpixel)

    def decode_sparsely(self, heatmaps: np.ndarray) -> Peaks:
        """Find the peaks that :meth:`decode` would find after bilinear upsampling, without upsampling.

        Heatmaps are (B, K, h / 8, w / 8) and not changed.
        """
        return self._peak_finder.find(heatmaps)
