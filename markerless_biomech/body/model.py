"""Kinematics of the body in JAX: where bodies and keypoint sites are, and how they move with each coordinate.

A subject and a keypoint set become `BodyParameters` once; everything else is a pure, jitted function of those and of
qpos (pelvis position in world, pelvis quaternion w x y z, 34 joint angles), with any leading axes. A step is a vector
of the tangent space: pelvis translation in world, rotation about pelvis axes, joint angles (MuJoCo's convention).
T frames, K keypoints, 22 bodies (MuJoCo's ids, world first).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

with contextlib.redirect_stdout(io.StringIO()):  # it prints that Warp, which we do not use, is absent
    from mujoco import mjx

from ..keypoints import KeypointSet
from .base import (
    CARRIED_BY_JOINT,
    JOINT_LOWER_RAD,
    JOINT_UPPER_RAD,
    NEUTRAL_QPOS,
    PELVIS,
    base_mujoco_model,
    load_spec,
)
from .names import BODY_NAMES
from .scaling import body_scales, neutral_qpos, standing_height_m

if TYPE_CHECKING:
    from .subject import Subject

__all__ = [
    "JOINT_LOWER_RAD",
    "JOINT_UPPER_RAD",
    "NEUTRAL_QPOS",
    "BodyParameters",
    "base_mujoco_model",
    "body_parameters",
    "body_poses",
    "difference",
    "integrate",
    "load_spec",
    "neutral_qpos",
    "sites",
    "sites_with_jacobian",
    "standing_height_m",
]

Result = TypeVar("Result")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BodyParameters:
    """The base model in one subject's lengths, with one keypoint set's sites. A pytree: a swap never recompiles."""

    body_pos: jax.Array
    """(22, 3) position of each body in its parent's frame (m)."""
    body_scale: jax.Array
    """(22, 3) scale of each body along its own axes."""
    site_body: jax.Array
    """(K,) int32, MuJoCo's id of the body that carries each keypoint; the world for a keypoint that is not used."""
    site_pos: jax.Array
    """(K, 3) position of each keypoint in its body's frame (m), scaled, offset added."""


def body_parameters(subject: Subject, keypoint_set: KeypointSet) -> BodyParameters:
    """Scale the base model and the keypoint set's sites to `subject`. Offsets of other keypoints are left out."""
    scale = body_scales(subject.scales)
    model = base_mujoco_model()
    site_body = np.array([1 + BODY_NAMES.index(body) if body else 0 for body in keypoint_set.bodies], dtype=np.int32)
    offsets = np.array([subject.offsets_m.get(name, np.zeros(3)) for name in keypoint_set.names])
    values = (
        model.body_pos * scale[model.body_parentid],
        scale,
        site_body,
        keypoint_set.positions_m * scale[site_body] + offsets,
    )
    kinds = (np.float32, np.float32, np.int32, np.float32)
    return BodyParameters(*(jax.device_put(value.astype(kind)) for value, kind in zip(values, kinds, strict=True)))


@jax.jit
def sites(parameters: BodyParameters, qpos: jax.Array) -> jax.Array:
    """Keypoint sites (..., K, 3) in world (m) at poses `qpos` (..., 41)."""
    return _over_frames(lambda frame: _site_positions(parameters, _kinematics(parameters, frame)), qpos)


