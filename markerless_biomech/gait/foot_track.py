"""The newest seconds of both feet: samples as they came, and smooth positions and velocities with their std.

Points are in the order heel left, heel right, toe left, toe right (P = 4). Smoothing: at each stamp a parabola in time
is fitted to the samples around it with Gaussian weights (Savitzky & Golay, Anal. Chem. 36:1627, 1964, on real stamps).
Its bandwidth is fixed, so that an event's time does not depend on how noisy the samples are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .values import FootSample

POINTS = 4
_VELOCITY_SD_M_S, _ACCELERATION_SD_M_S2 = 10.0, 80.0
"""Prior of the parabola: it decides only where samples are too few."""
_LEAST_STD_M = 3e-4
_I_PLUS_J = np.add.outer(np.arange(3), np.arange(3))
_REACH = 3.5
"""Samples count up to this many smoothing SDs away."""


@dataclass(frozen=True, eq=False)
class FootMotion:
    """Smooth motion at N stamps."""

    times_s: np.ndarray
    """(N,) since the track's origin."""
    position_m: np.ndarray
    """(N, 4, 3)"""
    velocity_m_s: np.ndarray
    """(N, 4, 3) in world; 0 where nothing is known."""
    velocity_std_m_s: np.ndarray
    """(N, 4) along each axis."""
    known: np.ndarray
    """(N, 4) bool: enough samples are near."""
    sample_std_m: np.ndarray
    """(N, 4) of the samples, along each axis."""
    progress_m_s: np.ndarray
    """(N, 2) horizontal velocity of the pelvis in world."""


class FootTrack:
    """Samples in the order of their stamps; a settled one takes the place of the live one."""

    def __init__(self, smoothing_s: float, progress_s: float) -> None:
        self._smoothing_s, self._progress_s = smoothing_s, progress_s
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.stamps_ns: list[int] = []
        self._points: list[np.ndarray] = []
        self._std: list[np.ndarray] = []
        self._pelvis: list[np.ndarray] = []
        self.settled_ns = -1
        self.origin_ns = 0

    def add(self, sample: FootSample) -> bool:
        """Take one sample in; False when its stamp is older than what is known (nothing changes)."""
        row = (
            np.concatenate([sample.heel_m, sample.toe_m]),
            np.maximum(np.concatenate([sample.heel_std_m, sample.toe_std_m]), _LEAST_STD_M),
            np.asarray(sample.pelvis_m, dtype=float),
        )
        if not self.stamps_ns:
            self.origin_ns = sample.stamp_ns
        place = int(np.searchsorted(self.stamps_ns, sample.stamp_ns)) if self.stamps_ns else 0
        replaces = place < len(self.stamps_ns) and self.stamps_ns[place] == sample.stamp_ns
        if not replaces and place < len(self.stamps_ns):
            return False
        if replaces:
            self._points[place], self._std[place], self._pelvis[place] = row
        else:
            self.stamps_ns.append(sample.stamp_ns)
            self._points.append(row[0])
            self._std.append(row[1])
            self._pelvis.append(row[2])
        if sample.settled:
            self.settled_ns = max(self.settled_ns, sample.stamp_ns)
        return True

    def forget_before(self, stamp_ns: int) -> None:
        """Drop older samples."""
        count = int(np.searchsorted(self.stamps_ns, stamp_ns))
        for column in (self.stamps_ns, self._points, self._std, self._pelvis):
            del column[:count]

    def seconds(self, stamps_ns: Any) -> np.ndarray:
        """Seconds since the origin."""
        return (np.asarray(stamps_ns, dtype=np.int64) - self.origin_ns) * 1e-9

    def motion(self, from_ns: int) -> FootMotion:
        """Smooth motion at every stamp from `from_ns` on."""
        stamps_ns = np.array(self.stamps_ns)
        times_s, first = self.seconds(stamps_ns), int(np.searchsorted(stamps_ns, from_ns))
        width_s = max(self._smoothing_s, 1.1 * _median_step(times_s))
        at_s = times_s[first:]
        near, far = np.searchsorted(times_s, at_s[0] - np.array([_REACH * width_s, self._progress_s + 1e-3])).tolist()
        points, std_m = np.array(self._points[min(near, far) :]), np.array(self._std[near:])
        position, velocity, std, known = _parabolas(times_s[near:], points[-len(std_m) :], std_m, at_s, width_s)
        progress = self._progress(times_s[far:], points[far - len(times_s) :], np.array(self._pelvis[far:]), at_s)
        return FootMotion(at_s, position, velocity, std, known, std_m[first - near :], progress)

    def _progress(self, times_s: np.ndarray, points: np.ndarray, pelvis_m: np.ndarray, at_s: np.ndarray) -> np.ndarray:
        """(N, 2) slope of the pelvis' path (F, 3), or of the feet's mean."""
        body = pelvis_m[:, :2]
        missing = np.asarray(~np.isfinite(body).all(-1))
        if missing.any():
            body = np.where(missing[:, None], _mean_of_known(points[..., :2]), body)
        known = np.asarray(np.isfinite(body).all(-1))
        near = (np.abs(times_s - at_s[:, None]) <= self._progress_s) & known
        count = np.maximum(near.sum(1), 1)
        body = np.where(known[:, None], body, 0.0)
        middle_s, middle_m = near @ times_s / count, near @ body / count[:, None]
        spread = near @ times_s**2 / count - middle_s**2
        joint = near @ (times_s[:, None] * body) / count[:, None] - middle_s[:, None] * middle_m
        return joint / np.maximum(spread, 1e-4)[:, None]


