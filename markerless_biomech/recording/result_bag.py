"""A bag with results as evaluation and report want it: keypoints by camera, cameras, the person, tracks, the truth."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ..body.subject import Subject
from ..cameras.rig import Camera
from ..errors import InputError
from ..gait.values import StepEvent
from ..keypoints import KeypointFrame, KeypointSet
from ..results import BodyEstimate, Tracking
from ..settings import EstimatorSettings, SimulationSettings
from .definitions import subject_from_text
from .recorded_session import RecordedSession, read_session
from .result_messages import FitRecord, FittedCameras

RESULTS = {"refit": "refit", "settled": "replay", "live": "replay"}
"""Command that makes each result; the best result comes first."""


@dataclass(frozen=True, eq=False)
class BodyTrack:
    """One result (or the truth) over time; F frames in the order of their stamps."""

    stamps_ns: np.ndarray
    """(F,) int64"""
    tracking: np.ndarray
    """(F,) values of `Tracking`"""
    qpos: np.ndarray
    """(F, 41) pelvis position (m), quaternion w x y z, joints (rad)"""
    joint_std_rad: np.ndarray
    """(F, 34)"""
    sites_m: np.ndarray
    """(F, K, 3) in world, as published"""
    sites_std_m: np.ndarray
    """(F, K)"""

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def held(self) -> np.ndarray:
        """(F,) True where there is a state, TRACKED or COASTING."""
        return self.tracking != Tracking.LOST

    def where(self, mask: np.ndarray) -> BodyTrack:
        """The frames for which (F,) `mask` is True."""
        return BodyTrack(
            self.stamps_ns[mask],
            self.tracking[mask],
            self.qpos[mask],
            self.joint_std_rad[mask],
            self.sites_m[mask],
            self.sites_std_m[mask],
        )


@dataclass(frozen=True, eq=False)
class ResultBag:
    """A bag with results, in memory."""

    path: Path
    keypoint_set: KeypointSet
    subject: Subject
    rig: dict[str, Camera]
    """Nominal cameras: CameraInfo and /tf_static."""
    keypoints: dict[str, list[KeypointFrame]]
    """By camera, in the order of their stamps."""
    live: BodyTrack | None = None
    settled: BodyTrack | None = None
    refit: BodyTrack | None = None
    """Fitted offline to the whole bag."""
    fitted_rig: dict[str, Camera] | None = None
    """Cameras as the estimator used them last."""
    records: tuple[FitRecord, ...] = ()
    """Fit reports, in the order written."""
    lag_s: float = 0.1
    truth: BodyTrack | None = None
    true_rig: dict[str, Camera] | None = None
    true_subject: Subject | None = None
    steps: tuple[StepEvent, ...] = ()
    """Every revision of the step events, in the order written."""
    true_steps: tuple[StepEvent, ...] | None = None
    """Of a simulation; None: the bag cannot tell."""
    belt_m_s: np.ndarray = field(default_factory=lambda: np.zeros(2))
    """(2,) velocity of a simulated treadmill's belt in world."""

    def track(self, result: str | None = None) -> BodyTrack:
        """The 'refit', 'settled' or 'live' result, LOST frames included; without a name the best there is.

        Raises InputError when the bag does not hold it, or when nobody was ever tracked.
        """
        if result is not None and result not in RESULTS:
            raise InputError(f"result '{result}' is not known; expected one of {', '.join(RESULTS)}")
        name = result or self.best_result()
        track = getattr(self, name)
        if track is not None and track.held().any():
            return track
        if track is not None or (name != "refit" and self.records):
            raise InputError(self.never_tracked())
        raise InputError(f"{self.path}: holds no {name} result; run 'markerless-biomech {RESULTS[name]}' on it first")

    def best_result(self) -> str:
        """The first of refit, settled and live that ever held the subject; 'live' when none did."""
        return next(iter(self.held_results()), "live")

    def held_results(self) -> tuple[str, ...]:
        """Results with at least one state that is not LOST, the best first."""
        tracks = {name: getattr(self, name) for name in RESULTS}
        return tuple(name for name, track in tracks.items() if track is not None and track.held().any())

    def never_tracked(self) -> str:
        """The sentence that says so, with the reason that the fit gave most often."""
        reasons = Counter(record.report.result for record in self.records if record.report.result != "OK")
        most = f" (most often: {reasons.most_common(1)[0][0]})" if reasons else ""
        return (
            f"{self.path}: the subject was never tracked{most}; check that the cameras' calibration and the keypoint "
            "set are those of the recording and that two cameras see the person at once, then fit it again"
        )

    def fitted_or_nominal_rig(self) -> dict[str, Camera]:
        """The cameras that the results were made with."""
        return {**self.rig, **(self.fitted_rig or {})}

    @cached_property
    def half_frame_ns(self) -> int:
        """Half the median time between a camera's frames."""
        gaps = [np.diff(np.unique([frame.stamp_ns for frame in frames])) for frames in self.keypoints.values()]
        together = np.concatenate([*gaps, np.zeros(0)])
        return int(np.median(together) / 2) if together.size else 10_000_000

    def frame_sets_ns(self) -> np.ndarray:
        """(N,) stamps of the frame sets, each the median of its members'.

        A frame set ends when a camera comes a second time, or three quarters of a frame after its first stamp.
        """
        members = sorted((frame.stamp_ns, name) for name, frames in self.keypoints.items() for frame in frames)
        if not members:
            raise InputError(f"{self.path}: holds no keypoints; nothing can be judged")
        groups: list[list[int]] = []
        cameras: set[str] = set()
        for stamp_ns, name in members:
            if not groups or name in cameras or stamp_ns - groups[-1][0] > 1.5 * self.half_frame_ns:
                groups.append([])
                cameras = set()
            groups[-1].append(stamp_ns)
            cameras.add(name)
        return np.array([group[(len(group) - 1) // 2] for group in groups], dtype=np.int64)

    def frame_set_tracking(self) -> np.ndarray:
        """(N,) state of each frame set by the best result that has one; LOST where none has.

        The live result skips frame sets that came while it fitted, and says LOST once after the last; neither counts.
        """
        sets_ns = self.frame_sets_ns()
        tracking = np.full(len(sets_ns), int(Tracking.LOST))
        for name in reversed(self.held_results()):
            track = self.track(name)
            track = track.where(track.held())
            sets, rows = matched(sets_ns, track.stamps_ns, self.half_frame_ns)
            tracking[sets] = track.tracking[rows]
        return tracking


def read_result_bag(path: str | Path, keypoint_set: KeypointSet | None = None, trial: str = "") -> ResultBag:
    """Read a bag with results, or one trial marked in it. Raises InputError for a bag that nothing was fitted to."""
    return result_bag(read_session(path, keypoint_set, trial))


def result_bag(session: RecordedSession) -> ResultBag:
    """The same of a bag that was read."""
    path = session.path
    if "subject" not in session.definitions:
        raise InputError(
            f"{path}: holds no definitions/subject and so no result; run 'markerless-biomech replay' or 'refit' on it "
            "first"
        )
    true_text = session.definitions.get("truth/subject")
    true_cameras = session.fitted_cameras("truth/fitted_cameras")
    fitted = session.fitted_cameras()
    return ResultBag(
        path=session.path,
        keypoint_set=session.keypoint_set,
        subject=subject_from_text(session.definitions["subject"], f"{path}: definitions/subject"),
        rig={name: session.rig.cameras[name] for name in session.cameras},
        keypoints=_by_camera(session),
        live=track_from_estimates(session.bodies("body_state")),
        settled=track_from_estimates(session.bodies("body_state_settled")),
        refit=track_from_estimates(session.bodies("body_state_refit")),
        fitted_rig=_rig_of(session, fitted[-1]) if fitted else None,
        records=tuple(session.reports),
        lag_s=_lag_s(session),
        truth=_without_unused(track_from_estimates(session.bodies("truth/body_state")), session.keypoint_set),
        true_rig=_rig_of(session, true_cameras[-1]) if true_cameras else None,
        true_subject=subject_from_text(true_text, f"{path}: definitions/truth/subject") if true_text else None,
        steps=tuple(session.results.get("step_events", ())),
        true_steps=tuple(session.results.get("truth/step_events", ())) if true_text else None,
        belt_m_s=_belt_m_s(session),
    )


def _by_camera(session: RecordedSession) -> dict[str, list[KeypointFrame]]:
    by_camera: dict[str, list[KeypointFrame]] = {name: [] for name in session.cameras}
    for frame in session.frames:
        by_camera[frame.camera].append(frame)
    return {name: sorted(frames, key=lambda frame: frame.stamp_ns) for name, frames in by_camera.items()}


def _rig_of(session: RecordedSession, poses: FittedCameras) -> dict[str, Camera]:
    """The session's cameras at the poses of a FittedCameras message."""
    return {
        name: dataclasses.replace(session.rig.cameras[name], position_m=pose[:3], orientation_xyzw=pose[3:])
        for name, pose in zip(poses.names, poses.poses, strict=True)
        if name in session.rig.cameras
    }


def _belt_m_s(session: RecordedSession) -> np.ndarray:
    """(2,) a simulated treadmill's belt goes towards -x at the walker's speed."""
    settings = session.settings(SimulationSettings, "truth/simulation")
    return np.array([-settings.speed_m_s if settings.path == "treadmill" else 0.0, 0.0])


def _lag_s(session: RecordedSession) -> float:
    """Lag of the settled result by the bag's settings, else the default."""
    return session.settings(EstimatorSettings).lag_s


def track_from_estimates(estimates: Sequence[BodyEstimate]) -> BodyTrack | None:
    """Sorted by stamp; None for no estimates."""
    if not estimates:
        return None
    estimates = sorted(estimates, key=lambda estimate: estimate.stamp_ns)
    keypoints = max(len(estimate.sites_m) for estimate in estimates)
    variance = np.array([np.diagonal(estimate.covariance)[6:] for estimate in estimates])
    return BodyTrack(
        stamps_ns=np.array([estimate.stamp_ns for estimate in estimates], dtype=np.int64),
        tracking=np.array([int(estimate.tracking) for estimate in estimates]),
        qpos=np.array([estimate.qpos for estimate in estimates], dtype=float),
        joint_std_rad=np.sqrt(np.maximum(variance, 0)),
        sites_m=_padded([estimate.sites_m for estimate in estimates], (keypoints, 3)),
        sites_std_m=_padded([estimate.sites_std_m for estimate in estimates], (keypoints,)),
    )


def _without_unused(track: BodyTrack | None, keypoint_set: KeypointSet) -> BodyTrack | None:
    """Sites of keypoints that the set does not use become NaN: they are nowhere on the body."""
    if track is None or track.sites_m.shape[1] != len(keypoint_set):
        return track
    used = np.array([bool(body) for body in keypoint_set.bodies])
    return dataclasses.replace(track, sites_m=np.where(used[:, None], track.sites_m, np.nan))


def _padded(rows: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """(F, *shape): NaN for the rows that are empty, as those of a LOST state are."""
    return np.array([row if np.shape(row) == shape else np.full(shape, np.nan) for row in rows], dtype=float)


def matched(stamps_ns: np.ndarray, other_ns: np.ndarray, within_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j) with other_ns[j] nearest to stamps_ns[i] and at most `within_ns` away; both sorted by time."""
    if not len(other_ns) or not len(stamps_ns):
        return np.zeros(0, int), np.zeros(0, int)
    after = np.clip(np.searchsorted(other_ns, stamps_ns), 1, max(len(other_ns) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(other_ns) - 1)
    nearest = np.where(np.abs(other_ns[after] - stamps_ns) < np.abs(other_ns[before] - stamps_ns), after, before)
    close = np.abs(other_ns[nearest] - stamps_ns) <= within_ns
    return np.flatnonzero(close), nearest[close]
