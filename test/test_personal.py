"""Joint centres and axes of one's own: one body in the fit, in MuJoCo's engine, in the simulator and in the file."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from body_oracle import oracle_poses, oracle_sites, random_qpos, random_subject, scaled_model, with_own_joints

from markerless_biomech.body.model import body_parameters, body_poses, neutral_qpos, sites_with_jacobian
from markerless_biomech.body.names import BODY_NAMES, SCALE_NAMES
from markerless_biomech.body.personal import PERSONAL, PERSONAL_NAMES, personal_axes
from markerless_biomech.body.scaling import standing_height_m
from markerless_biomech.body.shape import (
    SCALES,
    shape_covariance,
    shape_model,
    shape_names,
    shape_parameters,
    shape_vector,
    site_derivatives,
    with_shape,
)
from markerless_biomech.body.subject import load_subject, save_subject, subject_from_height, subject_to_dict
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.oracle import BodyOracle
from markerless_biomech.simulation.skeleton import build_skeleton

COCO = load_keypoint_set("coco_17")
RNG = np.random.default_rng(21)
SOMEBODY = with_own_joints(RNG, random_subject(RNG, COCO))
# float32 positions up to about 5 m from the origin carry 5 m * 6e-8 = 3e-7 m a step, over at most seven bodies.
POSITION_M = 4e-6


def test_sites_bodies_and_jacobian_equal_the_c_engine():
    parameters, model = body_parameters(SOMEBODY, COCO), scaled_model(SOMEBODY, COCO)
    qpos = random_qpos(RNG, 4)
    found, jacobian = sites_with_jacobian(parameters, jnp.asarray(qpos, jnp.float32))
    position, quaternion = body_poses(parameters, jnp.asarray(qpos, jnp.float32))
    for frame, pose in enumerate(qpos):
        data = oracle_poses(model, pose)
        np.testing.assert_allclose(found[frame], oracle_sites(model, COCO, pose), atol=POSITION_M)
        np.testing.assert_allclose(position[frame], data.xpos, atol=POSITION_M)
        same = np.abs(np.sum(np.asarray(quaternion[frame]) * data.xquat, axis=1))
        np.testing.assert_allclose(same, 1.0, atol=1e-6)  # cosine of half the angle between them
        np.testing.assert_allclose(jacobian[frame, :, :, 6:], axes_jacobian(model, data), atol=POSITION_M)


def axes_jacobian(model, data) -> np.ndarray:
    """(K, 3, 34) by MuJoCo."""
    import mujoco

    rows = []
    for name in COCO.names:
        jacobian = np.zeros((3, model.nv))
        mujoco.mj_jacSite(model, data, jacobian, None, model.site(f"keypoint {name}").id)
        rows.append(jacobian[:, 6:])
    return np.array(rows)


def test_the_judges_and_the_simulators_engines_have_the_same_body():
    qpos, model = random_qpos(RNG, 3), scaled_model(SOMEBODY, COCO)
    expected = np.array([oracle_sites(model, COCO, pose) for pose in qpos])
    np.testing.assert_allclose(BodyOracle(SOMEBODY, COCO).sites_m(qpos), expected, atol=1e-9)
    np.testing.assert_allclose(build_skeleton(SOMEBODY, COCO).sites_m(qpos), expected, atol=1e-9)


def test_a_zero_of_everything_is_the_base_model():
    zero = dataclasses.replace(SOMEBODY, personal=np.zeros(PERSONAL))
    none = dataclasses.replace(SOMEBODY, personal=None)
    for name in ("body_pos", "hinge_axis", "site_pos"):
        ours, theirs = (getattr(body_parameters(one, COCO), name) for one in (zero, none))
        np.testing.assert_array_equal(ours, theirs)


def test_equal_numbers_make_a_body_that_is_its_own_mirror_image():
    numbers = {name: 0.01 + 0.001 * PERSONAL_NAMES.index(name.replace("_l_", "_r_")) for name in PERSONAL_NAMES}
    person = dataclasses.replace(subject_from_height(1.75, COCO), personal=np.array(list(numbers.values())))
    qpos = neutral_qpos(person)
    qpos[7:14] = qpos[14:21] = np.radians([20, 5, 7, 60, 10, 5, 3])
    position = dict(zip(BODY_NAMES, oracle_poses(scaled_model(person, COCO), qpos).xpos[1:], strict=True))
    for body in ("femur", "tibia", "talus", "toes"):
        np.testing.assert_allclose(position[f"{body}_r"] * [1, -1, 1], position[f"{body}_l"], atol=1e-12)


def test_axes_tilt_by_the_angles_that_are_named():
    numbers = np.zeros(PERSONAL)
    numbers[PERSONAL_NAMES.index("knee_axis_frontal_r_rad")] = np.tan(np.radians(5.0))
    right_knee, left_knee = personal_axes(numbers)[[3, 10]]
    # from (0, 1, 0), whose tip is medial, up
    np.testing.assert_allclose(right_knee, [0.0, np.cos(np.radians(5.0)), np.sin(np.radians(5.0))], atol=1e-12)
    np.testing.assert_allclose(left_knee, [0.0, 1.0, 0.0], atol=1e-12)


def test_higher_hips_make_a_shorter_person():
    person = subject_from_height(1.75, COCO)
    numbers = np.array([0.01 if name.startswith("hip_centre_up") else 0.0 for name in PERSONAL_NAMES])
    assert standing_height_m(dataclasses.replace(person, personal=numbers)) == pytest.approx(1.74, abs=1e-9)


def test_a_shape_vector_makes_the_same_body_as_the_subject():
    ours = shape_parameters(shape_model(COCO), jnp.asarray(shape_vector(SOMEBODY, COCO)))
    theirs = body_parameters(SOMEBODY, COCO)
    for name in ("body_pos", "hinge_axis", "site_pos"):
        # float32 of lengths below 1 m
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=2e-7)
    back = with_shape(subject_from_height(1.75, COCO), COCO, shape_vector(SOMEBODY, COCO))
    np.testing.assert_array_equal(back.personal, SOMEBODY.personal)
    named = shape_names(COCO, len(shape_vector(SOMEBODY, COCO)))
    assert [name for _, name, _ in named[SCALES : SCALES + PERSONAL]] == list(PERSONAL_NAMES)


def test_sites_move_with_the_joints_as_differences_say():
    model, shape = shape_model(COCO), shape_vector(SOMEBODY, COCO).astype(np.float32)
    qpos = random_qpos(RNG, 1)[0].astype(np.float32)
    qpos[:3] = 0.0
    found = site_derivatives(model, shape, qpos).by_body
    assert found.shape == (17, 3, SCALES + PERSONAL)
    for index in range(SCALES, SCALES + PERSONAL):
        sides = []
        for sign in (1, -1):
            moved = shape.astype(float)
            moved[index] += sign * 1e-4
            person = with_shape(SOMEBODY, COCO, moved)
            sides.append(oracle_sites(scaled_model(person, COCO), COCO, qpos))
        # float32 kinematics: 1e-7 of 1 m, over a derivative of up to 1 m
        np.testing.assert_allclose(found[:, :, index], (sides[0] - sides[1]) / 2e-4, atol=2e-5)


def test_the_file_keeps_the_numbers_and_their_covariance(tmp_path):
    size = SCALES + PERSONAL + 3 * len(COCO)
    root = RNG.normal(size=(size, size))
    known = dataclasses.replace(SOMEBODY, covariance=1e-4 * root @ root.T)
    save_subject(known, tmp_path / "subject.yaml")
    found = load_subject(tmp_path / "subject.yaml")
    np.testing.assert_array_equal(found.personal, known.personal)
    np.testing.assert_allclose(shape_covariance(found, COCO), known.covariance, rtol=1e-6, atol=1e-10)
    assert not shape_covariance(known, load_keypoint_set("halpe_26")).any()


def test_a_file_names_only_what_differs_from_the_base_model(tmp_path):
    content = subject_to_dict(subject_from_height(1.75, COCO))
    assert "personal" not in content
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content | {"personal": {"pelvis_tilt_rad": 0.02}}))
    found = load_subject(tmp_path / "a.yaml").personal
    assert found is not None and found[-1] == 0.02 and not found[:-1].any()
    assert len(content["scales"]) == len(SCALE_NAMES)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.0] * PERSONAL, "'personal' is .* expected a map"),
        ({"hip": 0.01}, "'personal' is 'hip'; expected names among hip_centre_forward_r_m"),
        ({"hip_centre_up_r_m": 0.3}, "'personal.hip_centre_up_r_m' is 0.3; expected 1 number from -0.1 to 0.1"),
        ({"knee_axis_frontal_l_rad": "bent"}, "'personal.knee_axis_frontal_l_rad' is 'bent'"),
    ],
)
def test_wrong_numbers_are_named(tmp_path, value, message):
    content = subject_to_dict(subject_from_height(1.75, COCO)) | {"personal": value}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=f"wrong.yaml: the field {message}"):
        load_subject(tmp_path / "wrong.yaml")
