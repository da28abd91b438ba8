"""From a data set's links, which are for drawing and may close cycles, to limbs, which form trees."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from efficientpose.core.skeleton import Limb, Skeleton, mirror_name

NamePair = tuple[str, str]
MAX_LISTED = 8


class SkeletonError(ValueError):
    """A skeleton cannot be used; the message says why and what would be right."""


class SkeletonDescription(NamedTuple):
    """A skeleton, and how it is scored.

    Attributes:
        skeleton: Checked.
        sigmas: K, how far annotators scatter each keypoint, for COCO's object keypoint similarity.
    """

    skeleton: Skeleton
    sigmas: tuple[float, ...]


def make_skeleton(
    keypoint_names: Sequence[str], limbs: Sequence[NamePair], *, swaps: Mapping[str, str] | None = None
) -> Skeleton:
    """Check names, limbs and mirror images, and put them together.

    Args:
        keypoint_names: In the order of the annotations.
        limbs: Pairs of names, from the joint nearer the trunk to the one farther from it; no cycles.
        swaps: For each keypoint the one on the other side of the body; one that is not there is its own mirror image.
            None goes by names that begin with ``left_`` and ``right_``.

    Raises:
        SkeletonError: If it cannot be used.
    """
    _check_names(keypoint_names)
    _check_limbs(keypoint_names, limbs)
    mirrored = dict(swaps) if swaps is not None else _swaps_by_name(keypoint_names)
    _check_swaps(keypoint_names, mirrored)
    _check_mirrored_limbs(limbs, mirrored)
    index = list(keypoint_names).index
    return Skeleton(
        keypoint_names=tuple(keypoint_names),
        limbs=tuple(Limb(index(proximal), index(distal)) for proximal, distal in limbs),
        flip_indices=tuple(index(mirrored.get(name, name)) for name in keypoint_names),
    )


def pairs_to_swaps(pairs: Sequence[NamePair]) -> dict[str, str]:
    """Return both directions of flip pairs.

    Raises:
        SkeletonError: If a keypoint is in two pairs.
    """
    swaps: dict[str, str] = {}
    for pair in pairs:
        for name, other in (pair, pair[::-1]):
            if swaps.get(name, other) != other:
                raise SkeletonError(
                    f"{name} is the mirror image of {swaps[name]} and of {other}: flip pairs are mutual, so each "
                    "keypoint is in one pair at most"
                )
            swaps[name] = other
    return swaps


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise SkeletonError("there are no keypoints: give at least two names")
    for name in names:
        if not isinstance(name, str) or not name.strip() or "," in name:
            raise SkeletonError(f"a keypoint is called {name!r}: a name is text without commas, such as left_knee")
    doubled = sorted({name for name in names if list(names).count(name) > 1})
    if doubled:
        raise SkeletonError(f"{', '.join(doubled)} comes twice: each keypoint needs a name of its own")


def _check_limbs(names: Sequence[str], limbs: Sequence[NamePair]) -> None:
    if not limbs:
        raise SkeletonError("there are no limbs: the network predicts a part affinity field of at least one")
    group = {name: name for name in names}  # of a group of joined keypoints, each leads to the one that stands for it

    def find(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for proximal, distal in limbs:
        check_known((proximal, distal), names, what=f"limb {proximal}-{distal}")
        if proximal == distal:
            raise SkeletonError(f"limb {proximal}-{distal} joins a keypoint with itself: a limb joins two")
        if find(proximal) == find(distal):
            path = _find_path(limbs, proximal, distal)
            raise SkeletonError(
                f"limb {proximal}-{distal} closes a cycle ({' - '.join(path)} are joined without it): limbs form a "
                "tree, or several, so leave one of these out"
            )
        group[find(proximal)] = find(distal)


def check_known(given: Sequence[str], names: Sequence[str], *, what: str) -> None:
    """Check that keypoints are among those there are.

    Raises:
        SkeletonError: If one is not.
    """
    for name in given:
        if name not in names:
            raise SkeletonError(f"{what}: there is no keypoint {name!r}; there are {', '.join(map(str, names))}")


def _find_path(limbs: Sequence[NamePair], start: str, end: str) -> list[str]:
    """Return the keypoints from ``start`` to ``end`` along limbs other than the one between the two."""
    others = [limb for limb in limbs if set(limb) != {start, end}]
    paths = [[start]]
    seen = {start}
    while paths:
        path = paths.pop(0)
        if path[-1] == end:
            return path
        for pair in others:
            for one, other in (pair, pair[::-1]):
                if one == path[-1] and other not in seen:
                    seen.add(other)
                    paths.append([*path, other])
    return [start, end]  # the same limb given twice


def _swaps_by_name(names: Sequence[str]) -> dict[str, str]:
    for name in names:
        if mirror_name(name) not in names:
            raise SkeletonError(
                f"{name} has no mirror image: add {mirror_name(name)}, or, if it is on one side alone, give the flip "
                "pairs of the others; it then is its own"
            )
    return {name: mirror_name(name) for name in names}


def _check_swaps(names: Sequence[str], swaps: Mapping[str, str]) -> None:
    for name, other in swaps.items():
        check_known((name, other), names, what=f"flip pair {name}-{other}")
        if swaps.get(other, other) != name:
            raise SkeletonError(
                f"the mirror image of {name} is {other}, but that of {other} is {swaps.get(other, other)}: flip pairs "
                "are mutual"
            )


def _check_mirrored_limbs(limbs: Sequence[NamePair], swaps: Mapping[str, str]) -> None:
    for proximal, distal in limbs:
        mirrored = (swaps.get(proximal, proximal), swaps.get(distal, distal))
        if mirrored in limbs:
            continue
        if mirrored == (distal, proximal):
            raise SkeletonError(
                f"limb {proximal}-{distal} joins a keypoint with its mirror image, so that its direction would turn "
                "round in a mirrored picture: leave it out, or join both to a keypoint between them"
            )
        wrong_way = " (not the other way round)" if mirrored[::-1] in limbs else ""
        raise SkeletonError(
            f"limb {proximal}-{distal} has no mirror image: add {mirrored[0]}-{mirrored[1]}{wrong_way}, or leave it out"
        )


TRUNK = ("upper_neck", "neck", "thorax", "pelvis", "hip", "nose")
"""Keypoints that limbs may start from, the first of these that there is."""


class Chosen(NamedTuple):
    """Limbs chosen from links.

    Attributes:
        limbs: From the trunk outwards, in the order of the keypoints that they lead to.
        dropped: Links that are no limb, because they close a cycle or have no mirror image.
    """

    limbs: tuple[NamePair, ...]
    dropped: tuple[NamePair, ...]


def choose_limbs(names: Sequence[str], links: Sequence[NamePair], swaps: Mapping[str, str]) -> Chosen:
    """Choose limbs that reach every keypoint in the fewest steps from the trunk, and the same ones on both sides.

    Args:
        names: All keypoints.
        links: Pairs of names, in any direction.
        swaps: For each keypoint the one on the other side; one that is not there is its own mirror image.

    Raises:
        SkeletonError: If a link's keypoint is not there, or none is left.
    """
    for link in links:
        check_known(link, names, what=f"link {link[0]}-{link[1]}")
    roots = [name for name in TRUNK if name in names]
    parents: dict[str, str] = {}
    reached: set[str] = set()
    for root in (*roots, *names):
        if root not in reached:
            _spread(root, links, parents, reached)
    limbs = {(parent, name) for name, parent in parents.items()}
    mirrored = {(swaps.get(a, a), swaps.get(b, b)) for a, b in limbs}
    kept = sorted(limbs & mirrored, key=lambda limb: names.index(limb[1]))
    if not kept:
        raise SkeletonError("no link is left for a limb: describe the limbs, from the trunk outwards")
    dropped = tuple(link for link in links if link not in kept and link[::-1] not in kept)
    return Chosen(tuple(kept), dropped)


def _spread(root: str, links: Sequence[NamePair], parents: dict[str, str], reached: set[str]) -> None:
    """Follow links from a keypoint, nearest first; note each new keypoint's parent."""
    reached.add(root)
    waiting = deque([root])
    while waiting:
        name = waiting.popleft()
        for link in links:
            for one, other in (link, link[::-1]):
                if one == name and other not in reached:
                    reached.add(other)
                    parents[other] = name
                    waiting.append(other)
