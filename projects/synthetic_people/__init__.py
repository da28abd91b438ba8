"""Synthetic MPII: drawn people with exact keypoints, written in MPII's own layout.

A 3D skeleton is posed within joint limits (``body``, ``postures``), dressed in a mesh (``meshes``, ``wardrobe``,
``figure``), seen by a pinhole camera (``camera``), painted (``drawing``) into a cluttered picture (``background``,
``scene``), spoiled as a camera would (``photograph``) and written with its annotations (``layout``, ``generate``).

Lengths are in statures (the standing height of the person is 1). Body axes: x to the person's left, y up, z forward.
Picture coordinates are 0-based pixel centres, x right and y down; only ``layout`` adds MPII's 1.
"""
