"""The subject as a vector, for fits: ten scale factors, the 15 numbers of personal joints where those are unknown,
x y z of each sliding keypoint's slide where those are, then x y z of each keypoint's offset; and how the sites depend
on it.

K keypoints, S of them on skin that slides, D = 10 [+ 15] [+ 3 S] numbers of the body, X = D + 3 K. A vector's length
says which it is: `shape_layout`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..keypoints import KeypointSet
from .base import base_mujoco_model
from .kinematics import forward_kinematics
from .model import BodyParameters, flexion_past_usual, site_jacobian, site_positions
from .names import BODY_NAMES, SCALE_NAMES
from .personal import PERSONAL, PERSONAL_NAMES, personal_axes, personal_positions, personal_unit
from .quaternions import axes_of
from .scaling import scale_mix
from .soft_tissue import slides_of, sliding_keypoints
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
    sliding: Int[Array, " S"]
    """(S,) indices of the keypoints on skin that may slide."""


def shape_model(keypoint_set: KeypointSet) -> ShapeModel:
    """Of a keypoint set."""
    bodies = [1 + BODY_NAMES.index(body) if body else 0 for body in keypoint_set.bodies]
    arrays: Any = (
        np.array(bodies, np.int32),
        keypoint_set.positions_m.astype(np.float32),
        np.array(sliding_keypoints(keypoint_set), np.int32),
    )
    return ShapeModel(*arrays)


@dataclass(frozen=True)
class ShapeLayout:
    """What a shape vector holds, in this order after the scales."""

    personal: int
    """0 or 15"""
    slides: int
    """0 or 3 S"""
    offsets: int
    """3 K"""

    @property
    def joints(self) -> int:
        """Where the slides begin: scales and personal joints come before."""
        return SCALES + self.personal

    @property
    def body(self) -> int:
        """D, where the offsets begin."""
        return self.joints + self.slides

    @property
    def size(self) -> int:
        """X"""
        return self.body + self.offsets


def shape_layout(size: int, keypoints: int, sliding: int) -> ShapeLayout:
    """Of a vector of so many numbers, for K keypoints of which S slide."""
    for slides in (0, 3 * sliding):
        for personal in (0, PERSONAL):
            layout = ShapeLayout(personal, slides, 3 * keypoints)
            if layout.size == size:
                return layout
    raise ValueError(f"no shape vector of {keypoints} keypoints, {sliding} of them sliding, has {size} numbers")


def _layout_of_subject(subject: Subject, keypoint_set: KeypointSet) -> ShapeLayout:
    slides = subject.soft_tissue_m_per_rad and subject.keypoint_set in ("", keypoint_set.name)
    return ShapeLayout(
        personal=0 if subject.personal is None else PERSONAL,
        slides=3 * len(sliding_keypoints(keypoint_set)) if slides else 0,
        offsets=3 * len(keypoint_set),
    )


def shape_vector(subject: Subject, keypoint_set: KeypointSet) -> np.ndarray:
    """(X,) of a subject, with personal numbers and slides where it has them; offsets and slides that were found with
    another keypoint set count as none."""
    own = subject.offsets_m if subject.keypoint_set in ("", keypoint_set.name) else {}
    offsets_m = np.array([own.get(name, np.zeros(3)) for name in keypoint_set.names])
    own_joints = np.zeros(0) if subject.personal is None else subject.personal
    slides = np.zeros(0)
    if _layout_of_subject(subject, keypoint_set).slides:
        slides = slides_of(subject.soft_tissue_m_per_rad, keypoint_set)[sliding_keypoints(keypoint_set)].ravel()
    return np.concatenate([subject.scales, own_joints, slides, offsets_m.ravel()])


def shape_covariance(subject: Subject, keypoint_set: KeypointSet) -> np.ndarray:
    """(X, X) of `shape_vector`, from a subject's file; zero where it says nothing."""
    layout = _layout_of_subject(subject, keypoint_set)
    full = np.zeros((layout.size, layout.size))
    if subject.covariance is None or subject.keypoint_set not in ("", keypoint_set.name):
        return full
    rows_of_site = {name: layout.body + 3 * index for index, name in enumerate(keypoint_set.names)}
    sliding = [keypoint_set.names[index] for index in sliding_keypoints(keypoint_set)]
    rows_of_slide = {name: layout.joints + 3 * index for index, name in enumerate(sliding)}
    start = layout.joints
    source, target = list(range(start)), list(range(start))
    for vectors, rows in ((subject.soft_tissue_m_per_rad, rows_of_slide), (subject.offsets_m, rows_of_site)):
        known = [(start + 3 * index, rows[name]) for index, name in enumerate(vectors) if name in rows]
        source += [row + axis for row, _ in known for axis in range(3)]
        target += [row + axis for _, row in known for axis in range(3)]
        start += 3 * len(vectors)
    full[np.ix_(target, target)] = subject.covariance[np.ix_(source, source)]
    return full


