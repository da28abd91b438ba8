import numpy as np
import pytest

from synthetic_people.meshes import Ring, box, capsule, ellipsoid, face_normals, patch, tube

GREY = np.full(3, 128.0)


@pytest.mark.parametrize(
    "mesh",
    [
        ellipsoid((0.1, 0.2, 0.3), (1, 2, 3), colours=GREY, num_sides=8, num_bands=6),
        box((0.1, 0.2, 0.3), (1, 2, 3), colour=GREY),
        capsule(length=1.0, radii=(0.3, 0.25, 0.2), colours=GREY, num_sides=8),
    ],
    ids=["ellipsoid", "box", "capsule"],
)
def test_faces_look_outwards(mesh):
    corners = mesh.vertices[mesh.quads]
    outwards = corners.mean(axis=1) - mesh.vertices.mean(axis=0)
    assert np.einsum("fi,fi->f", face_normals(corners), outwards).min() > 0
    assert mesh.colours.shape == (len(mesh.quads), 3)


def test_a_patch_looks_forward():
    mesh = patch((0, 0, 0), (1, 2), colour=GREY)
    normal = face_normals(mesh.vertices[mesh.quads])[0]
    np.testing.assert_allclose(normal / np.linalg.norm(normal), [0, 0, 1], atol=1e-12)


def test_bands_are_coloured_from_the_top():
    mesh = tube((Ring(1, 1, 1), Ring(0, 1, 1), Ring(-1, 1, 1)), colours=np.array([[1.0] * 3, [2.0] * 3]), num_sides=4)
    np.testing.assert_array_equal(mesh.colours[:, 0], [1, 1, 1, 1, 2, 2, 2, 2])
