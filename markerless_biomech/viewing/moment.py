"""What the page shows at one instant, and what stays the same throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..body.subject import Subject
from ..cameras.calibrated_camera import Camera
from ..gait.parameters import GaitParameters
from ..gait.values import StepEvent
from ..recording.result_messages import FittedCameras
from ..results import Tracking
from ..scene.footprints import Footprint


@dataclass(frozen=True, eq=False)
class Capture:
    """Who is captured, and with what."""

    title: str
    subject: Subject
    cameras: Mapping[str, Camera]
    """Where the calibration places them."""
    walked_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    """(N, 3) where the pelvis will be, as far as that is known: the view takes it in."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One instant of a capture."""

    time_s: float
    """Since its start."""
    stamp_ns: int
    tracking: Tracking | None
    """None: nothing is known yet, or nothing comes any more; `words` says what is waited for."""
    qpos: np.ndarray | None = None
    """(41,) pose; None while LOST."""
    words: str = ""
    """Why there is no pose; empty while all is well."""
    cameras: FittedCameras | None = None
    steps: Sequence[StepEvent] = ()
    """Last words of the events until now, by time."""
    footprints: Sequence[Footprint] = ()
    """Oldest first."""
    progression_m: Sequence[np.ndarray] = ()
    """(N, 3) lines of progression, one a walk."""
    gait: GaitParameters | None = None


@dataclass(frozen=True, eq=False)
class Trace:
    """Joint angles of some seconds."""

    times_s: np.ndarray
    """(N,)"""
    angles_deg: np.ndarray
    """(N, 34) NaN while LOST."""
