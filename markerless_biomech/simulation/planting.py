"""Feet on the floor: the reference motion is moved as little and as smoothly as it takes to hold every stance foot.

One linear system for the whole motion: per frame the root and the legs deviate from the reference (LEG_DOFS); second
differences of the deviation couple three frames, so that its matrix is banded. Gauss-Newton, a few iterations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from .skeleton import LEG_DOFS, Skeleton, integrated


@dataclass(frozen=True, eq=False)
class Contacts:
    """What the sole points have to do; P sole points of the right and the left foot."""

    held: np.ndarray
    """(N, 2, P) bool: the point stands still."""
    place_m: np.ndarray
    """(N, 2, P, 3) where; any value where not held."""
    lowest_m: np.ndarray
    """(N, 2, P) least height of a point that is not held."""


HELD_STD_M = (5e-3, 1e-3, 2e-4, *[2e-5] * 7)
"""Of a held point's position; one iteration each, from loose to exact."""
LOWEST_STD_M, LOWEST_SOFTNESS_M = 5e-4, 3e-3
LIMIT_STD_RAD, LIMIT_SOFTNESS_RAD = np.radians(0.3), np.radians(0.3)
LIMIT_MARGIN_RAD = np.radians(1.0)
_LEG = np.radians([5.0, 2.5, 4.0, 4.0, 4.0, 4.0, 6.0])
REFERENCE_STD = np.array([0.03, 0.02, 0.03, *np.radians([2.0, 2.0, 2.0]), *_LEG, *_LEG])
"""(20,) how far root (m, rad) and legs (rad) may leave the reference: about the spread between healthy people."""
_LEG_ACCELERATION = [8.0, 5.0, 8.0, 16.0, 16.0, 12.0, 25.0]
ACCELERATION_STD = np.array([1.6, 1.0, 1.6, 3.0, 3.0, 3.0, *_LEG_ACCELERATION, *_LEG_ACCELERATION])
"""(20,) of the deviation, m/s^2 and rad/s^2."""


def plant_feet(skeleton: Skeleton, reference_qpos: np.ndarray, contacts: Contacts, interval_s: float) -> np.ndarray:
    """The motion (N, 41) nearest to the reference, with held points held and others above the floor."""
    deviation = np.zeros((len(reference_qpos), LEG_DOFS))
    smooth_band = _smoothness_band(len(reference_qpos), interval_s)
    for held_std_m in HELD_STD_M:
        qpos = integrated(reference_qpos, deviation)
        hessian, gradient = _frame_terms(skeleton, qpos, contacts, held_std_m)
        hessian += np.diag(REFERENCE_STD**-2)
        gradient += deviation / REFERENCE_STD**2 + _smoothness_gradient(deviation, interval_s)
        step = -solveh_banded(_banded(hessian, smooth_band), gradient.ravel(), lower=True)
        deviation = deviation + step.reshape(deviation.shape)
    return integrated(reference_qpos, deviation)


def _frame_terms(
    skeleton: Skeleton, qpos: np.ndarray, contacts: Contacts, held_std_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations (N, 20, 20), (N, 20) of contact, floor and joint limits."""
    points, jacobian = skeleton.soles_with_jacobian(qpos)
    frames = len(qpos)
    error = np.where(contacts.held[..., None], points - contacts.place_m, 0.0)
    weight = np.repeat(contacts.held[..., None] / held_std_m**2, 3, axis=-1)
    below, slope = _soft_excess(contacts.lowest_m - points[..., 2], LOWEST_SOFTNESS_M)
    error[..., 2] = np.where(contacts.held, error[..., 2], -below / slope)
    weight[..., 2] = np.where(contacts.held, weight[..., 2], (slope / LOWEST_STD_M) ** 2)
    rows = jacobian.reshape(frames, -1, LEG_DOFS)
    weighted = rows * weight.reshape(frames, -1, 1)
    hessian = weighted.transpose(0, 2, 1) @ rows
    gradient = np.einsum("fri,fr->fi", weighted, error.reshape(frames, -1))
    _add_limits(skeleton, qpos, hessian, gradient)
    return hessian, gradient


def _soft_excess(excess: np.ndarray, softness: float) -> tuple[np.ndarray, np.ndarray]:
    """max(excess, 0) with a rounded corner, and its slope: a sharp corner switches on and off from one iteration to the
    next, for ever."""
    x = np.clip(excess / softness, -20.0, 20.0)
    return softness * np.logaddexp(0.0, x), 1.0 / (1.0 + np.exp(-x))


def _add_limits(skeleton: Skeleton, qpos: np.ndarray, hessian: np.ndarray, gradient: np.ndarray) -> None:
    """Keep the legs' joints within their ranges, less a margin."""
    low, high = skeleton.model.jnt_range[1 : 1 + LEG_DOFS - 6].T
    low = np.where(low > np.radians(-15.0), 0.0, low)  # the knee: nobody walks on a hyperextended one
    joints = qpos[:, 7 : 7 + LEG_DOFS - 6]
    diagonal = np.arange(6, LEG_DOFS)
    for sign, excess in ((-1.0, low + LIMIT_MARGIN_RAD - joints), (1.0, joints - high + LIMIT_MARGIN_RAD)):
        beyond, slope = _soft_excess(excess, LIMIT_SOFTNESS_RAD)
        hessian[:, diagonal, diagonal] += (slope / LIMIT_STD_RAD) ** 2
        gradient[:, 6:] += sign * slope * beyond / LIMIT_STD_RAD**2


def _smoothness_gradient(deviation: np.ndarray, interval_s: float) -> np.ndarray:
    """Gradient of half the sum of squared accelerations in standard deviations."""
    acceleration = np.diff(deviation, 2, axis=0) / (ACCELERATION_STD * interval_s**2) ** 2
    gradient = np.zeros_like(deviation)
    gradient[:-2] += acceleration
    gradient[1:-1] -= 2.0 * acceleration
    gradient[2:] += acceleration
    return gradient


def _smoothness_band(frames: int, interval_s: float) -> np.ndarray:
    """(3, N, 20): diagonal, first and second off-diagonal of the second differences' normal matrix."""
    pattern = np.zeros((3, frames))
    pattern[0, :-2] += 1.0
    pattern[0, 1:-1] += 4.0
    pattern[0, 2:] += 1.0
    pattern[1, :-2] -= 2.0
    pattern[1, 1:-1] -= 2.0
    pattern[2, :-2] += 1.0
    return pattern[..., None] / (ACCELERATION_STD * interval_s**2) ** 2


def _banded(hessian: np.ndarray, smooth_band: np.ndarray) -> np.ndarray:
    """Lower banded form, (41, N * 20), of per-frame blocks plus smoothness."""
    frames = len(hessian)
    band = np.zeros((2 * LEG_DOFS + 1, frames, LEG_DOFS))
    for offset in range(LEG_DOFS):
        columns = np.arange(LEG_DOFS - offset)
        band[offset][:, : LEG_DOFS - offset] = hessian[:, columns + offset, columns]
    for difference in range(3):
        band[difference * LEG_DOFS] += smooth_band[difference]
    return band.reshape(2 * LEG_DOFS + 1, -1)
