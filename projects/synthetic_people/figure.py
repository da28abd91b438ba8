"""A dressed person as one mesh: limbs, trunk, head and belongings, each hung on a bone.

What tells front from back, and so left from right, is drawn in 3D: face and hair, print or open jacket on the chest,
buttocks, noses, thumbs and feet that point forward.
"""

from typing import NamedTuple

import numpy as np

from synthetic_people.body import PosedBody, Proportions
from synthetic_people.head import build_head
from synthetic_people.limbs import build_arm, build_belonging, build_leg
from synthetic_people.meshes import Part
from synthetic_people.trunk import build_trunk
from synthetic_people.wardrobe import Appearance


class Figure(NamedTuple):
    """All parts of a person in one mesh.

    Attributes:
        vertices: (V, 3), each in its bone's frame, statures.
        bones: (V,), indices of ``Bone``.
        quads: (F, 4), indices of vertices.
        colours: (F, 3), BGR, 0 to 255.
        biases: (F,), statures by which a face counts as nearer.
    """

    vertices: np.ndarray
    bones: np.ndarray
    quads: np.ndarray
    colours: np.ndarray
    biases: np.ndarray

    def place(self, body: PosedBody) -> np.ndarray:
        """Return the vertices (V, 3) in the frame of the posed body."""
        turned = np.einsum("vij,vj->vi", body.rotations[self.bones], self.vertices)
        return turned + body.origins[self.bones]


def _join(parts: list[Part]) -> Figure:
    counts = [len(part.mesh.vertices) for part in parts]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Figure(
        vertices=np.concatenate([part.mesh.vertices for part in parts]),
        bones=np.repeat([int(part.bone) for part in parts], counts),
        quads=np.concatenate([part.mesh.quads + start for part, start in zip(parts, starts, strict=True)]),
        colours=np.concatenate([part.mesh.colours for part in parts]),
        biases=np.repeat([part.bias for part in parts], [len(part.mesh.quads) for part in parts]),
    )


def build_figure(looks: Appearance, proportions: Proportions) -> Figure:
    """Build the mesh of a person; it can be placed in any pose of a body with these proportions."""
    parts = [*build_trunk(looks, proportions), *build_head(looks, head_length=proportions.head)]
    for side, held in zip(("LEFT", "RIGHT"), looks.held, strict=True):
        parts += build_arm(side, looks, proportions)
        parts += build_leg(side, looks, proportions)
        parts += build_belonging(side, held, looks.emblem)
    return _join(parts)
