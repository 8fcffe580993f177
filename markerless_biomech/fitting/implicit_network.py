"""The paper's trajectory: a network of time. N trials at once, E numbers of encoded time, T times.

R. J. Cotton, arXiv 2402.17192: time goes through sines and cosines of octave-spaced frequencies, which the first three
layers all see; ReLU between layers; tanh keeps every joint in its range. What the top frequency does not reach is
smoothed away. The root is a position and a quaternion that the network gives freely and that is then normalised: a
turning body is a continuous curve of quaternions through any number of turns, so nothing locks and nothing wraps.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD
from ..body.quaternions import conjugate, multiply, normalized

Layers: TypeAlias = tuple[tuple[jax.Array, jax.Array], ...]
"""Weights (..., inputs, outputs) and biases (..., outputs) of each layer."""

COORDINATES = 41
FED_LAYERS = 3
"""The encoding enters the first so many layers."""

LAST_LAYER_SCALE = 0.1
"""Factor of the last layer's sum. Adam moves every weight alike, and poses answer to hundreds of last weights at once:
they would shake by radians. Also, training begins near the constant pose in the last biases."""

INSIDE = 0.9
"""First poses are kept this far within a joint's range (share of its half): near its end tanh has hardly any slope."""

_MIDDLE = (0.5 * (JOINT_UPPER_RAD + JOINT_LOWER_RAD)).astype(np.float32)
_HALF = (0.5 * (JOINT_UPPER_RAD - JOINT_LOWER_RAD)).astype(np.float32)


def frequencies_hz(bandwidth_hz: float, duration_s: float) -> np.ndarray:
    """(L,) octaves that end at `bandwidth_hz`; the lowest has at most half a period in `duration_s`.

    As the paper's L = ceil(log2(80 T / 2 pi) + 1) of time scaled to [0, pi], whose top lies between 6.4 and 12.7 Hz.
    """
    count = max(1, math.ceil(math.log2(2.0 * bandwidth_hz * max(duration_s, 1e-3))) + 1)
    return bandwidth_hz * 2.0 ** -np.arange(count - 1, -1, -1.0)


def encoded(time_s: Float[Array, "*batch"], frequencies: Float[Array, " L"]) -> Float[Array, "*batch E"]:
    """Sines and cosines (..., E = 2 L) of time since the trial's start."""
    angle = 2.0 * jnp.pi * time_s[..., None] * frequencies
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


def layer_sizes(widths: tuple[int, ...], encoding: int) -> list[tuple[int, int]]:
    """(inputs, outputs) of each layer, for an encoding of so many numbers."""
    inputs = [encoding if index == 0 else width for index, width in enumerate((0, *widths))]
    fed = [size + encoding * (0 < index < FED_LAYERS) for index, size in enumerate(inputs)]
    return list(zip(fed, (*widths, COORDINATES), strict=True))


def parameter_count(widths: tuple[int, ...], encoding: int) -> int:
    """Numbers that one trial's network learns."""
    return sum(inputs * outputs + outputs for inputs, outputs in layer_sizes(widths, encoding))


def start_layers(seed: int, widths: tuple[int, ...], encoding: int, qpos: np.ndarray) -> Layers:
    """Networks of N trials that give about the poses `qpos` (N, 41) at any time. He et al. 2015 for ReLU."""
    rng, trials, layers = np.random.default_rng(seed), len(qpos), []
    for inputs, outputs in layer_sizes(widths, encoding):
        weight = math.sqrt(2.0 / inputs) * rng.standard_normal((trials, inputs, outputs), np.float32)
        layers.append((jnp.asarray(weight, jnp.float32), jnp.zeros((trials, outputs), jnp.float32)))
    return (*layers[:-1], (layers[-1][0], jnp.asarray(coordinates_of(qpos))))


def coordinates_of(qpos: np.ndarray) -> np.ndarray:
    """(..., 41) what the network gives for poses (..., 41): the inverse of `pose_of`."""
    share = np.clip((qpos[..., 7:] - _MIDDLE) / _HALF, -INSIDE, INSIDE)
    return np.concatenate([qpos[..., :7], np.arctanh(share)], axis=-1).astype(np.float32)


def pose_of(coordinates: Float[Array, "*batch 41"]) -> Float[Array, "*batch 41"]:
    """Poses (..., 41): position as it is, quaternion normalised, joints within their ranges."""
    joints = _MIDDLE + _HALF * jnp.tanh(coordinates[..., 7:])
    return jnp.concatenate([coordinates[..., :3], normalized(coordinates[..., 3:7]), joints], axis=-1)


def network(layers: Layers, encoding: Float[Array, "T E"], compute_dtype: str) -> Float[Array, "T 41"]:
    """One trial's coordinates (T, 41). Products in `compute_dtype`; weights and results stay float32."""
    encoding = encoding.astype(compute_dtype)
    hidden = encoding
    for index, (weight, bias) in enumerate(layers):
        if 0 < index < FED_LAYERS:
            hidden = jnp.concatenate([hidden, encoding], axis=-1)
        last = index == len(layers) - 1
        # Metres and radians of 8 bits would jump by millimetres: the last sum is in float32.
        out = jnp.matmul(hidden, weight.astype(compute_dtype), preferred_element_type=jnp.float32)
        out = (LAST_LAYER_SCALE if last else 1.0) * out + bias
        hidden = out if last else jax.nn.relu(out).astype(compute_dtype)
    return hidden


def poses(
    layers: Layers, time_s: Float[Array, " T"], frequencies: Float[Array, " L"], compute_dtype: str = "float32"
) -> Float[Array, "T 41"]:
    """One trial's poses (T, 41)."""
    return pose_of(network(layers, encoded(time_s, frequencies), compute_dtype))


def poses_and_velocities(
    layers: Layers, time_s: Float[Array, " T"], frequencies: Float[Array, " L"], compute_dtype: str = "float32"
) -> tuple[Float[Array, "T 41"], Float[Array, "T 40"]]:
    """Poses and, by forward differentiation in time, velocities: m/s in world, rad/s about pelvis axes, rad/s."""
    qpos, rate = jax.jvp(lambda t: poses(layers, t, frequencies, compute_dtype), (time_s,), (jnp.ones_like(time_s),))
    return qpos, tangent_rate(qpos, rate)


def tangent_rate(qpos: Float[Array, "*batch 41"], rate: Float[Array, "*batch 41"]) -> Float[Array, "*batch 40"]:
    """Velocity in the tangent space of `integrate` of poses that change by `rate` a second."""
    turning = 2.0 * multiply(conjugate(qpos[..., 3:7]), rate[..., 3:7])[..., 1:]
    return jnp.concatenate([rate[..., :3], turning, rate[..., 7:]], axis=-1)
