"""Draw poses, heatmaps and part affinity fields with OpenCV.

The person's right side is orange, the left blue, the midline white; a dark rim keeps lines readable on any background.
"""

import cv2
import numpy as np

from efficientpose.core.poses import Pose
from efficientpose.core.skeleton import MPII_SKELETON, Skeleton

Colour = tuple[int, int, int]

RIGHT_COLOUR: Colour = (0, 140, 255)
LEFT_COLOUR: Colour = (255, 144, 30)
MIDDLE_COLOUR: Colour = (245, 245, 245)
RIM_COLOUR: Colour = (25, 25, 25)
MIN_DRAWN_SCORE = 0.1

_SUBPIXEL_BITS = 4
_TILE_COLUMNS = 4
_CAPTION_HEIGHT = 18


def side_colour(name: str) -> Colour:
    """Return the BGR colour of a keypoint by the side of the body it is on."""
    if name.startswith("right_"):
        return RIGHT_COLOUR
    return LEFT_COLOUR if name.startswith("left_") else MIDDLE_COLOUR


def draw_poses(
    image: np.ndarray,
    poses: tuple[Pose, ...],
    *,
    min_score: float = MIN_DRAWN_SCORE,
    skeleton: Skeleton = MPII_SKELETON,
) -> np.ndarray:
    """Draw poses, in pixel-centre indices, over a copy of an image (H, W, 3) uint8, BGR.

    Keypoints that score less than ``min_score``, and their limbs, are left out.
    """
    canvas = image.copy()
    for pose in poses:
        width = _line_width(pose, max(canvas.shape[:2]), min_score=min_score)
        _draw_limbs(canvas, pose.keypoints, skeleton, width=width, min_score=min_score)
        _draw_keypoints(canvas, pose.keypoints, skeleton, width=width, min_score=min_score)
    return canvas


def _line_width(pose: Pose, image_side: int, *, min_score: float) -> int:
    """About 1.5% of the person's size, and at least 0.25% of the image's."""
    seen = pose.keypoints[pose.keypoints[:, 2] >= min_score, :2]
    extent = float(np.ptp(seen, axis=0).max()) if len(seen) > 1 else 0.0
    return max(2, round(0.015 * extent), round(0.0025 * image_side))


def _fixed_point(point: np.ndarray) -> tuple[int, int]:
    x, y = np.round(point[:2] * (1 << _SUBPIXEL_BITS)).astype(int)
    return int(x), int(y)


def _draw_limbs(canvas: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton, *, width: int, min_score: float) -> None:
    drawn = [limb for limb in skeleton.limbs if keypoints[list(limb), 2].min() >= min_score]
    rim = max(2, width // 2)
    for colour_of, thickness in ((lambda _: RIM_COLOUR, width + rim), (side_colour, width)):
        for limb in drawn:
            start, end = (_fixed_point(keypoints[joint]) for joint in limb)
            colour = colour_of(skeleton.keypoint_names[limb.distal])
            cv2.line(canvas, start, end, colour, thickness, cv2.LINE_AA, shift=_SUBPIXEL_BITS)


def _draw_keypoints(
    canvas: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton, *, width: int, min_score: float
) -> None:
    radius = round(0.9 * width) + 1
    rim = max(1, width // 3)
    for name, keypoint in zip(skeleton.keypoint_names, keypoints, strict=True):
        if keypoint[2] < min_score:
            continue
        centre = _fixed_point(keypoint)
        for colour, size in ((RIM_COLOUR, radius + rim), (side_colour(name), radius)):
            cv2.circle(canvas, centre, size << _SUBPIXEL_BITS, colour, cv2.FILLED, cv2.LINE_AA, shift=_SUBPIXEL_BITS)


def draw_heatmaps(crop: np.ndarray, heatmaps: np.ndarray, *, skeleton: Skeleton = MPII_SKELETON) -> np.ndarray:
    """Draw heatmaps (K, h, w), from 0 to 1, over the network's input (H, W, 3) uint8, BGR.

    Return captioned tiles of H × W pixels, four a row; the last row is padded with black.
    """
    height, width = crop.shape[:2]
    tiles = []
    for name, heatmap in zip(skeleton.keypoint_names, heatmaps, strict=True):
        strength = cv2.resize(np.clip(heatmap, 0, 1).astype(np.float32), (width, height))
        heat = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        tile = cv2.addWeighted(crop, 0.45, heat, 0.75, 0)
        tiles.append(_with_caption(tile, f"{name} {float(np.max(heatmap)):.2f}"))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _TILE_COLUMNS)
    rows = [np.hstack(tiles[start : start + _TILE_COLUMNS]) for start in range(0, len(tiles), _TILE_COLUMNS)]
    return np.vstack(rows)


def _with_caption(tile: np.ndarray, text: str) -> np.ndarray:
    caption = np.full((_CAPTION_HEIGHT, tile.shape[1], 3), 20, np.uint8)
    cv2.putText(caption, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, MIDDLE_COLOUR, 1, cv2.LINE_AA)
    return np.vstack((caption, tile))


def draw_pafs(crop: np.ndarray, pafs: np.ndarray) -> np.ndarray:
    """Draw part affinity fields (2L, h, w), x before y, over the network's input (H, W, 3) uint8, BGR.

    Hue is the direction, brightness the strength.
    """
    height, width = crop.shape[:2]
    vectors = pafs.reshape(-1, 2, *pafs.shape[1:])
    strongest = np.linalg.norm(vectors, axis=1).argmax(axis=0)
    x, y = np.take_along_axis(vectors, strongest[None, None], axis=0)[0].astype(np.float32)
    magnitude, degrees = cv2.cartToPolar(x, y, angleInDegrees=True)
    hsv = np.stack((degrees / 2, np.full_like(degrees, 255), np.clip(magnitude, 0, 1) * 255), axis=-1)
    fields = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR)
    return cv2.addWeighted(crop, 0.45, cv2.resize(fields, (width, height)), 0.85, 0)
