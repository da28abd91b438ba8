"""Reading MPII, and the transforms from a person's box to the network's input."""

from efficientpose.datasets.mpii import ExactMpiiDataset
from efficientpose.datasets.transforms import PersonCenterScale

__all__ = ["ExactMpiiDataset", "PersonCenterScale"]
