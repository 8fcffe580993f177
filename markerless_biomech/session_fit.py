"""What the offline fit takes and gives: trials, and trajectories, subject and rig with how much to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .body.shape import shape_names
from .body.subject import Subject
from .cameras.calibrated_camera import Rig
from .cameras.frame_sets import FrameSet
from .cameras.refinement import RigFit
from .fitting.bundle import Bundle, OuterPrior
from .fitting.judgement import PieceStates
from .following import Stretch
from .keypoints import KeypointSet
from .results import BodyEstimate, Tracking, lost


@dataclass(frozen=True, eq=False)
class Trial:
    """One recording of the subject."""

    name: str
    rig: Rig
    frame_sets: tuple[FrameSet, ...]
    """In order of time."""


@dataclass(frozen=True, eq=False)
class TrialFit:
    """Results of one trial. F frame sets that were fitted, C cameras, K keypoints."""

    name: str
    bodies: tuple[BodyEstimate, ...]
    """One for each frame set; those without the subject are LOST."""
    residual_px: np.ndarray
    """(F, C, K) distance of point and site; NaN: not used."""
    weight: np.ndarray
    """(F, C, K) of the points, 0: not seen."""


@dataclass(frozen=True)
class Determined:
    """How well the data determined one parameter of the subject."""

    name: str
    """'overall', 'thigh_r', ..., 'hip_centre_up_r_m', ..., 'soft tissue <keypoint> x', or 'offset <keypoint> x'."""
    unit: str
    """'1', 'm', 'rad' or 'm/rad'."""
    value: float
    prior_mean: float
    prior_std: float
    posterior_std: float


@dataclass(frozen=True, eq=False)
class SessionFit:
    """The subject, the trajectories, and how much to trust them."""

    subject: Subject
    trials: tuple[TrialFit, ...]
    cameras: tuple[str, ...]
    determined: tuple[Determined, ...]
    """Empty where the subject was known."""
    objective: dict[str, float]
    """Terms by name: half sums of squares in standard deviations."""
    noise_correlation: float
    """So many observations say what one would that had independent noise."""
    reprojection_px: float
    """Mean over points of confidence 0.5 or more."""
    rig: RigFit | None = None
    """Where the cameras were looked for."""


def determined_by(
    keypoint_set: KeypointSet, shape: np.ndarray, covariance: np.ndarray, prior: OuterPrior
) -> tuple[Determined, ...]:
    """One for every number of the shape that belongs to a keypoint in use."""
    prior_std = np.sqrt(np.diagonal(np.linalg.inv(prior.information)))
    std = np.sqrt(np.diagonal(covariance))
    return tuple(
        Determined(name, unit, *map(float, (shape[row], prior.mean[row], prior_std[row], std[row])))
        for row, name, unit in shape_names(keypoint_set, len(shape))
    )


def trial_fit(
    index: int,
    trial: Trial,
    found: Sequence[Stretch],
    bundle: Bundle,
    states: Sequence[PieceStates],
    stride: int,
    size: tuple[int, int],
) -> TrialFit:
    """One BodyEstimate for each frame set of trial number `index` that was looked at; size: cameras, keypoints."""
    bodies: dict[int, BodyEstimate] = {}
    residual_px = np.full((len(trial.frame_sets), *size), np.nan, np.float32)
    weight = np.zeros_like(residual_px)
    for stretch, piece, state in zip(found, bundle.pieces, states, strict=True):
        if stretch.trial != index:
            continue
        rows = stretch.rows[::stride]
        distance = np.linalg.norm(state.residual_px, axis=-1)
        residual_px[rows] = np.where(state.used, distance, np.nan)
        weight[rows] = piece.observed.weight
        tracked = stretch.seen[::stride]
        for t, row in enumerate(rows):
            bodies[int(row)] = BodyEstimate(
                stamp_ns=trial.frame_sets[row].stamp_ns,
                settled=True,
                tracking=Tracking.TRACKED if tracked[t] else Tracking.COASTING,
                qpos=piece.qpos[t],
                qvel=state.qvel[t],
                covariance=state.covariance[t],
                sites_m=state.sites_m[t],
                sites_std_m=state.sites_std_m[t],
                site_seen=np.any(piece.observed.weight[t] > 0, axis=0),
            )
    kept = np.arange(len(trial.frame_sets)) if stride == 1 else np.array(sorted(bodies), dtype=int)
    whole = [bodies.get(int(row)) or lost(trial.frame_sets[row].stamp_ns, size[1]) for row in kept]
    return TrialFit(trial.name, tuple(whole), residual_px[kept], weight[kept])
