"""The URDF as others read it: MuJoCo's importer places every body where the model does, ROS's parser finds no fault."""

from pathlib import Path
from xml.etree import ElementTree

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from body_oracle import random_qpos, random_subject, with_own_joints

from markerless_biomech.body.inertias import centres_of_mass_m, segment_inertias_kg_m2, segment_masses_kg
from markerless_biomech.body.mjcf import mjcf_text
from markerless_biomech.body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD, body_parameters, body_poses, sites
from markerless_biomech.body.names import BODY_NAMES, JOINT_NAMES
from markerless_biomech.body.scaling import body_scales
from markerless_biomech.body.urdf import urdf_text
from markerless_biomech.keypoints import load_keypoint_set

KEYPOINTS = load_keypoint_set("coco_17")
SUBJECT = with_own_joints(np.random.default_rng(16), random_subject(np.random.default_rng(17), KEYPOINTS))
URDF = urdf_text(SUBJECT)
MESHES = Path(__file__).parents[1] / "meshes"
# What is wanted of the URDF; the model's float32 poses are good to 4e-6 m, MJCF's six digits to 2e-6 m.
POSITION_M = 1e-5


def _model_from_urdf() -> mujoco.MjModel:
    """Links without mass get a little, which MuJoCo needs and kinematics does not see; the pelvis is the world."""
    robot = ElementTree.fromstring(URDF)
    options = {"fusestatic": "false", "discardvisual": "true", "boundmass": "1e-6", "boundinertia": "1e-9"}
    ElementTree.SubElement(ElementTree.SubElement(robot, "mujoco"), "compiler", options)
    return mujoco.MjModel.from_xml_string(ElementTree.tostring(robot, encoding="unicode"))


def test_mujoco_reads_the_urdf_and_places_every_body_where_the_model_does():
    model = _model_from_urdf()
    assert tuple(model.joint(i).name for i in range(model.njnt)) == JOINT_NAMES
    data, parameters = mujoco.MjData(model), body_parameters(SUBJECT, KEYPOINTS)
    for qpos in random_qpos(np.random.default_rng(18), 20):
        qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
        data.qpos[:] = qpos[7:]
        mujoco.mj_kinematics(model, data)
        position, _ = body_poses(parameters, jnp.asarray(qpos, jnp.float32))
        for index, name in enumerate(BODY_NAMES, start=1):
            np.testing.assert_allclose(data.body(name).xpos, position[index], atol=POSITION_M, err_msg=name)


def test_ros_parser_finds_masses_meshes_and_limits():
    parser = pytest.importorskip("urdf_parser_py.urdf", reason="urdf_parser_py is not installed")
    robot = parser.URDF.from_xml_string(URDF.replace('<?xml version="1.0"?>\n', ""))
    robot.check_valid()
    assert robot.get_root() == "pelvis"
    masses = segment_masses_kg(SUBJECT.mass_kg)
    for index, name in enumerate(BODY_NAMES):
        link = robot.link_map[name]
        assert link.inertial.mass == pytest.approx(masses[index], rel=1e-8)
        mesh = link.visual.geometry
        assert mesh.filename == f"package://markerless_biomech/meshes/{name}.dae"
        np.testing.assert_allclose(mesh.scale, body_scales(SUBJECT.scales)[1 + index], rtol=1e-8)
    limits = np.array([[robot.joint_map[n].limit.lower, robot.joint_map[n].limit.upper] for n in JOINT_NAMES])
    np.testing.assert_allclose(limits, np.stack([JOINT_LOWER_RAD, JOINT_UPPER_RAD], axis=1), atol=1e-8)


def test_every_mesh_that_the_urdf_names_is_shipped():
    names = [mesh.attrib["filename"].rsplit("/", 1)[1] for mesh in ElementTree.fromstring(URDF).iter("mesh")]
    assert sorted(names) == sorted(path.name for path in MESHES.glob("*.dae")) and len(names) == len(BODY_NAMES)


def test_mujoco_reads_the_mjcf_with_our_joints_ranges_inertias_and_sites():
    model = mujoco.MjModel.from_xml_string(mjcf_text(SUBJECT, KEYPOINTS))
    assert tuple(model.joint(i).name for i in range(model.njnt)) == ("root", *JOINT_NAMES)
    np.testing.assert_allclose(model.jnt_range[1:], np.stack([JOINT_LOWER_RAD, JOINT_UPPER_RAD], axis=1), atol=1e-5)
    inertials = segment_masses_kg(SUBJECT.mass_kg), centres_of_mass_m(SUBJECT), segment_inertias_kg_m2(SUBJECT)
    for name, mass_kg, centre_m, inertia in zip(BODY_NAMES, *inertials, strict=True):
        body = model.body(name)
        assert body.mass[0] == pytest.approx(mass_kg, rel=1e-5)
        np.testing.assert_allclose(body.ipos, centre_m, atol=1e-6)
        np.testing.assert_allclose(np.sort(body.inertia), np.linalg.eigvalsh(inertia), rtol=1e-5)
    data, parameters = mujoco.MjData(model), body_parameters(SUBJECT, KEYPOINTS)
    for qpos in random_qpos(np.random.default_rng(19), 20):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        position, _ = body_poses(parameters, jnp.asarray(qpos, jnp.float32))
        keypoints = np.asarray(sites(parameters, jnp.asarray(qpos, jnp.float32)))
        for index, name in enumerate(BODY_NAMES, start=1):
            np.testing.assert_allclose(data.body(name).xpos, position[index], atol=POSITION_M, err_msg=name)
        for index, name in enumerate(KEYPOINTS.names):
            found = data.site(f"keypoint {name}").xpos
            np.testing.assert_allclose(found, keypoints[index], atol=POSITION_M, err_msg=name)


def test_the_mjcf_stands_on_the_floor():
    model = mujoco.MjModel.from_xml_string(mjcf_text(SUBJECT))
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    soles = [data.site(model.site(i).name).xpos[2] for i in range(model.nsite) if "sole" in model.site(i).name]
    assert min(soles) == pytest.approx(0.0, abs=POSITION_M)
