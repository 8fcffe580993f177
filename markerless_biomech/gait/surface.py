"""What the feet stand on: the height of each point in stance, the floor's tilt, and the belt of a treadmill.

Both are learned from settled samples only, each of which counts once, so that the answer does not depend on when the
samples were asked for.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from .foot_track import POINTS

_HEIGHT_SD_M, _TILT_SD = 1.0, 0.01
_SAMPLE_SD_M = 0.01
_TOO_HIGH_M = 0.012
"""A still point this much above its stance height is a foot held in the air, or a heel that is up."""
_TOO_LOW_M = 0.03
"""A point that stands this much below its stance height was held in the air when that was learned: learn it anew."""
_MEMORY_SAMPLES = 600.0


class Floor:
    """Heights r_p + b . (x, y) at which the four points stand: recursive least squares over standing points."""

    def __init__(self) -> None:
        self._mean = np.zeros(POINTS + 2)
        self._covariance = np.diag([_HEIGHT_SD_M**2] * POINTS + [_TILT_SD**2] * 2)

    @property
    def tilt(self) -> np.ndarray:
        """(2,) rise of the floor per metre along x and y."""
        return self._mean[POINTS:].copy()

    def known(self) -> np.ndarray:
        """(4,) bool: the point has been seen standing."""
        return np.diag(self._covariance)[:POINTS] < (0.1 * _HEIGHT_SD_M) ** 2

    def height_m(self, position_m: np.ndarray) -> np.ndarray:
        """(..., 4) z at which the points (..., 4, 3) would stand; NaN while not known."""
        height = self._mean[:POINTS] + position_m[..., :2] @ self._mean[POINTS:]
        return np.where(self.known(), height, np.nan)

    def learn(self, position_m: np.ndarray, still: np.ndarray) -> None:
        """Take in one sample (4, 3) of which each point stands still with probability (4,)."""
        for point in np.flatnonzero(still > 0.5):
            self._learn_one(int(point), position_m[point], float(still[point]))

    def _learn_one(self, point: int, position_m: np.ndarray, still: float) -> None:
        row = np.zeros(POINTS + 2)
        row[point], row[POINTS:] = 1.0, position_m[:2]
        excess = position_m[2] - row @ self._mean
        if self.known()[point] and excess < -_TOO_LOW_M:
            self._covariance[point], self._covariance[:, point] = 0.0, 0.0
            self._covariance[point, point] = _HEIGHT_SD_M**2
        elif self.known()[point]:
            still *= np.exp(-0.5 * (max(excess, 0.0) / _TOO_HIGH_M) ** 2)
        if still < 1e-3:
            return
        shared = self._covariance @ row
        gain = shared / (row @ shared + _SAMPLE_SD_M**2 / still)
        self._mean = self._mean + gain * excess
        self._covariance = self._covariance - np.outer(gain, shared)
        drift = np.minimum(np.diag(self._covariance) / _MEMORY_SAMPLES, _SAMPLE_SD_M**2 / _MEMORY_SAMPLES**2)
        self._covariance = self._covariance + np.diag(drift)


class Belt:
    """Horizontal velocity of the surface: the commonest velocity of the feet's points.

    Feet on a floor are most often still; on a treadmill they most often go with the belt. A belt is believed when its
    velocity is clearly commoner than standing still and the person stays in place.
    """

    MEMORY_S, EVERY_S, LEAST_S = 4.0, 0.1, 0.5
    STOOD_S = 1.5
    """Memory while no belt is known: who stood before it started does not outvote it for long. Its velocity is then
    taken over MEMORY_S: over 1.5 s the lengths of steps would be less exact by half."""
    LEAST_SPEED_M_S = 0.15
    CLEARLY = 2.0
    STAYS = 0.35
    WIDTHS_M_S = (0.15, 0.08, 0.05)

    def __init__(self, belt_speed_m_s: float) -> None:
        self._given = belt_speed_m_s
        self.velocity_m_s = np.zeros(2)
        self._samples: deque[tuple[float, np.ndarray, np.ndarray]] = deque()
        self._checked_s = -np.inf

    def learn(self, time_s: float, velocity_m_s: np.ndarray, known: np.ndarray, progress_m_s: np.ndarray) -> bool:
        """Take in one instant: velocities (4, 3) of the points, (2,) of the pelvis. True when the belt has changed
        so much that what was found before is wrong."""
        if self._given == 0.0:
            return False
        self._samples.append((time_s, np.where(known[:, None], velocity_m_s[:, :2], np.nan), progress_m_s))
        memory_s = self.MEMORY_S if np.any(self.velocity_m_s) else self.STOOD_S
        while self._samples[0][0] < time_s - memory_s:
            self._samples.popleft()
        if time_s - self._checked_s < self.EVERY_S or time_s - self._samples[0][0] < self.LEAST_S:
            return False
        self._checked_s = time_s
        before, self.velocity_m_s = self.velocity_m_s, self._estimate()
        return bool(np.linalg.norm(self.velocity_m_s - before) > 0.2)

    def _estimate(self) -> np.ndarray:
        """(2,) the belt's velocity; 0 where there is none."""
        feet = np.concatenate([row for _, row, _ in self._samples])
        feet = feet[np.isfinite(feet).all(-1)]
        if len(feet) < 20:
            return self.velocity_m_s
        few = feet[:: max(1, len(feet) // 240)]
        x, y = few.T
        together = ((x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 < self.WIDTHS_M_S[0] ** 2).sum(1)
        mode, standing = few[np.argmax(together)], (np.linalg.norm(few, axis=-1) < self.WIDTHS_M_S[0]).sum()
        progress = np.mean([row for _, _, row in self._samples], axis=0)
        speed = float(np.linalg.norm(mode))
        if (
            speed < self.LEAST_SPEED_M_S
            or together.max() < self.CLEARLY * standing
            or np.linalg.norm(progress) > self.STAYS * speed
        ):
            return self.velocity_m_s if np.any(self.velocity_m_s) and together.max() < 2 * standing else np.zeros(2)
        for width in self.WIDTHS_M_S:
            mode = np.median(feet[np.linalg.norm(feet - mode, axis=-1) < width], axis=0)
        return mode if np.isnan(self._given) else mode * self._given / np.linalg.norm(mode)
