"""Schedules and hooks around training and testing."""

from efficientpose.engine.checkpoints import AtomicCheckpointHook
from efficientpose.engine.cpu import ChannelsLastHook, CpuMemoryHook
from efficientpose.engine.cyclical_rate import DecayingTriangularLR
from efficientpose.engine.frozen_statistics import FrozenStatisticsHook
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
