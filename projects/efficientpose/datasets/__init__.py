"""Registered datasets and transforms, from an annotation file to the network's input; writers of annotation files."""
