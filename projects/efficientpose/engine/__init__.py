"""What happens around training and testing: schedules and hooks."""

from efficientpose.engine.cyclical_rate import DecayingTriangularLR
from efficientpose.engine.shrinking_sigma import ShrinkingSigmaHook

__all__ = ["DecayingTriangularLR", "ShrinkingSigmaHook"]
