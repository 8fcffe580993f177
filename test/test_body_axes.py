"""Named axes: every function of the body takes and gives arrays of the axes that its signature names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from body_oracle import random_qpos
from jaxtyping import jaxtyped

from markerless_biomech.body import kinematics, model, quaternions
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set

KEYPOINTS = load_keypoint_set("coco_17")
PARAMETERS = model.body_parameters(subject_from_height(1.75, KEYPOINTS), KEYPOINTS)
QPOS = jnp.asarray(random_qpos(np.random.default_rng(12), 2), jnp.float32)
STEP = jnp.zeros((2, 40))
TURN = QPOS[:, 3:7]


def _checked(function):
    """The function under any jit, with its axes checked at the call."""
    return jaxtyped(beartype(getattr(function, "__wrapped__", function)), typechecker=None)


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (model.sites, (PARAMETERS, QPOS), (PARAMETERS, QPOS[:, 1:])),
        (model.sites_with_jacobian, (PARAMETERS, QPOS), (PARAMETERS, STEP)),
        (model.body_poses, (PARAMETERS, QPOS[0]), (PARAMETERS, QPOS.T)),
        (model.integrate, (QPOS, STEP), (STEP, QPOS)),
        (model.difference, (QPOS, QPOS), (QPOS, QPOS[:1])),
        (
            kinematics.forward_kinematics,
            (PARAMETERS.body_pos, PARAMETERS.hinge_axis, QPOS),
            (PARAMETERS.site_pos, PARAMETERS.hinge_axis, QPOS),
        ),
        (quaternions.multiply, (TURN, TURN[0]), (TURN, TURN[:, :3])),
        (quaternions.rotate, (TURN[0], STEP[:, :3]), (STEP[:, :3], TURN)),
        (quaternions.axes_of, (TURN,), (STEP,)),
        (quaternions.exp, (STEP[:, :3],), (TURN,)),
        (quaternions.log, (TURN,), (STEP[:, :3],)),
    ],
)
def test_axes_are_those_of_the_signature(function, right, wrong):
    jax.eval_shape(_checked(function), *right)
    with pytest.raises(BeartypeCallHintViolation):
        jax.eval_shape(_checked(function), *wrong)
