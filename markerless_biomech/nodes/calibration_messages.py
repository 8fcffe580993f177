"""What the node and the process that calibrates its subject say to each other."""

from __future__ import annotations

from dataclasses import dataclass

from ..body.subject import Subject
from ..cameras.calibrated_camera import Rig
from ..cameras.frame_sets import FrameSet
from ..keypoints import KeypointSet


@dataclass(frozen=True, eq=False)
class Stretch:
    """Frame sets of one track without a gap, and the cameras that saw them."""

    rig: Rig
    frame_sets: tuple[FrameSet, ...]


@dataclass(frozen=True, eq=False)
class CalibrationRequest:
    """What is to be fitted."""

    stretches: tuple[Stretch, ...]
    keypoint_set: KeypointSet
    height_m: float | None
    """Stature that somebody has measured; None: nobody has."""
    name: str
    """The new subject's."""


@dataclass(frozen=True)
class Progress:
    """How far the fit is."""

    share: float
    """0 to 1."""
    words: str


@dataclass(frozen=True)
class Refusal:
    """The fit found no answer."""

    sentence: str


@dataclass(frozen=True, eq=False)
class CalibratedSubject:
    """The fit's answer."""

    subject: Subject
    reprojection_px: float
    figures: dict[str, str]
    """What the data say of the subject, in words."""
