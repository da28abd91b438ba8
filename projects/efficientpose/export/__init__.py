"""From an MMPose model to files that other engines run."""
