"""What a check of a rig answers: findings, and the figures behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ALL_CAMERAS = "all"
"""`Finding.camera` of what concerns the rig as a whole."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    camera: str
    """Name of the camera, or ALL_CAMERAS."""
    kind: str
    """In one word, such as swapped, mirrored, units, image_size, time_offset, moved, residual; docs/check-rig.md."""
    value: float
    """How much, in `unit`."""
    unit: str
    """px, mm, ms, deg, ..., or '' for a factor or a share."""
    sentence: str
    """What was found, with figures, and what to do."""


@dataclass(frozen=True, eq=False)
class RigCheck:
    """Everything that a check found. C cameras."""

    cameras: tuple[str, ...]
    findings: tuple[Finding, ...]
    """The gravest first; empty: the rig and the images agree."""
    epipolar_px: np.ndarray
    """(C, C) as calibrated: median distance of a point from the line where the other camera sees it; NaN: no pair."""
    reprojection_px: np.ndarray
    """(C,) median distance from the point triangulated by all cameras; NaN: too few points."""
    refined_px: np.ndarray
    """(C,) the same with every camera's pose set free: what a refinement could reach."""
    time_offset_s: np.ndarray
    """(C,) against the others: add this to the camera's stamps; NaN: not to be told."""
    time_offset_std_s: np.ndarray
    """(C,)"""
    frame_s: np.ndarray
    """(C,) median distance of a camera's frames; NaN with fewer than two."""
    points: np.ndarray
    """(C,) points that were compared."""
    notes: tuple[str, ...] = field(default=())
    """What could not be checked, and why."""
