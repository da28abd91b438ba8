"""Which keypoints and limbs of one skeleton are those of another, by their names."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from efficientpose.skeletons.description import NamePair, SkeletonError, check_known

SAME_PLACE: Final = (
    ("head_top", "head", "top_head"),
    ("upper_neck", "neck"),
    ("pelvis", "hip", "mid_hip"),
)
"""Names of one place on the body in different data sets; the first is MPII's.

Halpe's head is the top of the head and its neck MPII's upper neck, as MMPose's own mapping between the two has it
(RTMPose's configs); LSP's and CrowdPose's neck and head are the same. Halpe's hip lies midway between the hips, as
MPII's pelvis does. MPII's thorax, between the shoulders, is nobody else's neck.
"""


class LimbMatch(NamedTuple):
    """A limb of the other skeleton, by its number, and whether it points the other way."""

    number: int
    is_reversed: bool


def match_keypoints(
    names: Sequence[str], others: Sequence[str], *, aliases: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return for each keypoint the other skeleton's at the same place; those without one are left out.

    Names are compared without regard to upper and lower case, spaces and hyphens.

    Args:
        names: Keypoints.
        others: The other skeleton's.
        aliases: Other skeleton's keypoints for some of these, before all else.

    Raises:
        SkeletonError: If an alias names a keypoint that is not there.
    """
    given = dict(aliases or {})
    check_known(list(given), names, what="aliases")
    check_known(list(given.values()), others, what="aliases of the checkpoint's keypoints")
    by_place = {_place(name): name for name in reversed(others)}
    found = {name: name if name in others else by_place[_place(name)] for name in names if _place(name) in by_place}
    return found | given


def _place(name: str) -> str:
    plain = name.lower().replace(" ", "_").replace("-", "_")
    return next((group[0] for group in SAME_PLACE if plain in group), plain)


def match_limbs(
    limbs: Sequence[NamePair], others: Sequence[NamePair], keypoints: Mapping[str, str]
) -> dict[int, LimbMatch]:
    """Return for each limb, by its index, the other skeleton's between the same keypoints.

    Args:
        limbs: Pairs of names.
        others: The other skeleton's.
        keypoints: As :func:`match_keypoints` returns them.
    """
    found = {}
    for number, (proximal, distal) in enumerate(limbs):
        pair = (keypoints.get(proximal), keypoints.get(distal))
        for is_reversed, wanted in ((False, pair), (True, pair[::-1])):
            if wanted in others:
                found[number] = LimbMatch(list(others).index(wanted), is_reversed)  # type: ignore[arg-type]
                break
    return found


def check_count(names: Sequence[str], *, count: int, what: str, whose: str) -> None:
    """Check that there are as many names as maps.

    Raises:
        SkeletonError: If not.
    """
    if len(names) != count:
        raise SkeletonError(f"{whose} has {count} {what}, but {len(names)} are named: {', '.join(map(str, names))}")
