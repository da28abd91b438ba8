"""Write the config of a network with a skeleton of your own."""

import os
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from efficientpose.core.files import replacing
from efficientpose.core.shipped_files import config_path
from efficientpose.core.variants import get_variant
from efficientpose.custom_skeletons.description import SkeletonDescription, SkeletonError

_TEMPLATE: Final = Template('''"""$title with $num_keypoints keypoints of your own, fine-tuned from $checkpoint.

    python tools/train.py $path
    python tools/test.py $path work_dirs/$stem/epoch_$max_epochs.pth
    efficientpose predict photo.jpg --config $path --weights work_dirs/$stem/epoch_$max_epochs.pth

Written by tools/new_skeleton.py; everything below follows from the names and limbs.
"""

_base_ = ["$variant", "$coco"]

keypoint_names = [
$names]
limbs = [  # from the trunk outwards: each gets a part affinity field
$limbs]
swaps = {  # left and right keypoints, which a mirrored image exchanges
$swaps}
sigmas = $sigmas  # spread of the annotators' clicks, for COCO's score

dataset_info = dict(
    dataset_name="$stem",
    paper_info=dict(),
    keypoint_info={
        index: dict(name=name, id=index, color=[51, 153, 255], type="", swap=swaps.get(name, ""))
        for index, name in enumerate(keypoint_names)
    },
    skeleton_info={index: dict(link=limb, id=index, color=[51, 153, 255]) for index, limb in enumerate(limbs)},
    joint_weights=[1.0] * len(keypoint_names),
    sigmas=sigmas,
)
# From this file: MMPose would mix up the keypoints' order in the copy of the config that a training writes.
metainfo = dict(from_file="{{ fileDirname }}/$file_name")

model = dict(
    init_cfg=dict(checkpoint="$checkpoint", keypoint_names=keypoint_names),$preprocessor
    backbone=_base_.backbone,
    head=dict(
        _base_.head,
        num_keypoints=len(keypoint_names),
        num_limbs=len(limbs),
        decoder=dict(
            _base_.head.decoder, limbs=[tuple(keypoint_names.index(name) for name in limb) for limb in limbs]
        ),
    ),
)

data_root = "$data_root"
dataset = dict(data_root=data_root, metainfo=metainfo, data_prefix=dict(img="$images"))
training = dict(
    ann_file="$annotations", pipeline=[*_base_.train_transforms, _base_.crop, _base_.pack_training]
)
held_out = dict(ann_file="$val_annotations", pipeline=[*_base_.test_transforms, _base_.crop, _base_.pack_test])
train_dataloader = dict(batch_size=$batch_size, dataset=dict(**dataset, **training))
val_dataloader = dict(dataset=dict(**dataset, **held_out))
test_dataloader = val_dataloader
val_evaluator = [dict(type="CocoMetric", ann_file=f"{data_root}{held_out['ann_file']}")]
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=$max_epochs, val_interval=$val_interval)
''')


@dataclass(frozen=True, kw_only=True)
class ConfigSettings:
    """What a config says besides the skeleton.

    Raises ValueError if the variant is unknown or a number below 1.
    """

    variant: str  # name of the network's size
    data_root: str  # folder of the data
    annotations: str = "annotations/train.json"  # COCO-format file to train on, below ``data_root``
    val_annotations: str = "annotations/val.json"  # COCO-format file to validate on, below ``data_root``
    images: str = "images/"  # folder of the images, below ``data_root``
    checkpoint: str | None = None  # weights to start from; None for the variant's released ones
    max_epochs: int = 20  # passes over the data
    batch_size: int = 16  # images a step

    def __post_init__(self) -> None:
        get_variant(self.variant)
        if min(self.max_epochs, self.batch_size) < 1:
            raise ValueError(f"epochs and batch size must be at least 1, got {self.max_epochs} and {self.batch_size}")


def write_config(description: SkeletonDescription, settings: ConfigSettings, path: Path) -> None:
    """Write a config that ``tools/train.py`` and ``tools/test.py`` run to ``path``, a new ``.py`` file.

    Raises SkeletonError if ``path`` is not a ``.py`` file or a text would break the config; FileExistsError if the file
    exists: it may have been edited by hand; OSError if it cannot be written.
    """
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise SkeletonError(f"{path}: a config is a .py file named by letters, digits and underscores")
    if path.exists():
        raise FileExistsError(f"{path} exists: choose another name, or delete it")
    text = render_config(description, settings, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def render_config(description: SkeletonDescription, settings: ConfigSettings, path: Path) -> str:
    """Return the text of a config for ``path``; a SkeletonError if a text would break the config."""
    skeleton = description.skeleton
    variant = get_variant(settings.variant)
    plain = {
        "checkpoint": settings.checkpoint or f"efficientpose://{variant.name}",
        "data_root": _as_folder(settings.data_root),
        "images": _as_folder(settings.images),
        "annotations": settings.annotations,
        "val_annotations": settings.val_annotations,
        "path": path.as_posix(),
    }
    for what, text in plain.items():
        if any(character in text for character in '"\\\n{}'):
            raise SkeletonError(f"{what} {text!r}: leave out quotation marks, backslashes and braces")
    bases = {"variant": f"_base_/variants/{variant.name}.py", "coco": "_base_/coco.py"}
    relative = {key: Path(os.path.relpath(config_path(base), path.parent)).as_posix() for key, base in bases.items()}
    names = skeleton.keypoint_names
    swapped = {name: names[other] for name, other in zip(names, skeleton.flip_indices, strict=True)}
    return _TEMPLATE.substitute(
        plain | relative,
        title=variant.title,
        num_keypoints=len(names),
        stem=path.stem,
        file_name=path.name,
        preprocessor="\n    data_preprocessor=_base_.data_preprocessor," if variant.is_lite else "",
        names="".join(f"    {_quote(name)},\n" for name in names),
        limbs="".join(f"    ({_quote(proximal)}, {_quote(distal)}),\n" for proximal, distal in skeleton.named_limbs),
        swaps="".join(f"    {_quote(name)}: {_quote(other)},\n" for name, other in swapped.items() if name != other),
        sigmas=[round(sigma, 4) for sigma in description.sigmas],
        batch_size=settings.batch_size,
        max_epochs=settings.max_epochs,
        val_interval=max(1, settings.max_epochs // 10),
    )


def _as_folder(text: str) -> str:
    return f"{text.rstrip('/')}/" if text else ""


def _quote(name: str) -> str:
    if '"' in name or "\\" in name or "\n" in name or "{{" in name:
        raise SkeletonError(f"keypoint {name!r}: leave out quotation marks, backslashes and double braces")
    return f'"{name}"'
