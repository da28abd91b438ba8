"""From a data set's links, which are for drawing and may close cycles, to limbs, which form trees."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from efficientpose.skeletons.description import NamePair, SkeletonError, check_known

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
