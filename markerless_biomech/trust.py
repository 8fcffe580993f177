"""Whether a track can still be believed: a start that does not hold is taken back, and so is a fit that drifted."""

from __future__ import annotations

import numpy as np

from .body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD
from .body.names import JOINT_NAMES
from .fitting.first_pose import NEAR_M
from .fitting.trajectory import LiveFit
from .sightings import Sighting

AGREEING = 0.5
"""Share of the points that must lie near the model for a start to be taken and kept."""

BEYOND_RAD = 0.45
"""A joint this far outside of its range is a wrong posture; limits give way by less to noise and to strange lengths."""

PROBATION_S = 0.5
"""How long a start has to prove itself."""

DOUBT_S = 0.1
"""How long it may look wrong meanwhile."""

WORST_NOISE_M = 0.06
"""Points that scatter more than this about the model, as a length at the person, for `coast_s` are not the subject."""

EXCHANGED = 0.25
"""Share of the points whose sides had to be exchanged or were ambiguous: the body stands the other way round, or one
camera of two has all limbs wrong (0.24 of COCO's points), which is forgiven."""

STATURE_TOLERANCE = 0.1
"""A person this much shorter or taller than the subject is tracked, but with wrong angles: it is said."""

DIVERGED = "the fit diverged"
DRIFTED = "the images have not agreed with the model for too long"


class Trust:
    """Judges each frame's fit of one track."""

    def __init__(self, coast_s: float):
        # read-only after construction
        self._coast_s = coast_s
        # of the track
        self._remark = ""
        self._age_s = self._doubt_s = self._bad_s = 0.0

    @property
    def remark(self) -> str:
        """What there is to say of a young track although it goes on; empty: nothing."""
        return self._remark if self._age_s < PROBATION_S else ""

    @property
    def young(self) -> bool:
        """Whether the start still has to prove itself."""
        return self._age_s < PROBATION_S

    def begin(self, height_m: float, stature_ratio: float) -> None:
        """A new track of a person `stature_ratio` times as tall as the subject, who has `height_m`; NaN: unknown."""
        self._age_s = self._doubt_s = self._bad_s = 0.0
        strange = abs(stature_ratio - 1.0) > STATURE_TOLERANCE
        seems = f"the person seems {stature_ratio * height_m:.2f} m tall and the subject is {height_m:.2f} m"
        self._remark = f"{seems}: angles are wrong; calibrate, or set height_m" if strange else ""

    def objection(
        self, sighting: Sighting, fit: LiveFit, noise_m: np.ndarray, pixels_per_metre: np.ndarray, hop_s: float
    ) -> str:
        """Why the track ends here; empty: it goes on. noise_m (C,), pixels_per_metre (C,) at the person."""
        if not np.isfinite(np.asarray(fit.qpos)).all():
            return DIVERGED
        used = np.asarray(fit.summary.used)
        if not used.any():
            return ""
        doubt = self._doubt(sighting, fit, used, pixels_per_metre) if self.young else ""
        self._age_s += hop_s
        self._doubt_s = self._doubt_s + hop_s if doubt else max(0.0, self._doubt_s - hop_s)
        if self._doubt_s > DOUBT_S and doubt:
            return f"the start did not hold: {doubt}"
        self._bad_s = self._bad_s + hop_s if np.median(noise_m[used.any(1)]) > WORST_NOISE_M else 0.0
        return DRIFTED if self._bad_s > self._coast_s else ""

    def _doubt(self, sighting: Sighting, fit: LiveFit, used: np.ndarray, pixels_per_metre: np.ndarray) -> str:
        """What looks wrong in this frame."""
        near = np.asarray(fit.summary.residual_px) < NEAR_M * pixels_per_metre[:, None]
        exchanged = sighting.mirrored + int((sighting.confident & (sighting.weight == 0)).sum())
        if exchanged > EXCHANGED * sighting.confident.sum():
            return f"left and right would be exchanged in {exchanged} of {sighting.confident.sum()} points"
        return disagreement(float(near[used].mean())) or beyond_range(np.asarray(fit.qpos))


def disagreement(share: float) -> str:
    """Why a pose that so many points agree with cannot be believed; empty: it can."""
    return "" if share >= AGREEING else f"the model meets {share:.0%} of the points; expected {AGREEING:.0%}"


def beyond_range(qpos: np.ndarray) -> str:
    """The joint of `qpos` (41,) that no person bends so far; empty: none."""
    beyond_rad = np.maximum(qpos[7:] - JOINT_UPPER_RAD, JOINT_LOWER_RAD - qpos[7:])
    worst = int(np.argmax(beyond_rad))
    if beyond_rad[worst] < BEYOND_RAD:
        return ""
    return f"{JOINT_NAMES[worst]} would be {np.degrees(beyond_rad[worst]):.0f} degrees beyond its range"
