"""Forward kinematics of the base model's tree, one batched operation for each depth of the tree.

Equal to MuJoCo's C engine (tested). `mjx.kinematics` gives the same, but its general program takes six times as long to
compile and twice as long to run for this tree, and the live fit waits for both. Relies on what base.py checks: one free
root, hinges through their body's origin, at most three a body, bodies parallel to their parents at zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .base import PELVIS, base_mujoco_model
from .quaternions import multiply, normalized, rotate

_HINGES_A_BODY = 3


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BodyFrames:
    """Where everything is, in world."""

    position: Float[Array, "*batch 22 3"]
    """(..., 22, 3) origin of each body (m); also the anchor of its joints."""
    quaternion: Float[Array, "*batch 22 4"]
    """(..., 22, 4) w x y z, world from body."""
    joint_axis: Float[Array, "*batch 34 3"]
    """(..., 34, 3) unit axis of each hinge."""


def forward_kinematics(
    body_pos: Float[Array, "22 3"], hinge_axis: Float[Array, "34 3"], qpos: Float[Array, "*batch 41"]
) -> BodyFrames:
    """Frames of the bodies at poses `qpos` (..., 41), for positions `body_pos` (22, 3) of bodies in their parents and
    unit axes `hinge_axis` (34, 3) of the hinges in their bodies."""
    local_quaternion, local_axis = _hinge_rotations(hinge_axis, qpos[..., 7:])
    root = normalized(qpos[..., 3:7])[..., None, :]
    position, quaternion = [qpos[..., None, :3]], [root]
    for bodies, parents in _LEVELS:
        above, above_quaternion = position[-1][..., parents, :], quaternion[-1][..., parents, :]
        position.append(above + rotate(above_quaternion, body_pos[bodies]))
        quaternion.append(multiply(above_quaternion, local_quaternion[..., bodies, :]))
    world = jnp.zeros_like(root)
    positions = jnp.concatenate([world[..., :3], *position], axis=-2)[..., _BODY_ORDER, :]
    quaternions = jnp.concatenate([world.at[..., 0].set(1.0), *quaternion], axis=-2)[..., _BODY_ORDER, :]
    above_joint = quaternions[..., _PARENT_OF_JOINT, :]
    return BodyFrames(positions, quaternions, rotate(above_joint, local_axis))


def _hinge_rotations(
    hinge_axis: Float[Array, "34 3"], joints: Float[Array, "*batch 34"]
) -> tuple[Float[Array, "*batch 22 4"], Float[Array, "*batch 34 3"]]:
    """Rotation (..., 22, 4) of each body in its parent, and axis (..., 34, 3) of each hinge in its body's parent."""
    half = 0.5 * jnp.concatenate([joints, jnp.zeros_like(joints[..., :1])], axis=-1)[..., None]
    every_axis = jnp.concatenate([hinge_axis, jnp.asarray(_NO_AXIS)])
    turn = jnp.concatenate([jnp.cos(half), jnp.sin(half) * every_axis], axis=-1)[..., _HINGES, :]
    first, second, third = (turn[..., i, :] for i in range(_HINGES_A_BODY))
    two = multiply(first, second)
    axes = every_axis[_HINGES]
    unturned = jnp.broadcast_to(axes[:, 0], (*first.shape[:-1], 3))
    turned = jnp.stack([unturned, rotate(first, axes[:, 1]), rotate(two, axes[:, 2])], axis=-2)
    return multiply(two, third), turned[..., JOINT_BODY, _SLOT_OF_JOINT, :]


def _levels() -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """For each depth below the pelvis: its bodies, and their parents' places in the level above; then where each
    body is in the levels put one after the other, world first."""
    parent = base_mujoco_model().body_parentid
    levels, above = [], np.array([PELVIS])
    order = [0, PELVIS]
    while True:
        bodies = np.flatnonzero(np.isin(parent, above))
        if not bodies.size:
            return levels, np.argsort(order)
        levels.append((bodies, np.searchsorted(above, parent[bodies])))
        order.extend(bodies)
        above = bodies


def _hinges() -> np.ndarray:
    """(22, 3) index of each body's hinges, outermost first; filled up with the index after the last joint."""
    model = base_mujoco_model()
    hinges = np.full((model.nbody, _HINGES_A_BODY), model.njnt - 1)
    hinges[JOINT_BODY, _SLOT_OF_JOINT] = np.arange(model.njnt - 1)
    return hinges


JOINT_BODY = base_mujoco_model().jnt_bodyid[1:].copy()
"""(34,) MuJoCo's id of the body that each hinge turns."""

_PARENT_OF_JOINT = base_mujoco_model().body_parentid[JOINT_BODY]
_SLOT_OF_JOINT = np.arange(len(JOINT_BODY)) - (base_mujoco_model().body_jntadr[JOINT_BODY] - 1)
_HINGES = _hinges()
_NO_AXIS = np.array([[1.0, 0.0, 0.0]], np.float32)
_LEVELS, _BODY_ORDER = _levels()
