"""Measure speed: every engine, variant, precision and thread count, and the released pipeline, in turn in one run."""
