"""Read a skeleton: from the command line, from a short description, or from MMPose's dataset information."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from yaml import YAMLError

from efficientpose.core.similarity import keypoint_spreads
from efficientpose.custom_skeletons.description import (
    NamePair,
    SkeletonDescription,
    SkeletonError,
    choose_limbs,
    make_skeleton,
    pairs_to_swaps,
)

DESCRIPTION_KEYS = ("keypoint_names", "limbs", "flip_pairs", "sigmas")


def describe(
    keypoint_names: Sequence[str],
    limbs: Sequence[NamePair],
    *,
    flip_pairs: Sequence[NamePair] | None = None,
    sigmas: Sequence[float] | None = None,
) -> SkeletonDescription:
    """Check a skeleton (see :func:`~efficientpose.custom_skeletons.description.make_skeleton`) and give it sigmas.

    Args:
        keypoint_names: In the order of the annotations.
        limbs: Pairs of names, from the trunk outwards.
        flip_pairs: Keypoints that are each other's mirror image; None pairs names with ``left_`` and ``right_``.
        sigmas: K positive numbers; None for COCO's of the same keypoint, or its shoulder's, 0.079.

    Raises:
        SkeletonError: If it cannot be used.
    """
    swaps = None if flip_pairs is None else pairs_to_swaps(flip_pairs)
    skeleton = make_skeleton(keypoint_names, limbs, swaps=swaps)
    chosen = keypoint_spreads(skeleton.keypoint_names).tolist() if sigmas is None else list(sigmas)
    if len(chosen) != len(keypoint_names) or not all(isinstance(value, int | float) and value > 0 for value in chosen):
        raise SkeletonError(f"sigmas are {chosen}, expected {len(keypoint_names)} positive numbers, one a keypoint")
    return SkeletonDescription(skeleton, tuple(float(value) for value in chosen))


def parse_names(text: str) -> list[str]:
    """Read "nose,left_eye"; an empty text has no names.

    Raises SkeletonError if an entry is empty.
    """
    names = [name.strip() for name in text.split(",")]
    if names == [""]:
        return []
    if "" in names:
        raise SkeletonError(f"{text!r}: an entry is empty; write one between every two commas")
    return names


def parse_pairs(text: str, names: Sequence[str], *, what: str) -> list[NamePair]:
    """Read "nose-left_eye,nose-right_eye"; names may contain hyphens. Messages call a pair ``what``.

    Raises SkeletonError if a pair is not two of the ``names``.
    """
    pairs = []
    for pair in parse_names(text):
        parts = pair.split("-")
        splits = [("-".join(parts[:cut]), "-".join(parts[cut:])) for cut in range(1, len(parts))]
        known = [split for split in splits if set(split) <= set(names)]
        if len(known) != 1:
            raise SkeletonError(
                f"{what} {pair!r} is not two of the keypoints joined by a hyphen; there are {', '.join(names)}"
            )
        pairs.append(known[0])
    return pairs


def read_skeleton(source: str) -> SkeletonDescription:
    """Read a description, or a dataset's information.

    Args:
        source: A ``.py``, ``.yaml`` or ``.json`` file, or one of an installed package such as
            "mmpose::_base_/datasets/coco.py". It has ``keypoint_names`` and ``limbs`` (pairs of names), and may have
            ``flip_pairs`` and ``sigmas``; or MMPose's ``dataset_info``, whose links become limbs where they can.

    Raises:
        FileNotFoundError: If there is no such file.
        SkeletonError: If it describes no skeleton, or one that cannot be used.
    """
    content = _load(source)
    if "dataset_info" in content:
        return _read_metainfo(content["dataset_info"], source)
    if missing := {"keypoint_names", "limbs"} - set(content):
        lacking = " and ".join(sorted(missing))
        raise SkeletonError(f"{source} lacks {lacking}: it needs keypoint_names and limbs, or MMPose's dataset_info")
    if unknown := set(content) - set(DESCRIPTION_KEYS):
        raise SkeletonError(
            f"{source} has {', '.join(sorted(unknown))}: a description has {', '.join(DESCRIPTION_KEYS)} alone"
        )
    flip_pairs = content.get("flip_pairs")
    return describe(
        list(content["keypoint_names"]),
        _as_pairs(content["limbs"], f"{source}: limbs"),
        flip_pairs=None if flip_pairs is None else _as_pairs(flip_pairs, f"{source}: flip_pairs"),
        sigmas=content.get("sigmas"),
    )


def _load(source: str) -> ConfigDict:
    try:
        config = get_config(source) if "::" in source else Config.fromfile(source)
    except FileNotFoundError:
        raise FileNotFoundError(f"{source}: no such file") from None
    except (AttributeError, ImportError, KeyError, OSError, SyntaxError, TypeError, ValueError, YAMLError) as error:
        raise SkeletonError(f"{source} cannot be read ({error}): expected .py, .yaml or .json") from error
    return config._cfg_dict


def _as_pairs(value: Any, what: str) -> list[NamePair]:
    """Return pairs of names; a text with one hyphen, "nose-left_eye", is a pair, too."""
    pairs = [tuple(pair.split("-")) if isinstance(pair, str) else tuple(pair) for pair in value]
    for pair in pairs:
        if len(pair) != 2:
            raise SkeletonError(f"{what} has {'-'.join(map(str, pair))!r}: expected pairs of keypoint names")
    return pairs  # type: ignore[return-value]  # two names each, as checked


def _read_metainfo(info: Mapping[str, Any], source: str) -> SkeletonDescription:
    try:
        keypoints = [info["keypoint_info"][index] for index in sorted(info["keypoint_info"])]
        names = [keypoint["name"] for keypoint in keypoints]
        swaps = {keypoint["name"]: keypoint["swap"] for keypoint in keypoints if keypoint.get("swap")}
        links = [(str(link["link"][0]), str(link["link"][1])) for link in info["skeleton_info"].values()]
        sigmas = [float(value) for value in info["sigmas"]]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SkeletonError(f"{source}: its dataset_info is not MMPose's, it lacks or misspells {error}") from error
    limbs, dropped = choose_limbs(names, links, swaps)
    skeleton = make_skeleton(names, limbs, swaps=swaps)
    if len(sigmas) != len(names):
        raise SkeletonError(f"{source}: {len(sigmas)} sigmas for {len(names)} keypoints, expected one each")
    return SkeletonDescription(skeleton, tuple(sigmas), dropped)
