"""Let MMEngine load the released weights: ``load_from = "efficientpose://rt"``, or a released file by its path.

Importing this module registers both with MMEngine's loader, for configs, ``init_model`` and the inferencers.
"""

from pathlib import Path
from typing import Any, Final

from mmengine.runner.checkpoint import CheckpointLoader

from efficientpose.weights.checkpoint import read_checkpoint
from efficientpose.weights.convert import recognise_variant
from efficientpose.weights.find import convert_cached, find_weights
from efficientpose.weights.released import read_released

PREFIX: Final = "efficientpose://"
# MMEngine matches its prefixes as regular expressions; addresses of other schemes are left alone
_RELEASED_FILE: Final = r"(?!.*://).*\.(h5|tflite)$"


# MMEngine's log shows these functions' names without "load_from_"
@CheckpointLoader.register_scheme(prefixes=PREFIX, force=True)
def load_from_efficientpose(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load the weights of "efficientpose://rt", for example, downloaded and converted if need be.

    Raises ValueError if there is no such variant; WeightsNotFoundError if its weights are not found.
    """
    return read_checkpoint(find_weights(filename.removeprefix(PREFIX)), map_location=map_location)


@CheckpointLoader.register_scheme(prefixes=_RELEASED_FILE, force=True)
def load_from_released_file(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load a released ``.h5`` or ``.tflite`` file, converted if it was not before.

    Raises FileNotFoundError if there is no such file; ValueError if it is not what its ending says, damaged, or of no
    variant known here.
    """
    source = Path(filename).expanduser()
    variant = recognise_variant(read_released(source), source)
    return read_checkpoint(convert_cached(source, variant=variant), map_location=map_location)
