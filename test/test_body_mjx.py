"""Our kinematics against MuJoCo's own in JAX (MJX)."""

import jax
import numpy as np
import pytest

from markerless_biomech.body.base import base_mujoco_model
from markerless_biomech.body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD, body_parameters, body_poses
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set

mjx = pytest.importorskip("mujoco.mjx", reason="mujoco-mjx is only a test's oracle")


def test_body_poses_equal_mjx():
    keypoint_set = load_keypoint_set("coco_17")
    parameters = body_parameters(subject_from_height(1.9, keypoint_set), keypoint_set)
    rng = np.random.default_rng(0)
    qpos = rng.normal(size=41).astype(np.float32)
    qpos[3:7] /= np.linalg.norm(qpos[3:7])
    qpos[7:] = rng.uniform(JOINT_LOWER_RAD, JOINT_UPPER_RAD)
    try:
        model = mjx.put_model(base_mujoco_model(), impl="jax")
    except TypeError:  # before mujoco-mjx 3.4 there was nothing else than JAX
        model = mjx.put_model(base_mujoco_model())
    data = mjx.make_data(model).replace(qpos=qpos)
    theirs = jax.jit(lambda m, d: mjx.kinematics(m, d))(model.replace(body_pos=parameters.body_pos), data)
    position, _ = body_poses(parameters, qpos)
    # float32 over a chain of six segments, each of at most 0.5 m
    assert np.abs(np.asarray(position) - np.asarray(theirs.xpos)).max() < 5e-6
