"""Synthetic people with exact keypoints, drawn in MPII's or COCO's layout. Start at ``generate``.

A 3D skeleton is posed within joint limits (``body``, ``postures``), dressed in a mesh (``meshes``, ``wardrobe``,
``figure``), projected, painted and degraded by a camera (``camera``) in a cluttered image (``background``, ``scene``,
``crowd``), and written with its annotations (``folder``, ``generate``).

Lengths are in statures (the standing height of the person is 1). Body axes: x to the person's left, y up, z forward.
Image coordinates are 0-based pixel centres, x right and y down; only MPII's files count from 1.
"""
