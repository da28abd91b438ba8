"""Which keypoints and limbs the weights in a checkpoint are of."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from efficientpose.skeleton import KEYPOINT_NAMES, LIMBS, keypoint_names_of
from efficientpose.skeletons.description import NamePair


def recorded_keypoints(meta: Mapping[str, Any], *, num_keypoints: int) -> tuple[str, ...] | None:
    """Return the names of a checkpoint's keypoints; None where it does not say.

    Args:
        meta: Ours has ``keypoint_names``, that of MMEngine's training its data set's ``dataset_meta``; without either,
            sixteen keypoints are MPII's.
        num_keypoints: Heatmaps that the weights predict.
    """
    if "keypoint_names" in meta:
        return tuple(meta["keypoint_names"])
    if (meta.get("dataset_meta") or {}).get("keypoint_id2name"):
        return keypoint_names_of(meta["dataset_meta"])
    return KEYPOINT_NAMES if num_keypoints == len(KEYPOINT_NAMES) else None


def recorded_limbs(meta: Mapping[str, Any], names: Sequence[str], *, num_limbs: int) -> tuple[NamePair, ...] | None:
    """Return a checkpoint's limbs by the names of their keypoints; None where it does not say.

    Args:
        meta: Ours has ``limbs``, pairs of indices; that of MMEngine's training the text of its config, whose decoder
            has them unless they are MPII's.
        names: Its keypoints.
        num_limbs: Part affinity fields that the weights predict.
    """
    limbs = meta.get("limbs")
    if limbs is None and isinstance(meta.get("cfg"), str):
        limbs = _limbs_of_config(meta["cfg"])
    if limbs is None and tuple(names) == KEYPOINT_NAMES and num_limbs == len(LIMBS):
        limbs = LIMBS
    return None if limbs is None else tuple((names[int(proximal)], names[int(distal)]) for proximal, distal in limbs)


def _limbs_of_config(text: str) -> Sequence[Sequence[int]] | None:
    """Read ``model.head.decoder.limbs`` from a config's text without running it."""
    try:
        statements = ast.parse(text).body
    except SyntaxError:
        return None
    for statement in statements:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == ["model"]:
            value: ast.expr | None = statement.value
            for key in ("head", "decoder", "limbs"):
                keywords = value.keywords if isinstance(value, ast.Call) else []
                value = next((keyword.value for keyword in keywords if keyword.arg == key), None)
            return None if value is None else ast.literal_eval(value)
    return None
