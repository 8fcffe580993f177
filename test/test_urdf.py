"""The URDF and /tf's transforms place every body where the model places it."""

import time
from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np
import pytest
from body_oracle import oracle_poses, random_qpos, random_subject, scaled_model, with_own_joints

from markerless_biomech.body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD, body_parameters, body_poses
from markerless_biomech.body.names import BODY_NAMES, JOINT_NAMES
from markerless_biomech.body.urdf import link_tree, urdf_text
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.rotations import matrix_from_xyzw

KEYPOINTS = load_keypoint_set("coco_17")
SUBJECT = with_own_joints(np.random.default_rng(6), random_subject(np.random.default_rng(7), KEYPOINTS))
ROBOT = ElementTree.fromstring(urdf_text(SUBJECT))
# URDF's numbers have nine digits, float32 poses 4e-6 m: both far below.
POSITION_M = 1e-5


def _numbers(element: ElementTree.Element, path: str, attribute: str) -> np.ndarray:
    found = element.find(path)
    assert found is not None
    return np.array([float(x) for x in found.attrib[attribute].split()])


def rodrigues(axis: np.ndarray, angle_rad: float) -> np.ndarray:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross


def urdf_positions(robot: ElementTree.Element, qpos: np.ndarray) -> dict[str, np.ndarray]:
    """Position of every link in world from the XML alone."""
    pose = {"pelvis": (qpos[:3], matrix_from_xyzw(np.roll(qpos[3:7], -1)))}
    for joint in robot.findall("joint"):
        parent, child = (joint.find(tag).attrib["link"] for tag in ("parent", "child"))  # type: ignore[union-attr]
        position, rotation = pose[parent]
        angle = qpos[7 + JOINT_NAMES.index(joint.attrib["name"])]
        turned = rotation @ rodrigues(_numbers(joint, "axis", "xyz"), angle)
        pose[child] = (position + rotation @ _numbers(joint, "origin", "xyz"), turned)
    return {link: position for link, (position, _) in pose.items()}


def test_urdf_places_every_body_where_the_model_does():
    parameters = body_parameters(SUBJECT, KEYPOINTS)
    for qpos in random_qpos(np.random.default_rng(8), 5):
        position, _ = body_poses(parameters, jnp.asarray(qpos, jnp.float32))
        found = urdf_positions(ROBOT, qpos)
        for index, name in enumerate(BODY_NAMES, start=1):
            np.testing.assert_allclose(found[name], position[index], atol=POSITION_M, err_msg=name)


def test_transforms_of_the_link_tree_compose_to_the_models_poses():
    tree, model = link_tree(SUBJECT), scaled_model(SUBJECT, KEYPOINTS)
    for qpos in random_qpos(np.random.default_rng(9), 3):
        pose = {"world": (np.zeros(3), np.eye(3))}
        for parent, child, position, quaternion in zip(
            tree.parents, tree.children, *tree.transforms(qpos), strict=True
        ):
            above, rotation = pose[parent]
            pose[child] = (above + rotation @ position, rotation @ matrix_from_xyzw(quaternion))
        data = oracle_poses(model, qpos)
        for name in BODY_NAMES:
            np.testing.assert_allclose(pose[name][0], data.body(name).xpos, atol=1e-9)
            np.testing.assert_allclose(pose[name][1], data.body(name).xmat.reshape(3, 3), atol=1e-9)


def test_transforms_take_less_than_half_a_millisecond():
    tree, qpos = link_tree(SUBJECT), random_qpos(np.random.default_rng(10), 1)[0]
    taken_s = []
    for _ in range(50):
        start_s = time.perf_counter()
        tree.transforms(qpos)
        taken_s.append(time.perf_counter() - start_s)
    assert min(taken_s) < 0.5e-3


def test_urdf_is_one_tree_from_the_pelvis_with_our_joints_in_order_and_their_ranges():
    links = {link.attrib["name"] for link in ROBOT.findall("link")}
    joints = ROBOT.findall("joint")
    children = [joint.find("child").attrib["link"] for joint in joints]  # type: ignore[union-attr]
    assert tuple(joint.attrib["name"] for joint in joints) == JOINT_NAMES
    assert links - set(children) == {"pelvis"} and len(children) == len(set(children)) == len(JOINT_NAMES)
    assert set(BODY_NAMES) <= links
    np.testing.assert_allclose([_numbers(joint, "limit", "lower")[0] for joint in joints], JOINT_LOWER_RAD, atol=1e-8)
    np.testing.assert_allclose([_numbers(joint, "limit", "upper")[0] for joint in joints], JOINT_UPPER_RAD, atol=1e-8)


def test_masses_add_up_to_the_subjects():
    masses = [
        _numbers(link, "inertial/mass", "value")[0]
        for link in ROBOT.findall("link")
        if link.find("inertial") is not None
    ]
    assert len(masses) == len(BODY_NAMES)
    assert sum(masses) == pytest.approx(SUBJECT.mass_kg, rel=1e-6)
