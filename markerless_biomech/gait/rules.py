"""Every number of the event rule, with its reason. docs/gait.md derives the rule.

Speeds are relative to the speed of progress V: walks of different speed are then alike (self-similar), and one set of
numbers serves slow and fast people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EventReference:
    """What counts as an event's instant: delays after the rule's instant, as shares of the stride time."""

    name: str
    heel_strike: float
    """The heel strike comes this long after its point has become slower than the rule's speed."""
    toe_off: float
    """The toe off comes this long after the toe has become faster than the rule's speed; negative: before that."""
    heel_strike_std_s: float
    """Of what remains, between steps and people."""
    toe_off_std_s: float


STANDING = EventReference("standing", 0.0320, -0.0165, 0.005, 0.005)
"""First and last instant at which a point of the sole stands still on the floor (the simulator's definition)."""
FORCE_PLATE = EventReference("force_plate", 0.0123, 0.0223, 0.010, 0.006)
"""The vertical force crosses 20 N; a foot still moves then. Fitted to recordings by `recording/force_plates.py`."""


@dataclass(frozen=True)
class GaitRule:
    """Numbers of the detector."""

    reference: EventReference = STANDING
    belt_speed_m_s: float = float("nan")
    """Of a treadmill; 0: the floor does not move; NaN: found from the standing feet."""
    smoothing_s: float = 0.018
    """SD of the Gaussian window over which position and velocity are fitted (a parabola)."""
    speed_share: float = 0.6
    """A foot's point that moves faster than this share of V is in swing: in swing it reaches 2 to 3 V."""
    least_speed_m_s: float = 0.20
    """The same when nobody walks: sway, weight shifting and noise move heels and toes less than this."""
    contrast: float = 10.0
    """SD of a swinging point's velocity in SDs of a standing one's."""
    clearance_m: float = 0.02
    """A point no higher than this above its own height in stance may stand; shoes and skin give way."""
    clearance_std_m: float = 0.015
    independent_s: float = 0.03
    """Velocities further apart in time count as independent evidence: the smoothing's width and the noise's."""
    switches_per_s: float = 2.0
    """Prior rate of events of one foot: two in a stride of a second."""
    look_s: float = 0.024
    """Samples are looked at so often: each at 30 Hz, every second one at 60 Hz."""
    decide_s: float = 0.25
    """An event is final when settled samples reach this far beyond it."""
    publish_confidence: float = 0.6
    revise_s: float = 0.002
    """A provisional event is published again when its time changes by this."""
    progress_s: float = 0.4
    """V is the slope of the pelvis' path over this long on both sides."""
    break_s: float = 0.5
    """Samples further apart are different walks."""

    def threshold_m_s(self, progress_m_s: np.ndarray) -> np.ndarray:
        """Speed at which standing and swinging are equally likely."""
        # fourth powers: the least speed does not reach into slow walking
        return ((self.speed_share * progress_m_s) ** 4 + self.least_speed_m_s**4) ** 0.25


def stride_time_s(progress_m_s: np.ndarray | float) -> np.ndarray:
    """Stride time of an adult of 1.75 m at that speed, 0.7 to 2.6 s (Grieve & Gear, Ergonomics 9:379, 1966)."""
    rate_hz = 64.8 / 60.0 * (np.maximum(np.asarray(progress_m_s, dtype=float), 0.05) / 1.75) ** 0.57
    return np.clip(1.0 / rate_hz, 0.7, 2.6)
