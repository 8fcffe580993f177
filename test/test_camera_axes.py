"""Named axes: every function of the cameras takes and gives arrays of the axes that its signature names."""

import jax.numpy as jnp
import pytest
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import jaxtyped
from made_rigs import LENSES, make_camera

from markerless_biomech.cameras import camera, increments
from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.cameras.rig import camera_arrays

CAMERAS = camera_arrays(Rig({model: make_camera(model, model) for model in LENSES}), tuple(LENSES))
POINTS, PIXELS = jnp.ones((2, 5, 3)), jnp.ones((2, 3, 5, 2))


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (camera.project, (CAMERAS, POINTS), (CAMERAS, POINTS[..., :2])),
        (camera.project_with_jacobian, (CAMERAS, POINTS), (CAMERAS, PIXELS)),
        (increments.pose_jacobian, (CAMERAS, POINTS), (CAMERAS, PIXELS)),
        (camera.undistort, (CAMERAS, PIXELS), (CAMERAS, POINTS)),
        (increments.moved, (CAMERAS, jnp.zeros((3, 6))), (CAMERAS, jnp.zeros(6))),
        (increments.rotation_from_vector, (jnp.zeros((2, 3)),), (jnp.zeros((2, 4)),)),
    ],
)
def test_axes_are_those_of_the_signature(function, right, wrong):
    checked = jaxtyped(beartype(function), typechecker=None)
    checked(*right)
    with pytest.raises(BeartypeCallHintViolation):
        checked(*wrong)
