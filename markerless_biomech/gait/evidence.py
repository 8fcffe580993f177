"""How much one instant speaks for standing: log odds of each foot's points, from speed and height over the floor.

A standing point's velocity relative to the surface is N(0, s0^2), a swinging one's N(0, (contrast s0)^2) in the plane.
Their log ratio is L(v) = g (1 - v^2 / v*^2) with g = 2 ln(contrast): zero at the rule's speed v*. Noise of the velocity
is taken off v^2 and weakens g. A point higher than in stance cannot stand, however still it is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .foot_track import FootMotion
from .rules import GaitRule
from .surface import Floor

_STILL_SHARE = 0.3
"""A point slower than this share of the rule's speed stands still: what may hold it in the next fit."""
_STRONGEST = 2.0
"""No instant speaks stronger against standing than this many times g."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Log odds of standing at N instants."""

    point: np.ndarray
    """(N, 4)"""
    foot: np.ndarray
    """(N, 2) left, right: of the point that stands more likely."""
    foot_std: np.ndarray
    """(N, 2) SD of the foot's log odds by the noise of the velocity."""
    still: np.ndarray
    """(N, 4) probability that a standing foot's point does not move at all."""
    threshold_m_s: np.ndarray
    """(N,) the rule's speed v*."""


def standing_evidence(rule: GaitRule, motion: FootMotion, floor: Floor, belt_m_s: np.ndarray) -> Evidence:
    """Evidence of every instant of `motion` over a surface that moves with `belt_m_s` (2,)."""
    threshold = rule.threshold_m_s(np.linalg.norm(motion.progress_m_s - belt_m_s, axis=-1))[:, None]
    relative = motion.velocity_m_s - np.append(belt_m_s, 0.0)
    variance = motion.velocity_std_m_s**2
    squared = np.sum(relative**2, axis=-1)
    lift = _lift_penalty(rule, motion, floor)
    contrast = 2.0 * np.log(rule.contrast)
    standing_variance = threshold**2 / (2.0 * contrast)
    gain = contrast * standing_variance / (standing_variance + variance)
    unbiased = np.maximum(squared - 2.0 * variance, 0.0)
    point = gain * np.maximum(1.0 - unbiased / threshold**2, -_STRONGEST) - lift
    point = np.where(motion.known, np.maximum(point, -_STRONGEST * contrast), 0.0)
    slope = 2.0 * gain * np.sqrt(squared) / threshold**2 * motion.velocity_std_m_s
    still = 1.0 / (1.0 + np.exp(-np.clip(gain * (1.0 - unbiased / (_STILL_SHARE * threshold) ** 2) - lift, -30, 30)))
    by_foot, slope_by_foot = point.reshape(-1, 2, 2), slope.reshape(-1, 2, 2)
    leading = by_foot.argmax(1)[:, None]
    return Evidence(
        point,
        np.take_along_axis(by_foot, leading, 1)[:, 0],
        np.take_along_axis(slope_by_foot, leading, 1)[:, 0],
        np.where(motion.known, still, 0.0),
        threshold[:, 0],
    )


def _lift_penalty(rule: GaitRule, motion: FootMotion, floor: Floor) -> np.ndarray:
    """(N, 4) half the squared height above stance, less the clearance, in standard deviations."""
    height = motion.position_m[..., 2] - floor.height_m(motion.position_m)
    excess = np.maximum(np.nan_to_num(height, nan=0.0) - rule.clearance_m, 0.0)
    return 0.5 * (excess / rule.clearance_std_m) ** 2
