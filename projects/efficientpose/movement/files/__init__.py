"""Read what the network found in a video, and write it in the formats that other tools read."""

from efficientpose.movement.files.read import read
from efficientpose.movement.files.write import FORMATS, write

__all__ = ["FORMATS", "read", "write"]
