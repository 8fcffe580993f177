"""The subject as a vector, for fits: scale factors, then x y z of each keypoint's offset; and how the sites depend on it.

`shape_parameters` is affine, so that fits may differentiate it. K keypoints, X = 10 + 3 K numbers.
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
    """(X,) of a subject; offsets that were found with another keypoint set count as none."""
    own = subject.offsets_m if subject.keypoint_set in ("", keypoint_set.name) else {}
    offsets_m = np.array([own.get(name, np.zeros(3)) for name in keypoint_set.names])
    return np.concatenate([subject.scales, offsets_m.ravel()])


def shape_covariance(subject: Subject, keypoint_set: KeypointSet) -> np.ndarray:
    """(X, X) of `shape_vector`, from a subject's file; zero where it says nothing."""
    count = SCALES + 3 * len(keypoint_set)
    full = np.zeros((count, count))
    if subject.covariance is None or subject.keypoint_set not in ("", keypoint_set.name):
        return full
    known = [name for name in subject.offsets_m if name in keypoint_set.site_from_keypoint]
    rows = {name: SCALES + 3 * index for index, name in enumerate(subject.offsets_m)}
    source = [*range(SCALES), *(rows[name] + axis for name in known for axis in range(3))]
    sites = keypoint_set.site_from_keypoint
    target = [*range(SCALES), *(SCALES + 3 * sites[name] + axis for name in known for axis in range(3))]
    full[np.ix_(target, target)] = subject.covariance[np.ix_(source, source)]
    return full


def with_shape(
    subject: Subject, keypoint_set: KeypointSet, shape: np.ndarray, covariance: np.ndarray | None = None
) -> Subject:
    """The subject with scales and offsets (of the keypoints in use) and their covariance from a vector (X,)."""
    used = [index for index, body in enumerate(keypoint_set.bodies) if body]
    offsets_m = shape[SCALES:].reshape(-1, 3)
    rows = [*range(SCALES), *(SCALES + 3 * index + axis for index in used for axis in range(3))]
    return dataclasses.replace(
        subject,
        scales=np.array(shape[:SCALES], dtype=float),
        offsets_m={keypoint_set.names[index]: np.array(offsets_m[index], dtype=float) for index in used},
        keypoint_set=keypoint_set.name,
        covariance=None if covariance is None else covariance[np.ix_(rows, rows)],
    )


def shape_parameters(model: ShapeModel, shape: Float[Array, " X"]) -> BodyParameters:
    """Body of a shape vector: body_parameters(subject), as a differentiable map."""
    scale = 1.0 + jnp.asarray(_MIX) @ shape[:SCALES]
    site_pos = model.site_pos * scale[model.site_body] + shape[SCALES:].reshape(-1, 3)
    return BodyParameters(jnp.asarray(_BODY_POS) * scale[_PARENT], scale, jnp.asarray(model.site_body), site_pos)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SiteDerivatives:
    """Sites in world (m) and what moves them."""

    position: Float[Array, "*batch K 3"]
    by_pose: Float[Array, "*batch K 3 40"]
    """By a step in the tangent space."""
    by_scales: Float[Array, "*batch K 3 10"]
    by_offset: Float[Array, "*batch K 3 3"]
    """By the site's own offset: the rotation of its body."""


def site_derivatives(model: ShapeModel, shape: Float[Array, " X"], qpos: Float[Array, "*batch 41"]) -> SiteDerivatives:
    """Sites (..., K, 3) at poses (..., 41) with their derivatives by pose and by shape."""
    parameters = shape_parameters(model, shape)
    frames = forward_kinematics(parameters.body_pos, qpos)
    position = site_positions(parameters, frames)

    def at(scales: jax.Array) -> jax.Array:
        moved = shape_parameters(model, jnp.asarray(shape).at[:SCALES].set(scales))
        return site_positions(moved, forward_kinematics(moved.body_pos, qpos))

    turned = jnp.swapaxes(axes_of(frames.quaternion), -1, -2)[..., model.site_body, :, :]
    return SiteDerivatives(
        position, site_jacobian(parameters, frames, position), jax.jacfwd(at)(shape[:SCALES]), turned
    )


_MIX = scale_mix().astype(np.float32)
_BODY_POS = base_mujoco_model().body_pos.astype(np.float32)
_PARENT = base_mujoco_model().body_parentid.copy()
