"""Start a network from the weights of another skeleton, keypoint by keypoint and limb by limb."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from efficientpose.core.skeleton import KEYPOINT_NAMES, LIMBS, keypoint_names_of
from efficientpose.custom_skeletons.description import NamePair, SkeletonError, check_known
from efficientpose.models.head import EfficientPoseHead
from efficientpose.models.state_dicts import StateDictError, list_misfits

SAME_PLACE: Final = (
    ("head_top", "head", "top_head"),
    ("upper_neck", "neck"),
    ("pelvis", "hip", "mid_hip"),
)
"""Names of one place on the body in different datasets; the first is MPII's.

Halpe's head is the top of the head and its neck MPII's upper neck, as in MMPose's mapping between the two (RTMPose's
configs), and so are LSP's and CrowdPose's. Halpe's hip lies midway between the hips, as MPII's pelvis does. MPII's
thorax, between the shoulders, is no other dataset's neck.
"""


class LimbMatch(NamedTuple):
    """The number of a limb in the other skeleton, and whether it points the other way."""

    number: int
    is_reversed: bool


def match_keypoints(
    names: Sequence[str], others: Sequence[str], *, aliases: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the keypoint of the other skeleton at the same place for each of ``names`` that has one.

    Upper and lower case, spaces, hyphens and underscores make no difference. ``aliases`` overrule the names.

    Raises SkeletonError if an alias names an unknown keypoint.
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
    """Return for each limb, by its index, the other skeleton's between the matched ``keypoints``."""
    found = {}
    for number, (proximal, distal) in enumerate(limbs):
        pair = (keypoints.get(proximal), keypoints.get(distal))
        for is_reversed, wanted in ((False, pair), (True, pair[::-1])):
            if wanted in others:
                found[number] = LimbMatch(list(others).index(wanted), is_reversed)  # type: ignore[arg-type]
                break
    return found


def check_count(names: Sequence[str], *, count: int, what: str, whose: str) -> None:
    """Raise SkeletonError unless there are ``count`` names."""
    if len(names) != count:
        raise SkeletonError(f"{whose} has {count} {what}, but {len(names)} are named: {', '.join(map(str, names))}")


def recorded_keypoints(meta: Mapping[str, Any], *, num_keypoints: int) -> tuple[str, ...] | None:
    """Return the names of a checkpoint's keypoints; None where it does not say.

    Our ``meta`` has ``keypoint_names``, that of MMEngine's training ``dataset_meta``; without either, sixteen keypoints
    are MPII's.
    """
    if "keypoint_names" in meta:
        return tuple(meta["keypoint_names"])
    if (meta.get("dataset_meta") or {}).get("keypoint_id2name"):
        return keypoint_names_of(meta["dataset_meta"])
    return KEYPOINT_NAMES if num_keypoints == len(KEYPOINT_NAMES) else None


def recorded_limbs(meta: Mapping[str, Any], names: Sequence[str], *, num_limbs: int) -> tuple[NamePair, ...] | None:
    """Return a checkpoint's limbs as pairs of keypoint ``names``; None where it does not say.

    Our ``meta`` has ``limbs``, pairs of indices; that of MMEngine's training has the text of its config, whose decoder
    has them unless they are MPII's.
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


HEAD_PREFIX = "head."
_PAF_PREDICTION = f"{HEAD_PREFIX}paf_pass.predict."
_UPSAMPLER = f"{HEAD_PREFIX}upsampler."
_MAX_LISTED = 5

State = Mapping[str, Tensor]


class Carried(NamedTuple):
    """What a network keeps of another's predictions."""

    keypoints: dict[str, str]  # for each keypoint that both have, the other's name
    rows: list[tuple[int, int]]  # indices of these keypoints, (own, other's)
    limbs: dict[int, LimbMatch]  # for each limb that both have, by its index, the other's