def with_shape(
    subject: Subject, keypoint_set: KeypointSet, shape: np.ndarray, covariance: np.ndarray | None = None
) -> Subject:
    """The subject with scales, joints, slides and offsets (of the keypoints in use) and their covariance from a vector
    (X,)."""
    used = [index for index, body in enumerate(keypoint_set.bodies) if body]
    sliding = sliding_keypoints(keypoint_set)
    layout = shape_layout(len(shape), len(keypoint_set), len(sliding))
    numbers = np.array(shape, dtype=float)
    slides = numbers[layout.joints : layout.body].reshape(-1, 3)
    offsets_m = numbers[layout.body :].reshape(-1, 3)
    rows = [*range(layout.body), *(layout.body + 3 * index + axis for index in used for axis in range(3))]
    return dataclasses.replace(
        subject,
        scales=numbers[:SCALES],
        personal=numbers[SCALES : layout.joints] if layout.personal else None,
        soft_tissue_m_per_rad={keypoint_set.names[i]: slide for i, slide in zip(sliding, slides, strict=False)},
        offsets_m={keypoint_set.names[index]: offsets_m[index] for index in used},
        keypoint_set=keypoint_set.name,
        covariance=None if covariance is None else covariance[np.ix_(rows, rows)],
    )


def shape_names(keypoint_set: KeypointSet, size: int) -> list[tuple[int, str, str]]:
    """Index in a shape vector of `size` numbers, name and unit of everything that belongs to a keypoint in use."""
    sliding = sliding_keypoints(keypoint_set)
    layout = shape_layout(size, len(keypoint_set), len(sliding))
    own = [(name, "1") for name in SCALE_NAMES]
    own += [(name, personal_unit(name)) for name in PERSONAL_NAMES[: layout.personal]]
    slides = [f"soft tissue {keypoint_set.names[index]} {axis}" for index in sliding for axis in "xyz"]
    own += [(name, "m/rad") for name in slides[: layout.slides]]
    names = [(row, name, unit) for row, (name, unit) in enumerate(own)]
    for index, (name, body) in enumerate(zip(keypoint_set.names, keypoint_set.bodies, strict=True)):
        names += [(layout.body + 3 * index + axis, f"offset {name} {'xyz'[axis]}", "m") for axis in range(3) if body]
    return names


def shape_parameters(model: ShapeModel, shape: Float[Array, " X"]) -> BodyParameters:
    """Body of a shape vector: body_parameters(subject), as a differentiable map."""
    layout = _layout(model, shape)
    scale = 1.0 + jnp.asarray(_MIX) @ shape[:SCALES]
    site_pos = model.site_pos * scale[model.site_body] + shape[layout.body :].reshape(-1, 3)
    body_pos, axes = jnp.asarray(_BODY_POS) * scale[_PARENT], jnp.asarray(_AXES)
    if layout.personal:
        own_joints = shape[SCALES : layout.joints]
        body_pos, axes = personal_positions(body_pos, own_joints), personal_axes(own_joints)
    slides = jnp.zeros_like(site_pos)
    if layout.slides:
        slides = slides.at[model.sliding].set(shape[layout.joints : layout.body].reshape(-1, 3))
    return BodyParameters(body_pos, axes, scale, jnp.asarray(model.site_body), site_pos, slides)


def _layout(model: ShapeModel, shape: Float[Array, " X"]) -> ShapeLayout:
    """A program compiled for one length of the vector knows no other."""
    return shape_layout(shape.shape[0], model.site_body.shape[0], model.sliding.shape[0])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SiteDerivatives:
    """Sites in world (m) and what moves them."""

    position: Float[Array, "*batch K 3"]
    by_pose: Float[Array, "*batch K 3 40"]
    """By a step in the tangent space."""
    by_body: Float[Array, "*batch K 3 D"]
    """By scales, personal joints and slides."""
    by_offset: Float[Array, "*batch K 3 3"]
    """By the site's own offset: the rotation of its body."""


def site_derivatives(model: ShapeModel, shape: Float[Array, " X"], qpos: Float[Array, "*batch 41"]) -> SiteDerivatives:
    """Sites (..., K, 3) at poses (..., 41) with their derivatives by pose and by shape."""
    parameters = shape_parameters(model, shape)
    frames = forward_kinematics(parameters.body_pos, parameters.hinge_axis, qpos)
    position = site_positions(parameters, frames, qpos)
    layout = _layout(model, shape)

    def at(numbers: jax.Array) -> jax.Array:
        moved = shape_parameters(model, jnp.asarray(shape).at[: layout.joints].set(numbers))
        return site_positions(moved, forward_kinematics(moved.body_pos, moved.hinge_axis, qpos), qpos)

    turned = jnp.swapaxes(axes_of(frames.quaternion), -1, -2)[..., model.site_body, :, :]
    by_body = jax.jacfwd(at)(shape[: layout.joints])
    if layout.slides:
        by_body = jnp.concatenate([by_body, _by_slides(model, turned, qpos)], axis=-1)
    return SiteDerivatives(position, site_jacobian(parameters, frames, position), by_body, turned)


def _by_slides(
    model: ShapeModel, turned: Float[Array, "*batch K 3 3"], qpos: Float[Array, "*batch 41"]
) -> Float[Array, "*batch K 3 3S"]:
    """A slide moves its own site only, by the flexion past the usual one along the axes of its body."""
    own = turned * flexion_past_usual(jnp.asarray(model.site_body), qpos)[..., None, None]
    which = jax.nn.one_hot(jnp.asarray(model.sliding), model.site_body.shape[0], axis=0)
    columns = jnp.einsum("ks,...kij->...kisj", which, own)
    return columns.reshape(*columns.shape[:-2], -1)


_MIX = scale_mix().astype(np.float32)
_BODY_POS = base_mujoco_model().body_pos.astype(np.float32)
_AXES = base_mujoco_model().jnt_axis[1:].astype(np.float32)
_PARENT = base_mujoco_model().body_parentid.copy()
