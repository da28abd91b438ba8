"""From a training's checkpoint to one that holds weights alone."""

from pathlib import Path

from efficientpose.models.build import build_network
from efficientpose.weights.checkpoint import load_checkpoint, make_checkpoint, save_checkpoint


def publish_checkpoint(training_checkpoint: Path, path: Path, *, variant: str, source: str) -> None:
    """Write the weights of a training's checkpoint, without optimiser and history, as a checkpoint of ours.

    Args:
        training_checkpoint: As MMEngine wrote it.
        path: The checkpoint to write, ``.pth``.
        variant: Name of the network that was trained.
        source: What it was trained on, kept in the file.

    Raises:
        ValueError: If the variant is unknown or ``path`` has another ending.
        FileNotFoundError: If there is no such checkpoint, or no folder for ``path``.
        CheckpointError: If it cannot be read or does not fit the variant.
        OSError: If ``path`` cannot be written.
    """
    if path.suffix != ".pth":
        raise ValueError(f"{path}: a checkpoint's name ends in .pth")
    network = build_network(variant)
    load_checkpoint(network, training_checkpoint, variant=variant)
    state_dict = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_checkpoint(make_checkpoint(state_dict, variant=variant, source=source), path)