@jax.jit
def sites_with_jacobian(parameters: BodyParameters, qpos: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sites (..., K, 3) in world (m) and their derivative (..., K, 3, 40) by a step in the tangent space."""

    def at_frame(frame: jax.Array) -> tuple[jax.Array, jax.Array]:
        data = _kinematics(parameters, frame)
        position = _site_positions(parameters, data)
        return position, _site_jacobian(parameters, data, position)

    return _over_frames(at_frame, qpos)


@jax.jit
def body_poses(parameters: BodyParameters, qpos: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Positions (..., 22, 3) (m) and quaternions w x y z (..., 22, 4) of the bodies in world."""

    def at_frame(frame: jax.Array) -> tuple[jax.Array, jax.Array]:
        data = _kinematics(parameters, frame)
        return data.xpos, data.xquat

    return _over_frames(at_frame, qpos)


@jax.jit
def integrate(qpos: jax.Array, step: jax.Array) -> jax.Array:
    """Poses (..., 41) after steps (..., 40): p + dp, quaternion * exp(w / 2), joint + djoint."""
    turned = _quat_multiply(qpos[..., 3:7], _quat_exp(step[..., 3:6]))
    turned = turned / jnp.linalg.norm(turned, axis=-1, keepdims=True)
    return jnp.concatenate([qpos[..., :3] + step[..., :3], turned, qpos[..., 7:] + step[..., 6:]], axis=-1)


@jax.jit
def difference(start: jax.Array, end: jax.Array) -> jax.Array:
    """The step (..., 40) with `integrate(start, step)` at `end`; rotations take the shorter way round."""
    conjugate = start[..., 3:7] * jnp.array([1.0, -1.0, -1.0, -1.0], dtype=start.dtype)
    rotation = _quat_log(_quat_multiply(conjugate, end[..., 3:7]))
    return jnp.concatenate([end[..., :3] - start[..., :3], rotation, end[..., 7:] - start[..., 7:]], axis=-1)


def _over_frames(at_frame: Callable[[jax.Array], Result], qpos: jax.Array) -> Result:
    """Apply a function of one pose to poses with any leading axes."""
    leading = qpos.shape[:-1]
    results = jax.vmap(at_frame)(qpos.reshape(-1, qpos.shape[-1]))
    return jax.tree.map(lambda x: x.reshape(leading + x.shape[1:]), results)


@cache
def _mjx_model_and_data() -> tuple[Any, Any]:
    """The base model and empty data as MJX arrays, outside of any trace."""
    with jax.ensure_compile_time_eval():
        try:
            model = mjx.put_model(base_mujoco_model(), impl="jax")
        except TypeError:  # before mujoco-mjx 3.4 there was nothing else than JAX
            model = mjx.put_model(base_mujoco_model())
        return model, mjx.make_data(model)


def _kinematics(parameters: BodyParameters, qpos: jax.Array) -> Any:
    """MJX data with the poses of bodies and the anchors and axes of joints in world, for one pose (41,)."""
    model, data = _mjx_model_and_data()
    return mjx.kinematics(model.replace(body_pos=parameters.body_pos), data.replace(qpos=qpos))


def _site_positions(parameters: BodyParameters, data: Any) -> jax.Array:
    body = parameters.site_body
    return data.xpos[body] + jnp.einsum("kij,kj->ki", data.xmat[body], parameters.site_pos)


def _site_jacobian(parameters: BodyParameters, data: Any, position: jax.Array) -> jax.Array:
    """(K, 3, 40): identity | pelvis axis x (site - pelvis) | joint axis x (site - anchor) where the joint carries it.

    A cross product is linear in the lever arm: axis x site is taken for all, the constant axis x anchor taken off.
    """
    body = parameters.site_body
    pelvis = data.xpos[PELVIS]
    axes = jnp.concatenate([data.xmat[PELVIS].T, data.xaxis[1:]])
    anchors = jnp.concatenate([jnp.zeros((3, 3)), data.xanchor[1:] - pelvis])
    used = (body > 0)[:, None]
    carried = jnp.concatenate([jnp.broadcast_to(used, (len(body), 3)), jnp.asarray(CARRIED_BY_JOINT)[body]], axis=1)
    lever = (position - pelvis)[:, None, :]
    turning = (jnp.cross(axes, lever) - jnp.cross(axes, anchors)) * carried[:, :, None]
    moving = jnp.eye(3) * used[:, :, None]
    return jnp.concatenate([moving, jnp.swapaxes(turning, 1, 2)], axis=2)


def _quat_multiply(a: jax.Array, b: jax.Array) -> jax.Array:
    aw, ax, ay, az = jnp.moveaxis(a, -1, 0)
    bw, bx, by, bz = jnp.moveaxis(b, -1, 0)
    return jnp.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def _quat_exp(rotation: jax.Array) -> jax.Array:
    """Quaternion w x y z of a rotation vector (rad)."""
    half = 0.5 * _safe_norm(rotation)
    return jnp.concatenate([jnp.cos(half), 0.5 * jnp.sinc(half / jnp.pi) * rotation], axis=-1)


def _quat_log(quaternion: jax.Array) -> jax.Array:
    """Rotation vector (rad, length at most pi) of a unit quaternion w x y z."""
    shorter = jnp.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    real, imaginary = shorter[..., :1], shorter[..., 1:]
    size = _safe_norm(imaginary)
    near_zero = size < 1e-6
    ratio = jnp.where(near_zero, 2.0, 2.0 * jnp.arctan2(size, real) / jnp.where(near_zero, 1.0, size))
    return ratio * imaginary


def _safe_norm(vector: jax.Array) -> jax.Array:
    """Norm over the last axis, kept; its gradient is finite at zero."""
    square = jnp.sum(vector * vector, axis=-1, keepdims=True)
    return jnp.sqrt(jnp.where(square > 0, square, 1.0)) * (square > 0)
