"""Unit quaternions in JAX, in MuJoCo's order w x y z, any leading axes; gradients are finite at zero rotation."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def multiply(a: jax.Array, b: jax.Array) -> jax.Array:
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


def conjugate(quaternion: jax.Array) -> jax.Array:
    """The inverse rotation (..., 4)."""
    return jnp.concatenate([quaternion[..., :1], -quaternion[..., 1:]], axis=-1)


def normalized(quaternion: jax.Array) -> jax.Array:
    """Unit length (..., 4)."""
    return quaternion / jnp.linalg.norm(quaternion, axis=-1, keepdims=True)


def rotate(quaternion: jax.Array, vector: jax.Array) -> jax.Array:
    """Vector (..., 3) turned by a unit quaternion (..., 4)."""
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    twice = 2.0 * jnp.cross(imaginary, vector)
    return vector + real * twice + jnp.cross(imaginary, twice)


def axes_of(quaternion: jax.Array) -> jax.Array:
    """(..., 3, 3) the three axes of the turned frame, one a row: the transpose of the rotation matrix."""
    return rotate(quaternion[..., None, :], jnp.eye(3, dtype=quaternion.dtype))


def exp(rotation: jax.Array) -> jax.Array:
    """Quaternion (..., 4) of a rotation vector (..., 3) (rad)."""
    half = 0.5 * _safe_norm(rotation)
    return jnp.concatenate([jnp.cos(half), 0.5 * jnp.sinc(half / jnp.pi) * rotation], axis=-1)


def log(quaternion: jax.Array) -> jax.Array:
    """Rotation vector (..., 3) (rad, length at most pi) of a unit quaternion (..., 4)."""
    shorter = jnp.where(quaternion[..., :1] < 0.0, -quaternion, quaternion)
    real, imaginary = shorter[..., :1], shorter[..., 1:]
    size = _safe_norm(imaginary)
    near_zero = size < 1e-6
    ratio = jnp.where(near_zero, 2.0, 2.0 * jnp.arctan2(size, real) / jnp.where(near_zero, 1.0, size))
    return ratio * imaginary


def _safe_norm(vector: jax.Array) -> jax.Array:
    """Norm over the last axis, kept; its gradient at zero is zero."""
    square = jnp.sum(vector * vector, axis=-1, keepdims=True)
    positive = square > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