@WEIGHT_INITIALIZERS.register_module()
class PretrainedKeypoints:
    """Load all weights that do not depend on the skeleton, and the predictions of keypoints and limbs that both have.

    Skeletons differ only in the prediction layers (and learnt upsampling), because predicted heatmaps and fields are
    never fed forward. A heatmap's weights are kept where the names agree (see :data:`SAME_PLACE`), those of a part
    affinity field where both keypoints do, with the opposite sign if the limb points the other way.

    In a config: ``model.init_cfg = dict(type="PretrainedKeypoints", checkpoint="efficientpose://rt",
    keypoint_names=[...])``. Limbs are those of the head's decoder. Unlike ``load_from``, it does not disturb
    ``--resume``.

    Args:
        checkpoint: What MMEngine loads: "efficientpose://rt", a released file, a checkpoint of ours or of a training.
        keypoint_names: Of the network to start, in the order of its heatmaps.
        source_keypoint_names: Of the checkpoint; None for those it records.
        source_limbs: Of the checkpoint, pairs of names; None for those it records.
        aliases: For keypoints of the network, the checkpoint's at the same place, where names do not tell.
    """

    def __init__(
        self,
        *,
        checkpoint: str,
        keypoint_names: Sequence[str],
        source_keypoint_names: Sequence[str] | None = None,
        source_limbs: Sequence[NamePair] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.keypoint_names = tuple(keypoint_names)
        self.source_keypoint_names = source_keypoint_names
        self.source_limbs = source_limbs
        self.aliases = aliases
        self.wholemodule = False  # MMEngine sets it

    def __call__(self, module: nn.Module) -> None:
        """Initialise a pose estimator (MMEngine's contract).

        Raises SkeletonError if the number of keypoints is not that of the names, or the checkpoint's are unknown;
        StateDictError if tensors other than predictions do not fit; the network keeps its random weights.
        """
        head = getattr(module, "head", None)
        if not isinstance(head, EfficientPoseHead) or head.decoder is None:
            raise SkeletonError(
                f"PretrainedKeypoints is model.init_cfg of an estimator whose head is an EfficientPoseHead with a "
                f"decoder, got {type(module).__name__} with {type(head).__name__}"
            )
        for child in module.children():  # first, and only once: MMEngine leaves out what is initialised
            if isinstance(child, BaseModule) and not child.is_init:
                child.init_weights()
        loaded = CheckpointLoader.load_checkpoint(self.checkpoint, map_location="cpu")
        source = loaded.get("state_dict", loaded)
        carried = self._match(head, source, loaded.get("meta") or {})
        module.load_state_dict(self._merge(module.state_dict(), source, carried), strict=True)
        if hasattr(module, "_params_init_info"):
            update_init_info(module, init_info=f"PretrainedKeypoints: load from {self.checkpoint}")
        print_log(self._report(head, carried), logger="current")

    def _match(self, head: EfficientPoseHead, source: State, meta: Mapping[str, Any]) -> Carried:
        num_keypoints, num_limbs = count_maps(source, self.checkpoint)
        names = self.source_keypoint_names or recorded_keypoints(meta, num_keypoints=num_keypoints)
        if names is None:
            raise SkeletonError(
                f"{self.checkpoint} does not say which its {num_keypoints} keypoints are: give source_keypoint_names "
                "and source_limbs"
            )
        check_count(names, count=num_keypoints, what="keypoints", whose=self.checkpoint)
        own = head.passes[-1].predict.out_channels
        check_count(self.keypoint_names, count=own, what="keypoints", whose="the network (model.head.num_keypoints)")
        limbs = self.source_limbs or recorded_limbs(meta, names, num_limbs=num_limbs)
        if limbs is None:
            raise SkeletonError(f"{self.checkpoint} does not say which its {num_limbs} limbs are: give source_limbs")
        others = [(str(proximal), str(distal)) for proximal, distal in limbs]
        if num_limbs:
            check_count(["-".join(limb) for limb in others], count=num_limbs, what="limbs", whose=self.checkpoint)
        keypoints = match_keypoints(self.keypoint_names, names, aliases=self.aliases)
        matched = match_limbs(self._named_limbs(head), others, keypoints) if num_limbs else {}
        rows = [(self.keypoint_names.index(name), list(names).index(other)) for name, other in keypoints.items()]
        return Carried(keypoints, rows, matched)

    def _named_limbs(self, head: EfficientPoseHead) -> list[NamePair]:
        if head.paf_pass is None or head.decoder is None:
            return []
        return [(self.keypoint_names[proximal], self.keypoint_names[distal]) for proximal, distal in head.decoder.limbs]

    def _merge(self, own: State, source: State, carried: Carried) -> dict[str, Tensor]:
        """Return the network's state: the source's tensors, and what is carried of the predictions."""
        misfits = list_misfits(
            {key: tensor for key, tensor in source.items() if not _depends_on_skeleton(key)},
            {key: tensor for key, tensor in own.items() if not _depends_on_skeleton(key)},
        )
        if _has_upsampler(source) and not _has_upsampler(own):
            misfits.append('its upsampling is learnt: set model.head.upsampling to "transposed_conv"')
        if misfits:
            shown = "\n  ".join(misfits[:_MAX_LISTED])
            raise StateDictError(
                f"{self.checkpoint} does not fit this network, apart from its keypoints: {len(misfits)} tensors, such "
                f"as\n  {shown}\nIs it of another variant?"
            )
        merged = {key: source[key] if not _depends_on_skeleton(key) else own[key].clone() for key in own}
        for key, tensor in merged.items():
            if key.startswith(_PAF_PREDICTION):
                _copy_fields(tensor, source[key], carried.limbs)
            elif key.startswith(_UPSAMPLER):
                if key in source:
                    _copy_upsampling(tensor, source[key], carried.rows)
            elif _depends_on_skeleton(key):
                for target, row in carried.rows:
                    tensor[target] = source[key][row]
        return merged

    def _report(self, head: EfficientPoseHead, carried: Carried) -> str:
        def describe(name: str) -> str:
            other = carried.keypoints[name]
            return name if name == other else f"{name} (from {other})"

        limbs = ["-".join(limb) for limb in self._named_limbs(head)]
        reversed_limbs = {number: " (reversed)" for number, match in carried.limbs.items() if match.is_reversed}
        kept = [limbs[number] + reversed_limbs.get(number, "") for number in sorted(carried.limbs)]
        anew = ", ".join(name for name in self.keypoint_names if name not in carried.keypoints) or "(none)"
        limbs_anew = ", ".join(limb for number, limb in enumerate(limbs) if number not in carried.limbs) or "(none)"
        return (
            f"{self.checkpoint}: all weights are kept except predictions, and of these\n"
            f"  {len(carried.keypoints)} of {len(self.keypoint_names)} keypoints: "
            f"{', '.join(map(describe, carried.keypoints)) or 'none'}\n"
            f"  {len(kept)} of {len(limbs)} limbs: {', '.join(kept) or 'none'}\n"
            f"  random start: keypoints {anew}; limbs {limbs_anew}"
        )


def count_maps(state: State, checkpoint: str) -> tuple[int, int]:
    """Return how many keypoints and limbs the EfficientPose of a ``checkpoint`` predicts.

    Raises StateDictError if it is of another network.
    """
    biases = sorted(key for key in state if _depends_on_skeleton(key) and key.endswith("predict.bias"))
    heatmaps = [key for key in biases if not key.startswith(_PAF_PREDICTION)]
    if not heatmaps:
        raise StateDictError(
            f"{checkpoint} is not of an EfficientPose: no tensor such as {HEAD_PREFIX}heatmap_passes.0.predict.bias"
        )
    fields = state.get(f"{_PAF_PREDICTION}bias")
    return len(state[heatmaps[-1]]), 0 if fields is None else len(fields) // 2


def _depends_on_skeleton(key: str) -> bool:
    return key.startswith(_UPSAMPLER) or (key.startswith(HEAD_PREFIX) and ".predict." in key)


def _has_upsampler(state: State) -> bool:
    return any(key.startswith(_UPSAMPLER) for key in state)


def _copy_fields(own: Tensor, source: Tensor, limbs: Mapping[int, LimbMatch]) -> None:
    """Copy the x and y rows of each limb; the opposite direction has the opposite sign."""
    for number, match in limbs.items():
        sign = -1 if match.is_reversed else 1
        own[2 * number : 2 * number + 2] = sign * source[2 * match.number : 2 * match.number + 2]


def _copy_upsampling(own: Tensor, source: Tensor, rows: Sequence[tuple[int, int]]) -> None:
    """Copy the weights of learnt upsampling between keypoints that both have."""
    targets, origins = torch.tensor(rows, dtype=torch.long).reshape(-1, 2).T
    if own.ndim == 1:
        own[targets] = source[origins]
    else:
        own[targets[:, None], targets] = source[origins[:, None], origins]
