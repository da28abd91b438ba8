"""Read what the network found in a video, and write it in the formats that other tools read."""

from efficientpose.movement.files.formats import FORMATS, READERS, read, write

__all__ = ["FORMATS", "READERS", "read", "write"]
