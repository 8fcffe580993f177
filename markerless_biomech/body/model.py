"""Kinematics of the body in JAX: where bodies and keypoint sites are, and how they move with each coordinate.

A subject and a keypoint set become `BodyParameters` once; everything else is a pure, jitted function of those and of
qpos (pelvis position in world, pelvis quaternion w x y z, 34 joint angles), with any leading axes. A step is a vector
of the tangent space: pelvis translation in world, rotation about pelvis axes, joint angles (MuJoCo's convention).
T frames, K keypoints, 22 bodies (MuJoCo's ids, world first).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

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
from .kinematics import JOINT_BODY, BodyFrames, forward_kinematics
from .names import BODY_NAMES
from .quaternions import axes_of, conjugate, exp, log, multiply, normalized, rotate
from .scaling import body_scales, neutral_qpos, standing_height_m, subject_axes, subject_positions
from .soft_tissue import DRIVING_JOINT, USUAL_FLEXION_RAD, slides_of

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
    "site_jacobian",
    "site_positions",
    "sites",
    "sites_with_jacobian",
    "standing_height_m",
]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BodyParameters:
    """The base model in one subject's lengths, with one keypoint set's sites. A pytree: a swap never recompiles."""

    body_pos: Float[Array, "22 3"]
    """(22, 3) position of each body in its parent's frame (m)."""
    hinge_axis: Float[Array, "34 3"]
    """(34, 3) unit axis of each hinge in its body's frame."""
    body_scale: Float[Array, "22 3"]
    """(22, 3) scale of each body along its own axes."""
    site_body: Int[Array, " K"]
    """(K,) int32, MuJoCo's id of the body that carries each keypoint; the world for a keypoint that is not used."""
    site_pos: Float[Array, "K 3"]
    """(K, 3) position of each keypoint in its body's frame (m), scaled, offset added."""
    site_slide: Float[Array, "K 3"]
    """(K, 3) how it slides with the flexion of the joint above (m/rad; soft_tissue.py); 0 where skin does not slide."""


def body_parameters(subject: Subject, keypoint_set: KeypointSet) -> BodyParameters:
    """Scale the base model and the keypoint set's sites to `subject`.

    Offsets and slides found with another keypoint set are left out: its points of the same name are not the same.
    """
    same_set = subject.keypoint_set in ("", keypoint_set.name)
    own, slides = (subject.offsets_m, subject.soft_tissue_m_per_rad) if same_set else ({}, {})
    scale = body_scales(subject.scales)
    site_body = np.array([1 + BODY_NAMES.index(body) if body else 0 for body in keypoint_set.bodies], dtype=np.int32)
    offsets = np.array([own.get(name, np.zeros(3)) for name in keypoint_set.names])
    values = (
        subject_positions(subject),
        subject_axes(subject),
        scale,
        site_body,
        keypoint_set.positions_m * scale[site_body] + offsets,
        slides_of(slides, keypoint_set),
    )
    kinds = (np.float32, np.float32, np.float32, np.int32, np.float32, np.float32)
    return BodyParameters(*(jax.device_put(value.astype(kind)) for value, kind in zip(values, kinds, strict=True)))


@jax.jit
def sites(parameters: BodyParameters, qpos: Float[Array, "*batch 41"]) -> Float[Array, "*batch K 3"]:
    """Keypoint sites (..., K, 3) in world (m) at poses `qpos` (..., 41)."""
    return site_positions(parameters, forward_kinematics(parameters.body_pos, parameters.hinge_axis, qpos), qpos)


@jax.jit
def sites_with_jacobian(
    parameters: BodyParameters, qpos: Float[Array, "*batch 41"]
) -> tuple[Float[Array, "*batch K 3"], Float[Array, "*batch K 3 40"]]:
    """Sites (..., K, 3) in world (m) and their derivative (..., K, 3, 40) by a step in the tangent space."""
    frames = forward_kinematics(parameters.body_pos, parameters.hinge_axis, qpos)
    position = site_positions(parameters, frames, qpos)
    return position, site_jacobian(parameters, frames, position)


