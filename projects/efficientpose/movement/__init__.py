"""From poses in each frame to measurements: tracks, signals, angles, and the files that other tools read."""
