"""The subject as a vector, for fits: ten scale factors, the 15 numbers of personal joints where those are unknown,
then x y z of each keypoint's offset; and how the sites depend on it.

D = 10 or 25 numbers that move the whole body, K keypoints, X = D + 3 K. A vector's length says which it is.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..keypoints import KeypointSet
from .base import base_mujoco_model
from .kinematics import forward_kinematics
from .model import BodyParameters, site_jacobian, site_positions
from .names import BODY_NAMES, SCALE_NAMES
from .personal import PERSONAL, PERSONAL_NAMES, personal_axes, personal_positions, personal_unit
from .quaternions import axes_of
from .scaling import scale_mix
from .subject import Subject

SCALES = len(SCALE_NAMES)
"""The first entries of a shape vector."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ShapeModel:
    """What of a keypoint set the map from shape to body needs. A pytree."""

    site_body: Int[Array, " K"]
    """(K,) MuJoCo's id of the body that carries each keypoint; the world for one that is not used."""
    site_pos: Float[Array, "K 3"]
    """(K, 3) position on the base model, in the body's frame (m)."""


def shape_model(keypoint_set: KeypointSet) -> ShapeModel:
    """Of a keypoint set."""
    bodies = [1 + BODY_NAMES.index(body) if body else 0 for body in keypoint_set.bodies]
    return ShapeModel(np.array(bodies, np.int32), keypoint_set.positions_m.astype(np.float32))  # pyright: ignore


def shape_vector(subject: Subject, keypoint_set: KeypointSet) -> np.ndarray:
    """(X,) of a subject, with the personal numbers where it has them; offsets that were found with another keypoint set
    count as none."""
    own = subject.offsets_m if subject.keypoint_set in ("", keypoint_set.name) else {}
    offsets_m = np.array([own.get(name, np.zeros(3)) for name in keypoint_set.names])
    own_joints = np.zeros(0) if subject.personal is None else subject.personal
    return np.concatenate([subject.scales, own_joints, offsets_m.ravel()])


def shape_covariance(subject: Subject, keypoint_set: KeypointSet) -> np.ndarray:
    """(X, X) of `shape_vector`, from a subject's file; zero where it says nothing."""
    joints = SCALES + (0 if subject.personal is None else PERSONAL)
    count = joints + 3 * len(keypoint_set)
    full = np.zeros((count, count))
    if subject.covariance is None or subject.keypoint_set not in ("", keypoint_set.name):
        return full
    known = [name for name in subject.offsets_m if name in keypoint_set.site_from_keypoint]
    rows = {name: joints + 3 * index for index, name in enumerate(subject.offsets_m)}
    source = [*range(joints), *(rows[name] + axis for name in known for axis in range(3))]
    sites = keypoint_set.site_from_keypoint
    target = [*range(joints), *(joints + 3 * sites[name] + axis for name in known for axis in range(3))]
    full[np.ix_(target, target)] = subject.covariance[np.ix_(source, source)]
    return full


def with_shape(
    subject: Subject, keypoint_set: KeypointSet, shape: np.ndarray, covariance: np.ndarray | None = None
) -> Subject:
    """The subject with scales, joints and offsets (of the keypoints in use) and their covariance from a vector (X,)."""
    used = [index for index, body in enumerate(keypoint_set.bodies) if body]
    joints = len(shape) - 3 * len(keypoint_set)
    offsets_m = shape[joints:].reshape(-1, 3)
    rows = [*range(joints), *(joints + 3 * index + axis for index in used for axis in range(3))]
    return dataclasses.replace(
        subject,
        scales=np.array(shape[:SCALES], dtype=float),
        personal=np.array(shape[SCALES:joints], dtype=float) if joints > SCALES else None,
        offsets_m={keypoint_set.names[index]: np.array(offsets_m[index], dtype=float) for index in used},
        keypoint_set=keypoint_set.name,
        covariance=None if covariance is None else covariance[np.ix_(rows, rows)],
    )


def shape_names(keypoint_set: KeypointSet, size: int) -> list[tuple[int, str, str]]:
    """Index in a shape vector of `size` numbers, name and unit of everything that belongs to a keypoint in use."""
    joints = size - 3 * len(keypoint_set)
    names = [(index, name, "1") for index, name in enumerate(SCALE_NAMES)]
    own = PERSONAL_NAMES[: joints - SCALES]
    names += [(SCALES + index, name, personal_unit(name)) for index, name in enumerate(own)]
    for index, (name, body) in enumerate(zip(keypoint_set.names, keypoint_set.bodies, strict=True)):
        names += [(joints + 3 * index + axis, f"offset {name} {'xyz'[axis]}", "m") for axis in range(3) if body]
    return names


def shape_parameters(model: ShapeModel, shape: Float[Array, " X"]) -> BodyParameters:
    """Body of a shape vector: body_parameters(subject), as a differentiable map."""
    joints = _body_numbers(model, shape)
    scale = 1.0 + jnp.asarray(_MIX) @ shape[:SCALES]
    site_pos = model.site_pos * scale[model.site_body] + shape[joints:].reshape(-1, 3)
    body_pos, axes = jnp.asarray(_BODY_POS) * scale[_PARENT], jnp.asarray(_AXES)
    if joints > SCALES:
        body_pos, axes = personal_positions(body_pos, shape[SCALES:joints]), personal_axes(shape[SCALES:joints])
    return BodyParameters(body_pos, axes, scale, jnp.asarray(model.site_body), site_pos)


def _body_numbers(model: ShapeModel, shape: Float[Array, " X"]) -> int:
    """D, of which a program compiled for one length of the vector knows no other."""
    return shape.shape[0] - 3 * model.site_body.shape[0]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SiteDerivatives:
    """Sites in world (m) and what moves them."""

    position: Float[Array, "*batch K 3"]
    by_pose: Float[Array, "*batch K 3 40"]
    """By a step in the tangent space."""
    by_body: Float[Array, "*batch K 3 D"]
    """By scales and personal joints."""
    by_offset: Float[Array, "*batch K 3 3"]
    """By the site's own offset: the rotation of its body."""


def site_derivatives(model: ShapeModel, shape: Float[Array, " X"], qpos: Float[Array, "*batch 41"]) -> SiteDerivatives:
    """Sites (..., K, 3) at poses (..., 41) with their derivatives by pose and by shape."""
    parameters = shape_parameters(model, shape)
    frames = forward_kinematics(parameters.body_pos, parameters.hinge_axis, qpos)
    position = site_positions(parameters, frames)

    joints = _body_numbers(model, shape)

    def at(numbers: jax.Array) -> jax.Array:
        moved = shape_parameters(model, jnp.asarray(shape).at[:joints].set(numbers))
        return site_positions(moved, forward_kinematics(moved.body_pos, moved.hinge_axis, qpos))

    turned = jnp.swapaxes(axes_of(frames.quaternion), -1, -2)[..., model.site_body, :, :]
    return SiteDerivatives(
        position, site_jacobian(parameters, frames, position), jax.jacfwd(at)(shape[:joints]), turned
    )


_MIX = scale_mix().astype(np.float32)
_BODY_POS = base_mujoco_model().body_pos.astype(np.float32)
_AXES = base_mujoco_model().jnt_axis[1:].astype(np.float32)
_PARENT = base_mujoco_model().body_parentid.copy()
