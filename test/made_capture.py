"""A capture made up for tests of the page: three cameras, somebody who walks, is lost, and is found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_results import START_NS, made_session, write_made_bag

from markerless_biomech.gait.values import StepEvent
from markerless_biomech.recording.recorded_session import RecordedSession, read_session
from markerless_biomech.recording.result_bag import BodyTrack
from markerless_biomech.recording.result_messages import FittedCameras
from markerless_biomech.results import Tracking

FPS, FRAMES = 30.0, 60
COASTING_S, LOST_S, FOUND_S = 1.0, 1.2, 1.6
"""When the track coasts, is lost, and is found again."""


def made_steps() -> list[StepEvent]:
    """A strike each half second, left and right in turn, and a toe off after each."""
    steps = []
    for number in range(4):
        side = ("left", "right")[number % 2]
        heel_m = np.array([0.6 * number - 1.0, 0.1 if side == "left" else -0.1, 0.02])
        at_ns = START_NS + round((0.2 + 0.5 * number) * 1e9)
        size = {} if number == 0 else {"step_length_m": 0.6, "step_width_m": 0.2}
        steps.append(StepEvent(at_ns, side, "heel_strike", heel_m, id=2 * number + 1, **size))
        steps.append(StepEvent(at_ns + 100_000_000, side, "toe_off", heel_m + [0.25, 0, 0], id=2 * number + 2))
    return steps


def written_bag(folder):
    """The bag; its results have no cameras."""
    session = made_session(frames=FRAMES, cameras=3, fps=FPS)
    session = replace(session, live=_interrupted(session.live), settled=_interrupted(session.settled))
    return write_made_bag(session, folder / "bag", made_steps())


def recorded(folder) -> RecordedSession:
    """The bag in memory, with one camera bumped and one dead from the middle on."""
    session = read_session(written_bag(folder))
    return replace(
        session, results={**session.results, "fitted_cameras": [_cameras(session, False), _cameras(session, True)]}
    )


def _interrupted(track: BodyTrack) -> BodyTrack:
    time_s = (track.stamps_ns - START_NS) * 1e-9
    tracking = track.tracking.copy()
    tracking[time_s >= COASTING_S - 1e-3] = Tracking.COASTING
    tracking[time_s >= LOST_S - 1e-3] = Tracking.LOST
    tracking[time_s >= FOUND_S - 1e-3] = Tracking.TRACKED
    return replace(track, tracking=tracking)


def _cameras(session: RecordedSession, bad: bool) -> FittedCameras:
    cameras = list(session.rig.cameras.values())
    poses = np.array([np.r_[camera.position_m, camera.orientation_xyzw] for camera in cameras])
    status = np.array([0, 0, 0], np.uint8)
    correction_m, residual_px = np.zeros(3), np.array([2.5, 3.5, 4.5])
    if bad:
        poses[1, 2] += 0.05
        correction_m[1], residual_px[2] = 0.05, np.nan
        status[:] = FittedCameras.OK, FittedCameras.MOVED, FittedCameras.DEAD
    return FittedCameras(
        stamp_ns=START_NS + (1_000_000_000 if bad else 0),
        names=tuple(camera.name for camera in cameras),
        frame_ids=tuple(camera.frame_id for camera in cameras),
        poses=poses,
        covariance=np.zeros((3, 6, 6)),
        correction_deg=np.zeros(3),
        correction_m=correction_m,
        residual_px=residual_px,
        share_used=np.ones(3),
        status=status,
    )
