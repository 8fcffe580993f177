"""What the node and the process that calibrates its subject say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..body.subject import Subject
from ..cameras.calibrated_camera import Rig
from ..cameras.frame_sets import FrameSet
from ..keypoints import KeypointSet
from ..settings import SessionSettings


@dataclass(frozen=True, eq=False)
class Stretch:
    """Frame sets of one track without a gap, and the cameras that saw them."""

    rig: Rig
    frame_sets: tuple[FrameSet, ...]


@dataclass(frozen=True, eq=False)
class CalibrationRequest:
    """What is to be fitted."""

    keypoint_set: KeypointSet
    height_m: float | None
    """Stature that somebody has measured; None: nobody has."""
    name: str
    """The new subject's."""
    settings: SessionSettings
    time_offsets_s: dict[str, float] = field(default_factory=dict)
    """By camera, to be added to its stamps."""
    stretches: tuple[Stretch, ...] = ()
    """Filled while collecting."""


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
