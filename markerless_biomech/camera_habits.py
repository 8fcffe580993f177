"""What is usual for each camera, learned while it works: bias of every site, noise, and how both come and go.

A change is judged against a camera's own habits, not against a perfect camera: detectors are biased by the view, bodies
differ from their model, and rigs were never calibrated perfectly. C cameras, K keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fitting.camera_look import CHANGES, TIME, Expected, Look

FORGET_TIME_S = 20.0
"""Over which a bias leaks away: what all cameras share is no bias of theirs."""

BIAS_TIME_S = 4.0
"""Over which a site's bias is remembered: a detector's habits change with the view."""

TIME_TIME_S = 10.0
"""Over which a camera's usual offset in time is remembered."""

NOISE_TIME_S = 8.0

FIRST_NOISE_M, LEAST_NOISE_M, MOST_NOISE_M = 0.012, 0.002, 0.06

FIRST_REPEATS, MOST_REPEATS = 3.0, 60.0
"""How many looks count as one before that is known, and at most."""

LEAST_WANDER = np.array([1e-3] * 3 + [np.radians(0.015)] * 3 + [0.8e-3, 0.8e-3])
"""(8,) m, rad, s, relative: standard deviation, at least, of changes that are none."""

FREE_TIME_S = 0.01
"""Standard deviation of what a camera's stamps may be off by already."""


@dataclass(frozen=True)
class Wandering:
    """What a window of looks shows of how much comes and goes."""

    repeats: np.ndarray
    """(C,) how many looks count as one."""
    change_square: np.ndarray
    """(C, 8)"""
    known: np.ndarray
    """(C,) bool: there were points."""


class Habits:
    """Exponential averages of looks; every camera has its own."""

    def __init__(self, cameras: int, keypoints: int):
        self._bias_m = np.zeros((cameras, keypoints, 2))
        self._bias_count = np.zeros((cameras, keypoints))
        self._change = np.zeros((cameras, CHANGES))
        self._time_information = np.full(cameras, FREE_TIME_S**-2.0)
        self._time_gradient = np.zeros(cameras)
        self._noise_m = np.full(cameras, FIRST_NOISE_M)
        self.trust = np.ones(cameras)
        """(C,) 0 to 1: how much the other cameras believe it."""
        self._wandered = np.zeros((cameras, CHANGES))
        self.repeats = np.full(cameras, FIRST_REPEATS)
        """(C,) looks that count as one."""
        self.known_s = np.zeros(cameras)
        """(C,) for how long they have been learned."""

    @property
    def expected(self) -> Expected:
        """For the next look."""
        values = (self._bias_m, self._change, self._noise_m, self.trust)
        return Expected(*(value.astype(np.float32) for value in values))

    @property
    def usual(self) -> np.ndarray:
        """(C, 8, 8) covariance of what changes from second to second, and of how well `Expected.change` is known."""
        variance = LEAST_WANDER**2 + self._wandered
        variance[:, TIME] += 1.0 / self._time_information
        return variance[:, None, :] * np.eye(CHANGES)

    def learn(self, look: Look, hop_s: float, well: np.ndarray) -> None:
        """Take in a look that is old enough to be believed, of the cameras (C,) that are well."""
        use = (look.count > 0) & well
        keep = np.where(use, np.exp(-hop_s / BIAS_TIME_S), 1.0)
        weight = np.where(use[:, None], look.weight, 0.0)
        self._bias_count = self._bias_count * keep[:, None] + weight
        # As if each site had been seen for a fifth of a second without any bias.
        step = weight / (self._bias_count + 0.2 / max(hop_s, 1e-3))
        leak = 1.0 - np.exp(-hop_s / FORGET_TIME_S)
        self._bias_m = (1.0 - leak) * self._bias_m + step[..., None] * (look.residual_m - self._bias_m)
        self._learn_time(look, hop_s, use)
        self._learn_noise(look, hop_s, use)
        self.known_s = self.known_s + np.where(use, hop_s, 0.0)

    def _learn_time(self, look: Look, hop_s: float, use: np.ndarray) -> None:
        """Of an offset in time the residual goes to and fro with the walk, so that no mean shows it."""
        keep = np.where(use, np.exp(-hop_s / TIME_TIME_S), 1.0)
        share = np.where(use, 1.0 / self.repeats, 0.0)
        information = look.information[:, TIME, TIME]
        absolute = look.gradient[:, TIME] + information * self._change[:, TIME]
        prior = FREE_TIME_S**-2.0
        self._time_information = keep * (self._time_information - prior) + share * information + prior
        self._time_gradient = keep * self._time_gradient + share * absolute
        self._change[:, TIME] = self._time_gradient / self._time_information

    def _learn_noise(self, look: Look, hop_s: float, use: np.ndarray) -> None:
        """From the median of the distance, which is 1.177 standard deviations of a coordinate."""
        distance = np.linalg.norm(look.residual_m - self._bias_m, axis=-1)
        noise_m = masked_median(distance, look.weight > 0) / 1.177
        rate = np.where(use, 1.0 - np.exp(-hop_s / np.clip(self.known_s, 1.0, NOISE_TIME_S)), 0.0)
        noise_m = np.clip(noise_m, LEAST_NOISE_M, MOST_NOISE_M)
        self._noise_m = self._noise_m + rate * (noise_m - self._noise_m)

    def wandering(self, looks: tuple[Look, ...], change: np.ndarray) -> Wandering:
        """How far the mean of each site over a whole window, and the window's change (C, 8), are off."""
        weight = np.sum([look.weight for look in looks], axis=0)
        total = np.sum([look.weight[..., None] * look.residual_m for look in looks], axis=0)
        seen = weight > 0.3 * len(looks)
        mean_m = np.where(seen[..., None], total / np.maximum(weight, 1e-9)[..., None], 0.0)
        off_m = masked_median(np.linalg.norm(mean_m - self._bias_m, axis=-1), seen) / 1.177
        repeats = np.clip(len(looks) * (off_m / self._noise_m) ** 2, 1.0, MOST_REPEATS)
        return Wandering(repeats, change**2, seen.any(1))

    def learn_wandering(self, seen: Wandering, hop_s: float, well: np.ndarray) -> None:
        """Take in what a window showed, when it is old enough to be believed."""
        rate = np.where(well & seen.known, 1.0 - np.exp(-hop_s / np.clip(self.known_s, 1.0, NOISE_TIME_S)), 0.0)
        self.repeats = self.repeats + rate * (seen.repeats - self.repeats)
        self._wandered = self._wandered + rate[:, None] * (seen.change_square - self._wandered)


def masked_median(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(C,) median over K of values (C, K) where seen; 0 without any."""
    ordered = np.sort(np.where(seen, values, np.inf), axis=1)
    found = np.take_along_axis(ordered, np.maximum(seen.sum(1) - 1, 0)[:, None] // 2, axis=1)[:, 0]
    return np.where(np.isfinite(found), found, 0.0)
