"""Check a skeleton of your own, and choose limbs, which form trees, among a dataset's links, which may close cycles."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from efficientpose.core.skeleton import Limb, Skeleton, mirror_name

NamePair = tuple[str, str]

TRUNK: Final = ("upper_neck", "neck", "thorax", "pelvis", "hip", "nose")
"""Limbs start from the first of these keypoints that the skeleton has."""


class SkeletonError(ValueError):
    """A skeleton cannot be used; the message says why and what would be right."""


class SkeletonDescription(NamedTuple):
    """A skeleton, and how it is scored."""

    skeleton: Skeleton  # checked
    # K, spread of the annotators' clicks on each keypoint, for COCO's object keypoint similarity
    sigmas: tuple[float, ...]
    dropped_links: tuple[NamePair, ...] = ()  # links of a dataset that did not become limbs


def make_skeleton(
    keypoint_names: Sequence[str], limbs: Sequence[NamePair], *, swaps: Mapping[str, str] | None = None
) -> Skeleton:
    """Check names, limbs and mirror images, and put them together.

    Args:
        keypoint_names: In the order of the annotations.
        limbs: Pairs of names, from the keypoint nearer the trunk to the one farther from it; no cycles.
        swaps: For each keypoint the one on the other side of the body; one that is absent is its own mirror image.
            None pairs names that begin with ``left_`` and ``right_``.

    Raises:
        SkeletonError: If it cannot be used.
    """
    _check_names(keypoint_names)
    _check_limbs(keypoint_names, limbs)
    swaps = _swaps_by_name(keypoint_names) if swaps is None else swaps
    _check_swaps(keypoint_names, swaps)
    _check_mirrored_limbs(limbs, swaps)
    index = list(keypoint_names).index
    return Skeleton(
        keypoint_names=tuple(keypoint_names),
        limbs=tuple(Limb(index(proximal), index(distal)) for proximal, distal in limbs),
        flip_indices=tuple(index(swaps.get(name, name)) for name in keypoint_names),
    )


def pairs_to_swaps(pairs: Sequence[NamePair]) -> dict[str, str]:
    """Return both directions of flip pairs; a SkeletonError if a keypoint is in two pairs."""
    swaps: dict[str, str] = {}
    for pair in pairs:
        for name, other in (pair, pair[::-1]):
            if swaps.setdefault(name, other) != other:
                raise SkeletonError(
                    f"{name} is the mirror image of {swaps[name]} and of {other}: flip pairs are mutual, so each "
                    "keypoint is in one pair at most"
                )
    return swaps


def check_known(given: Sequence[str], names: Sequence[str], *, what: str) -> None:
    """Check that keypoints are among the names; a SkeletonError if one is not."""
    for name in given:
        if name not in names:
            raise SkeletonError(f"{what}: there is no keypoint {name!r}; there are {', '.join(map(str, names))}")


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise SkeletonError("there are no keypoints: give at least two names")
    for name in names:
        if not isinstance(name, str) or not name.strip() or "," in name:
            raise SkeletonError(f"a keypoint is called {name!r}: a name is text without commas, such as left_knee")
    if doubled := sorted({name for name in names if list(names).count(name) > 1}):
        raise SkeletonError(f"{', '.join(doubled)} comes twice: each keypoint needs a name of its own")


def _check_limbs(names: Sequence[str], limbs: Sequence[NamePair]) -> None:
    if not limbs:
        raise SkeletonError("there are no limbs: the network predicts a part affinity field of at least one")
    for number, (proximal, distal) in enumerate(limbs):
        check_known((proximal, distal), names, what=f"limb {proximal}-{distal}")
        if proximal == distal:
            raise SkeletonError(f"limb {proximal}-{distal} joins a keypoint with itself: a limb joins two")
        towards = _find_parents(distal, limbs[:number])
        if proximal in towards:
            path = [proximal]
            while path[-1] != distal:
                path.append(towards[path[-1]])
            raise SkeletonError(
                f"limb {proximal}-{distal} closes a cycle ({' - '.join(path)} are joined without it): limbs form a "
                "tree, or several, so leave one of these out"
            )


def _find_parents(root: str, links: Sequence[NamePair]) -> dict[str, str]:
    """Follow links from a keypoint, nearest first; return for each one reached its neighbour towards the root."""
    parents: dict[str, str] = {}
    waiting = deque([root])
    while waiting:
        name = waiting.popleft()
        for link in links:
            for one, other in (link, link[::-1]):
                if one == name and other != root and other not in parents:
                    parents[other] = name
                    waiting.append(other)
    return parents


def _swaps_by_name(names: Sequence[str]) -> dict[str, str]:
    for name in names:
        if mirror_name(name) not in names:
            raise SkeletonError(
                f"{name} has no mirror image: add {mirror_name(name)}, or, if it is on one side only, give the flip "
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
                f"limb {proximal}-{distal} joins a keypoint with its mirror image, so that its direction would change "
                "in a mirrored image: leave it out, or join both to a keypoint between them"
            )
        wrong_way = " (not the other way round)" if mirrored[::-1] in limbs else ""
        raise SkeletonError(
            f"limb {proximal}-{distal} has no mirror image: add {mirrored[0]}-{mirrored[1]}{wrong_way}, or leave it out"
        )


def choose_limbs(
    names: Sequence[str], links: Sequence[NamePair], swaps: Mapping[str, str]
) -> tuple[tuple[NamePair, ...], tuple[NamePair, ...]]:
    """Choose limbs that reach every keypoint in the fewest steps from the trunk, the same on both sides.

    Args:
        names: All keypoints.
        links: Pairs of names, in any direction.
        swaps: For each keypoint the one on the other side; one that is absent is its own mirror image.

    Returns:
        Limbs, from the trunk outwards, in the order of the keypoints that they lead to; and the links left out, because
        they close a cycle or have no mirror image.

    Raises:
        SkeletonError: If a link's keypoint is unknown, or no limb is left.
    """
    for link in links:
        check_known(link, names, what=f"link {link[0]}-{link[1]}")
    parents: dict[str, str] = {}
    roots: set[str] = set()
    for root in (*(name for name in TRUNK if name in names), *names):
        if root not in parents and root not in roots:
            roots.add(root)
            parents |= _find_parents(root, links)
    limbs = {(parent, name) for name, parent in parents.items()}
    mirrored = {(swaps.get(proximal, proximal), swaps.get(distal, distal)) for proximal, distal in limbs}
    kept = sorted(limbs & mirrored, key=lambda limb: names.index(limb[1]))
    if not kept:
        raise SkeletonError("no link is left for a limb: describe the limbs, from the trunk outwards")
    return tuple(kept), tuple(link for link in links if link not in kept and link[::-1] not in kept)