def _mean_of_known(points: np.ndarray) -> np.ndarray:
    """(F, 2) mean of the points (F, 4, 2) when all are known, else NaN."""
    return points.mean(1)


def _median_step(times_s: np.ndarray) -> float:
    steps = np.sort(times_s[1:] - times_s[:-1])
    return float(steps[len(steps) // 2]) if len(steps) else 0.0


def _parabolas(
    times_s: np.ndarray, points: np.ndarray, std_m: np.ndarray, at_s: np.ndarray, width_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Position, velocity (N, 4, 3), velocity std and known (N, 4) at `at_s` (N,) from samples (F, 4, 3)."""
    seen = np.asarray(np.isfinite(points).all(-1))
    hop = times_s[None] - at_s[:, None]
    kernel = np.exp(-0.5 * (hop / width_s) ** 2) * (np.abs(hop) < _REACH * width_s)
    precision = np.where(seen, std_m**-2.0, 0.0)
    squared = hop * hop
    powers = np.stack([np.ones_like(hop), hop, squared, squared * hop, squared * squared])
    normal = _moments(kernel, powers, precision)
    prior = np.diag([1e-9, _VELOCITY_SD_M_S**-2.0, (0.5 * _ACCELERATION_SD_M_S2) ** -2.0])
    inverse = np.linalg.inv(normal + prior)
    weighted = (precision[..., None] * np.where(seen[..., None], points, 0.0)).reshape(len(points), -1)
    right = ((kernel * powers[:3]) @ weighted).reshape(3, len(at_s), POINTS, 3)
    fitted = inverse @ right.transpose(1, 2, 0, 3)
    # the noise passes through the weights twice, once in the fit and once in the data: sandwich
    meat = _moments(kernel**2, powers, precision)
    variance = (inverse @ (meat + prior) @ inverse)[..., 1, 1]
    known = kernel @ seen.astype(float) > 1.2
    return fitted[..., 0, :], np.where(known[..., None], fitted[..., 1, :], 0.0), np.sqrt(variance), known


def _moments(kernel: np.ndarray, powers: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """(N, 4, 3, 3) sums of kernel (N, F) x precision (F, 4) x hop^(i + j), from hop^0 ... hop^4 (5, N, F)."""
    sums = (kernel * powers) @ precision
    return sums[_I_PLUS_J].transpose(2, 3, 0, 1)
