"""From a training's checkpoint to one that holds weights alone."""

from pathlib import Path

from mmpose.models.pose_estimators.base import BasePoseEstimator

from efficientpose.models.build import build_network
from efficientpose.models.trained_skeleton import trained_skeleton
from efficientpose.weights.checkpoint import load_checkpoint, make_checkpoint, save_checkpoint


def publish_checkpoint(
    training_checkpoint: Path, path: Path, *, variant: str, source: str, network: BasePoseEstimator | None = None
) -> None:
    """Write the weights of a training's checkpoint, without optimiser and history, as a checkpoint of ours.

    Args:
        training_checkpoint: As MMEngine wrote it.
        path: The checkpoint to write, ``.pth``.
        variant: Name of the network that was trained, kept in the file.
        source: What it was trained on, kept in the file.
        network: One of your own, such as of another skeleton, in place of the variant's; its weights are overwritten.

    Raises:
        ValueError: If the variant is unknown or ``path`` has another ending.
        FileNotFoundError: If there is no such checkpoint, or no folder for ``path``.
        CheckpointError: If it cannot be read or does not fit the variant.
        OSError: If ``path`` cannot be written.
    """
    if path.suffix != ".pth":
        raise ValueError(f"{path}: a checkpoint's name ends in .pth")
    if network is None:
        network = build_network(variant)
        load_checkpoint(network, training_checkpoint, variant=variant)
    else:
        load_checkpoint(network, training_checkpoint, variant=None)
    state_dict = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    checkpoint = make_checkpoint(state_dict, variant=variant, source=source, skeleton=trained_skeleton(network))
    save_checkpoint(checkpoint, path)
