"""What may be wrong with a camera's calibration, as numbers, and how its image depends on them.

P numbers a camera: the pose's six, or all of CAMERA_NUMBERS. C cameras, K points.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .camera import EQUIDISTANT, Cameras, Seen, camera_point_jacobian, in_camera, look, project

CAMERA_NUMBERS = (
    *(f"{axis}_m" for axis in "xyz"),
    *(f"{axis}_rad" for axis in "xyz"),
    "log_focal",
    "center_u_px",
    "center_v_px",
    "k1",
    "time_s",
)
"""Shift and turn of the optical frame (as `moved` applies them), logarithm of a factor on both focal lengths, shift of
the principal point, change of the first radial coefficient, and by how much the camera exposes later than its stamps
say."""

POSE = 6
"""The first numbers, those of the pose."""

NUMBERS = len(CAMERA_NUMBERS)


def pose_jacobian(cameras: Cameras, points: Float[Array, "*batch K 3"]) -> Float[Array, "*batch C K 2 6"]:
    """d image / d increment of each camera's pose as `moved` applies it: px/m (3), px/rad (3)."""
    seen = look(cameras, points)
    # What is not valid has zero rows already, whatever its place; it must only be finite.
    x, y, z = (jnp.where(seen.valid, coordinate, 0.0) for coordinate in in_camera(cameras, points))
    entries = []
    for a, b, c in camera_point_jacobian(cameras, seen):
        # row . (turn x point) = turn . (point x row)
        entries += [a, b, c, y * c - z * b, z * a - x * c, x * b - y * a]
    jacobian = jnp.stack(jax.lax.optimization_barrier(entries), axis=-1)
    return jacobian.reshape(*jacobian.shape[:-1], 2, 6)


def moved(cameras: Cameras, increment: Float[Array, "C 6"]) -> Cameras:
    """p_camera becomes exp(rotation) p_camera + translation; increment = (m (3), rad (3)) in optical axes."""
    turn = rotation_from_vector(increment[:, 3:])
    translation = jnp.einsum("cij,cj->ci", turn, cameras.translation) + increment[:, :3]
    return dataclasses.replace(cameras, rotation=turn @ cameras.rotation, translation=translation)


def rotation_from_vector(vector: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Rodrigues' formula, smooth at zero: I + a [v] + b [v]^2."""
    square = jnp.sum(vector * vector, axis=-1)[..., None, None]
    small = square < 1e-6
    angle = jnp.sqrt(jnp.where(small, 1.0, square))
    a = jnp.where(small, 1.0 - square / 6.0, jnp.sin(angle) / angle)
    b = jnp.where(small, 0.5 - square / 24.0, (1.0 - jnp.cos(angle)) / (angle * angle))
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = jnp.zeros_like(x)
    cross = jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vector.shape[:-1], 3, 3)
    return jnp.eye(3, dtype=vector.dtype) + a * cross + b * (cross @ cross)


def refined(cameras: Cameras, numbers: Float[Array, "C P"]) -> Cameras:
    """The cameras with their numbers (C, POSE or NUMBERS) applied; `time_s` is not a matter of projection."""
    turned = moved(cameras, numbers[:, :POSE])
    if numbers.shape[1] == POSE:
        return turned
    return dataclasses.replace(
        turned,
        focal=cameras.focal * jnp.exp(numbers[:, 6:7]),
        center=cameras.center + numbers[:, 7:9],
        distortion=cameras.distortion.at[:, 0].add(numbers[:, 9]),
    )


def camera_jacobian(
    cameras: Cameras,
    points: Float[Array, "*batch K 3"],
    speed_px_s: Float[Array, "*batch C K 2"],
    count: int,
) -> Float[Array, "*batch C K 2 P"]:
    """d image / d number of each camera, for the first POSE or all NUMBERS; `speed_px_s` of the points in the image.

    Of the pose about where the camera is (`moved` once more); of a camera already turned by some degrees `refined`'s
    own derivative differs by as many radians, which an iteration does not mind.
    """
    by_pose = pose_jacobian(cameras, points)
    if count == POSE:
        return by_pose
    image_px, valid = project(cameras, points)
    one = valid.astype(image_px.dtype)
    zero = jnp.zeros_like(one)
    by_focal = (image_px - cameras.center[:, None]) * one[..., None]
    by_center = [jnp.stack(pair, -1) for pair in ((one, zero), (zero, one))]
    by_time = speed_px_s * one[..., None]
    lens = jnp.stack([by_focal, *by_center, _by_k1(cameras, look(cameras, points)), by_time], axis=-1)
    return jnp.concatenate([by_pose, lens], axis=-1)


def _by_k1(cameras: Cameras, seen: Seen) -> Float[Array, "*batch C K 2"]:
    """px; of either lens (camera.py's formulas)."""
    r2 = seen.x * seen.x + seen.y * seen.y
    k4, k5, k6 = (cameras.distortion[:, None, index] for index in (5, 6, 7))
    brown = r2 / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    r = jnp.sqrt(jnp.maximum(r2, 1e-8))
    radial = jnp.where(cameras.lens[:, None] == EQUIDISTANT, jnp.arctan(r) ** 3 / r, brown)
    return jnp.stack([seen.x * radial, seen.y * radial], axis=-1) * cameras.focal[:, None]
