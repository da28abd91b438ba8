"""What happens around training and testing: schedules and hooks."""

from efficientpose.engine.checkpoints import AtomicCheckpointHook
from efficientpose.engine.cpu_memory import CpuMemoryHook
from efficientpose.engine.cyclical_rate import DecayingTriangularLR
from efficientpose.engine.frozen_statistics import FrozenStatisticsHook
from efficientpose.engine.memory_format import ChannelsLastHook
from efficientpose.engine.nan_guard import NanGuardHook
from efficientpose.engine.progressive_resizing import ProgressiveResizingHook
from efficientpose.engine.seeding import EpochSeedHook
from efficientpose.engine.shrinking_sigma import ShrinkingSigmaHook
from efficientpose.engine.visual_samples import VisualSamplesHook

__all__ = [
    "AtomicCheckpointHook",
    "ChannelsLastHook",
    "CpuMemoryHook",
    "DecayingTriangularLR",
    "EpochSeedHook",
    "FrozenStatisticsHook",
    "NanGuardHook",
    "ProgressiveResizingHook",
    "ShrinkingSigmaHook",
    "VisualSamplesHook",
]
