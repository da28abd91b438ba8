"""The released weights: read, converted and downloaded."""
