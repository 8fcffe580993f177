"""Unit quaternions in JAX, in MuJoCo's order w x y z, any leading axes; gradients are finite at zero rotation."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def multiply(a: Float[Array, "*#batch 4"], b: Float[Array, "*#batch 4"]) -> Float[Array, "*_ 4"]:
    """Product (..., 4): rotate by `b`, then by `a`."""
    aw, ax, ay, az = (a[..., i] for i in range(4))
    bw, bx, by, bz = (b[..., i] for i in range(4))
    return jnp.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(quaternion: Float[Array, "*batch 4"]) -> Float[Array, "*batch 4"]:
    """The inverse rotation (..., 4)."""
    return jnp.concatenate([quaternion[..., :1], -quaternion[..., 1:]], axis=-1)


def normalized(quaternion: Float[Array, "*batch 4"]) -> Float[Array, "*batch 4"]:
    """Unit length (..., 4)."""
    return quaternion / jnp.linalg.norm(quaternion, axis=-1, keepdims=True)


def rotate(quaternion: Float[Array, "*#batch 4"], vector: Float[Array, "*#batch 3"]) -> Float[Array, "*_ 3"]:
    """Vector (..., 3) turned by a unit quaternion (..., 4)."""
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    twice = 2.0 * jnp.cross(imaginary, vector)
    return vector + real * twice + jnp.cross(imaginary, twice)


def axes_of(quaternion: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """(..., 3, 3) the three axes of the turned frame, one a row: the transpose of the rotation matrix."""
    return rotate(quaternion[..., None, :], jnp.eye(3, dtype=quaternion.dtype))


def exp(rotation: Float[Array, "*batch 3"]) -> Float[Array, "*batch 4"]:
    """Quaternion (..., 4) of a rotation vector (..., 3) (rad)."""
    half = 0.5 * _safe_norm(rotation)
    return jnp.concatenate([jnp.cos(half), 0.5 * jnp.sinc(half / jnp.pi) * rotation], axis=-1)


def log(quaternion: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3"]:
    """Rotation vector (..., 3) (rad, length at most pi) of a unit quaternion (..., 4)."""
    shorter = jnp.where(quaternion[..., :1] < 0.0, -quaternion, quaternion)
    real, imaginary = shorter[..., :1], shorter[..., 1:]
    size = _safe_norm(imaginary)
    near_zero = size < 1e-6
    ratio = jnp.where(near_zero, 2.0, 2.0 * jnp.arctan2(size, real) / jnp.where(near_zero, 1.0, size))
    return ratio * imaginary


def _safe_norm(vector: Float[Array, "*batch 3"]) -> Float[Array, "*batch 1"]:
    """Norm over the last axis, kept; its gradient at zero is zero."""
    square = jnp.sum(vector * vector, axis=-1, keepdims=True)
    positive = square > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
