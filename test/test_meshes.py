"""The segments' surfaces: closed, the right way out, on the skin's landmarks, and shipped as they are generated."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from markerless_biomech.body.base import base_mujoco_model, base_sites
from markerless_biomech.body.meshes import COLOUR_RGB, collada_text, mesh_colour, mesh_path, segment_mesh
from markerless_biomech.body.names import BODY_NAMES
from markerless_biomech.body.scaling import neutral_qpos, subject_positions
from markerless_biomech.body.subject import subject_from_height

FOLDER = Path(__file__).parents[1] / "meshes"
SKIN_SITES = (
    *("asis_r", "gluteal_r", "thigh_front_r", "thigh_lateral_r", "shin_r", "knee_lateral_r", "heel_r"),
    *("malleolus_lateral_r", "big_toe_r", "sternum", "umbilicus", "upper_back", "waist_r", "breast_r", "scapula_r"),
    *("back_of_neck", "vertex", "nose", "ear_r", "cheek_r", "upper_arm_r", "elbow_lateral_r", "wrist_ulnar_r"),
)


@pytest.mark.parametrize("body", BODY_NAMES)
def test_a_surface_is_closed_and_looks_outwards(body):
    mesh = segment_mesh(body)
    edges = Counter((int(a), int(b)) for face in mesh.faces for a, b in zip(face, np.roll(face, -1), strict=True))
    assert set(edges.values()) == {1} and all((b, a) in edges for a, b in edges), "each edge once in each direction"
    a, b, c = (mesh.vertices_m[mesh.faces[:, i]] for i in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) > 0, "six times the volume"
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-9)
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), mesh.normals[mesh.faces[:, 0]]) > 0).mean() > 0.98


def test_left_is_right_in_a_mirror():
    right, left = segment_mesh("hand_r"), segment_mesh("hand_l")
    np.testing.assert_array_equal(right.vertices_m * [1, -1, 1], left.vertices_m)
    np.testing.assert_array_equal(right.faces[:, ::-1], left.faces)
    assert mesh_colour("hand_r") == COLOUR_RGB["r"] != mesh_colour("hand_l")


@pytest.mark.parametrize("site", SKIN_SITES)
def test_the_skin_passes_its_landmarks(site):
    landmark = base_sites((site,))
    distance_m = np.linalg.norm(segment_mesh(landmark.bodies[0]).vertices_m - landmark.positions_m[0], axis=1).min()
    # Corners are up to 4 cm apart on the trunk.
    assert distance_m < 0.03


def test_the_base_model_stands_on_the_floor_and_is_as_tall_as_it_says():
    subject = subject_from_height(1.75, "coco_17")
    origin, parent = subject_positions(subject), base_mujoco_model().body_parentid
    origin[1] = neutral_qpos(subject)[:3]
    for body in range(2, len(origin)):
        origin[body] += origin[parent[body]]
    heights = [segment_mesh(n).vertices_m[:, 2] + place[2] for n, place in zip(BODY_NAMES, origin[1:], strict=True)]
    together = np.concatenate(heights)
    assert together.min() == pytest.approx(0.0, abs=0.006)
    assert together.max() == pytest.approx(1.75, abs=0.006)


@pytest.mark.parametrize("body", BODY_NAMES)
def test_the_shipped_file_is_the_generated_one(body):
    """Else: python -m markerless_biomech.body.meshes meshes"""
    shipped, generated = (FOLDER / f"{body}.dae").read_text().split(), collada_text(body).split()
    assert len(shipped) == len(generated)
    for found, expected in zip(shipped, generated, strict=True):
        # Three and four decimals; the last one depends on the processor and on numpy.
        assert found == expected or abs(float(found) - float(expected)) < 1.1e-3
    assert mesh_path(body) == f"package://markerless_biomech/meshes/{body}.dae"


def test_collada_says_metres_z_up_and_as_many_corners_as_it_has():
    root = ElementTree.fromstring(collada_text("head"))
    name = "{http://www.collada.org/2005/11/COLLADASchema}"
    mesh = segment_mesh("head")
    assert root.findtext(f"{name}asset/{name}up_axis") == "Z_UP"
    unit = root.find(f"{name}asset/{name}unit")
    assert unit is not None and unit.attrib["meter"] == "1"
    positions, normals = root.iter(f"{name}float_array")
    found = np.array(str(positions.text).split(), dtype=float).reshape(-1, 3)
    np.testing.assert_allclose(found, mesh.vertices_m, atol=5.1e-5)  # four decimals
    assert len(str(normals.text).split()) == found.size
    corners = np.array(str(root.findtext(f".//{name}p")).split(), dtype=int)
    np.testing.assert_array_equal(corners.reshape(-1, 3), mesh.faces)