@jax.jit
def body_poses(
    parameters: BodyParameters, qpos: Float[Array, "*batch 41"]
) -> tuple[Float[Array, "*batch 22 3"], Float[Array, "*batch 22 4"]]:
    """Positions (..., 22, 3) (m) and quaternions w x y z (..., 22, 4) of the bodies in world."""
    frames = forward_kinematics(parameters.body_pos, parameters.hinge_axis, qpos)
    return frames.position, frames.quaternion


@jax.jit
def integrate(qpos: Float[Array, "*batch 41"], step: Float[Array, "*batch 40"]) -> Float[Array, "*batch 41"]:
    """Poses (..., 41) after steps (..., 40): p + dp, quaternion * exp(rotation), joint + djoint."""
    turned = normalized(multiply(qpos[..., 3:7], exp(step[..., 3:6])))
    return jnp.concatenate([qpos[..., :3] + step[..., :3], turned, qpos[..., 7:] + step[..., 6:]], axis=-1)


@jax.jit
def difference(start: Float[Array, "*batch 41"], end: Float[Array, "*batch 41"]) -> Float[Array, "*batch 40"]:
    """The step (..., 40) with `integrate(start, step)` at `end`; rotations take the shorter way round."""
    rotation = log(multiply(conjugate(start[..., 3:7]), end[..., 3:7]))
    return jnp.concatenate([end[..., :3] - start[..., :3], rotation, end[..., 7:] - start[..., 7:]], axis=-1)


def site_positions(
    parameters: BodyParameters, frames: BodyFrames, qpos: Float[Array, "*batch 41"]
) -> Float[Array, "*batch K 3"]:
    """Sites (..., K, 3) in world (m), where the bodies at poses `qpos` are known."""
    body = parameters.site_body
    local = parameters.site_pos + flexion_past_usual(body, qpos)[..., None] * parameters.site_slide
    return frames.position[..., body, :] + rotate(frames.quaternion[..., body, :], local)


def flexion_past_usual(site_body: Int[Array, " K"], qpos: Float[Array, "*batch 41"]) -> Float[Array, "*batch K"]:
    """(..., K) angle that drives each site's skin, from where it usually is (rad); means nothing for sites without."""
    return qpos[..., jnp.asarray(7 + DRIVING_JOINT)[site_body]] - jnp.asarray(USUAL_FLEXION_RAD)[site_body]


def site_jacobian(
    parameters: BodyParameters, frames: BodyFrames, position: Float[Array, "*batch K 3"]
) -> Float[Array, "*batch K 3 40"]:
    """(..., K, 3, 40): identity | pelvis axis x (site - pelvis) | joint axis x (site - anchor) where it is carried.

    axis x (site - anchor) = axis x (site - pelvis) - axis x (anchor - pelvis), of which the last is the same for all.
    The joint that drives the skin slides the site as well.
    """
    body = parameters.site_body
    used = (body > 0).astype(position.dtype)
    pelvis = frames.position[..., PELVIS, None, :]
    axes = jnp.concatenate([axes_of(frames.quaternion[..., PELVIS, :]), frames.joint_axis], axis=-2)
    anchors = frames.position[..., (PELVIS, PELVIS, PELVIS, *JOINT_BODY), :] - pelvis
    offset = jnp.cross(axes, anchors)
    carried = jnp.concatenate([jnp.tile(used[:, None], 3), jnp.asarray(CARRIED_BY_JOINT)[body]], axis=1)
    ax, ay, az = (axes[..., None, :, i] for i in range(3))
    x, y, z = ((position - pelvis)[..., :, None, i] for i in range(3))
    turning = jnp.stack([ay * z - az * y, az * x - ax * z, ax * y - ay * x], axis=-2)
    turning = (turning - jnp.swapaxes(offset, -1, -2)[..., None, :, :]) * carried[:, None, :]
    sliding = rotate(frames.quaternion[..., body, :], parameters.site_slide)
    turning = turning + sliding[..., None] * jnp.asarray(_DRIVES)[body][:, None, :]
    moving = jnp.broadcast_to(jnp.eye(3) * used[:, None, None], (*turning.shape[:-1], 3))
    return jnp.concatenate([moving, turning], axis=-1)


_DRIVES = np.concatenate([np.zeros((len(DRIVING_JOINT), 3)), np.eye(len(JOINT_BODY))[DRIVING_JOINT]], 1).astype(
    np.float32
)
"""(22, 37) 1 where a joint, after three rotations of the pelvis, drives the skin of a body."""
