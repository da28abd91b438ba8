"""Backgrounds: noisy gradients, a floor, and clutter of boxes, poles, leaves, panels and limb-like shapes."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from synthetic_people.wardrobe import sample_colour, sample_skin

_NOISE_CELLS: Final = (80, 24, 7)  # sizes of the blotches of noise, pixels


def mottle(rng: np.random.Generator, *, image_shape: tuple[int, int], strength: float) -> np.ndarray:
    """Return smooth noise (height, width, 3) float32 of three sizes, of about ``strength`` grey levels."""
    height, width = image_shape
    noise = np.zeros((height, width, 3), np.float32)
    for cell in _NOISE_CELLS:
        grid = 0.5 * rng.standard_normal((height // cell + 3, width // cell + 3, 3), dtype=np.float32)
        grid += rng.standard_normal(grid.shape[:2], dtype=np.float32)[..., None]
        noise += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    return noise * (strength / 2)


def _gradient(rng: np.random.Generator, image_shape: tuple[int, int]) -> np.ndarray:
    corners = np.array([[sample_colour(rng), sample_colour(rng)], [sample_colour(rng), sample_colour(rng)]], np.float32)
    mixed = rng.uniform(0.0, 0.8) * corners.mean(axis=(0, 1)) + rng.uniform(0.2, 0.6) * corners
    # Surroundings are greyer than clothes.
    grey = mixed.mean(axis=-1, keepdims=True)
    mixed = grey + rng.uniform(0.2, 0.9) * (mixed - grey)
    return cv2.resize(mixed.astype(np.float32), image_shape[::-1], interpolation=cv2.INTER_LINEAR)


def _add_floor(image: np.ndarray, rng: np.random.Generator) -> None:
    """Paint a floor below a horizon, sometimes with boards that run towards a vanishing point."""
    height, width = image.shape[:2]
    left, right = rng.uniform(0.35, 0.8) * height + rng.normal(0, 6, 2)
    colour = sample_colour(rng)
    floor = np.array([[-1, left], [width, right], [width, height], [-1, height]]).astype(np.int32)
    cv2.fillConvexPoly(image, floor, colour.tolist(), cv2.LINE_AA)
    if rng.random() < 0.5:
        vanishing = np.array([rng.uniform(0, width), min(left, right)])
        shade = (colour * rng.uniform(0.6, 0.9)).tolist()
        for foot in np.arange(-2 * width, 3 * width, rng.uniform(30, 120)):
            start = vanishing + 0.15 * (np.array([foot, height]) - vanishing)
            cv2.line(image, (int(start[0]), int(start[1])), (int(foot), height), shade, 1, cv2.LINE_AA)


def _turned_box(rng: np.random.Generator, centre: np.ndarray, half_size: np.ndarray, spread: float) -> np.ndarray:
    turn = rng.normal(0, spread)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half_size
    return np.round(corners @ axes + centre).astype(np.int32)


def draw_box(image: np.ndarray, rng: np.random.Generator, centre: np.ndarray, *, size: float) -> None:
    """Draw a box of about ``size`` pixels with a darker rim or a darker side."""
    colour = sample_colour(rng)
    corners = _turned_box(rng, centre, size * rng.uniform(0.25, 0.75, 2), 0.12)
    cv2.fillConvexPoly(image, corners, colour.tolist(), cv2.LINE_AA)
    cv2.polylines(image, [corners], True, (colour * 0.55).tolist(), int(rng.integers(1, 3)), cv2.LINE_AA)


def draw_blob(image: np.ndarray, rng: np.random.Generator, centre: np.ndarray, *, size: float) -> None:
    """Draw an ellipse of about ``size`` pixels with a highlight."""
    colour = sample_colour(rng)
    axes = np.maximum(size * rng.uniform(0.2, 0.6, 2), 2).astype(int)
    place, turn = centre.astype(int), float(rng.uniform(0, 180))
    cv2.ellipse(image, place.tolist(), axes.tolist(), turn, 0, 360, colour.tolist(), -1, cv2.LINE_AA)
    light = np.clip(colour * 1.25, 0, 255).tolist()
    cv2.ellipse(image, (place - axes // 5).tolist(), (axes // 2).tolist(), turn, 0, 360, light, -1, cv2.LINE_AA)


def draw_pole(image: np.ndarray, rng: np.random.Generator, centre: np.ndarray, *, size: float) -> None:
    """Draw a straight pole or rope, 1 to 8 pixels thick at ``size`` 60."""
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.05)
    reach = size * rng.uniform(0.6, 2.5) * np.array([np.cos(angle), np.sin(angle)])
    ends = [(centre + sign * reach).astype(int).tolist() for sign in (-1, 1)]
    thickness = max(1, int(size * rng.uniform(0.01, 0.13)))
    cv2.line(image, ends[0], ends[1], sample_colour(rng).tolist(), thickness, cv2.LINE_AA)


def draw_leaves(image: np.ndarray, rng: np.random.Generator, centre: np.ndarray, *, size: float) -> None:
    """Draw a clump of leaves about ``size`` pixels across."""
    num_leaves = int(rng.integers(15, 45))
    base = sample_colour(rng) * 0.5 + np.array([30, 90, 40]) * rng.uniform(0, 1)
    places = centre + rng.normal(0, size * 0.45, (num_leaves, 2))
    turns = rng.uniform(0, 2 * np.pi, num_leaves)
    along = np.stack([np.cos(turns), np.sin(turns)], axis=1) * size * rng.uniform(0.08, 0.2)
    across = along[:, ::-1] * np.array([-0.35, 0.35])
    leaves = np.round(np.stack([places - along, places + across, places + along, places - across], axis=1))
    shades = np.clip(base * rng.uniform(0.55, 1.45, (num_leaves, 1)), 0, 255).tolist()
    for leaf, shade in zip(leaves.astype(np.int32), shades, strict=True):
        cv2.fillConvexPoly(image, leaf, shade, cv2.LINE_AA)


def draw_panel(image: np.ndarray, rng: np.random.Generator, centre: np.ndarray, *, size: float) -> None:
    """Draw a striped panel: a fence, shutters, shelves or a window."""
    half = size * rng.uniform(0.4, 1.0, 2)
    low, high = (centre - half).astype(int), (centre + half).astype(int)
    cv2.rectangle(image, low.tolist(), high.tolist(), sample_colour(rng).tolist(), -1)
    stripe, axis = sample_colour(rng).tolist(), int(rng.integers(2))
    step = max(4, int(size * rng.uniform(0.08, 0.3)))
    for offset in range(low[axis], high[axis], step):
        start, end = low.copy(), high.copy()
        start[axis], end[axis] = offset, min(offset + step // 3, int(high[axis]))
        cv2.rectangle(image, start.tolist(), end.tolist(), stripe, -1)


def draw_limb_like(image: np.ndarray, rng: np.random.Generator, centre: np.ndarray, *, size: float) -> None:
    """Draw a bent tapered shape that looks like an arm without being one: branches, hoses, furniture legs."""
    colour = sample_skin(rng) if rng.random() < 0.5 else sample_colour(rng)
    turns = np.cumsum([rng.uniform(0, 2 * np.pi), rng.normal(0, 0.9)])
    steps = size * rng.uniform(0.35, 0.7) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    points = np.round(centre + np.concatenate([[[0.0, 0.0]], np.cumsum(steps, axis=0)])).astype(int).tolist()
    for start, end, share in ((points[0], points[1], 0.16), (points[1], points[2], 0.11)):
        cv2.line(image, start, end, (colour * 0.75).tolist(), max(1, int(size * share)), cv2.LINE_AA)
        cv2.line(image, start, end, colour.tolist(), max(1, int(size * share * 0.5)), cv2.LINE_AA)


Painter = Callable[..., None]  # draws one thing into an image, around ``centre`` (2,), about ``size`` pixels large

CLUTTER: Final[tuple[Painter, ...]] = (draw_box, draw_blob, draw_pole, draw_leaves, draw_panel, draw_limb_like)


def sample_background(rng: np.random.Generator, *, image_shape: tuple[int, int]) -> np.ndarray:
    """Return a background (height, width, 3) uint8, BGR."""
    height, width = image_shape
    image = _gradient(rng, image_shape)
    if rng.random() < 0.7:
        _add_floor(image, rng)
    image += mottle(rng, image_shape=image_shape, strength=rng.uniform(2, 16))
    image = np.clip(image, 0, 255).astype(np.uint8)
    favourite = rng.dirichlet(np.full(len(CLUTTER), 0.9))
    for kind in rng.choice(len(CLUTTER), size=int(rng.integers(2, 18)), p=favourite):
        CLUTTER[kind](image, rng, rng.uniform(0, 1, 2) * (width, height), size=rng.uniform(15, 80))
    if rng.random() < 0.35:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 2.5))
    return image
