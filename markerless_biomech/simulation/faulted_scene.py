"""What cameras see when they move, zoom or swap sides, when people come and go: a simulated session with its faults.

A fault only adds: noise, outliers and everything else that it leaves alone stay as they are without it, bit for bit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from ..cameras.calibrated_camera import Camera, Rig
from .bystander import bystander
from .camera_ring import project
from .faults import MOVING, Fault
from .virtual_rig import SimulatedSession

_AXIS, _ORDER = 50, 51
"""Streams of random numbers."""


def true_rig_at(session: SimulatedSession, faults: Sequence[Fault], time_s: float) -> Rig:
    """The true cameras, as bumps, drifts and zooms have left them; the session's own where nothing has."""
    moving = [fault for fault in faults if fault.kind in MOVING and fault.is_on(time_s)]
    if not moving:
        return session.rig_true
    cameras = {}
    for number, (name, camera) in enumerate(session.rig_true.cameras.items()):
        for fault in moving:
            camera = _moved(session, fault, camera, number, time_s) if fault.concerns(name) else camera
        cameras[name] = camera
    return Rig(cameras, session.rig_true.world_frame)


def person_is_there(faults: Sequence[Fault], time_s: float) -> bool:
    """Whether the subject is in view."""
    return not any(fault.kind == "person-leaves" and fault.is_on(time_s) for fault in faults)


def _moved(session: SimulatedSession, fault: Fault, camera: Camera, number: int, time_s: float) -> Camera:
    """The camera while the fault is on; the seed fixes its axes."""
    if fault.kind == "camera-focal":
        k = camera.k.copy()
        k[0, 0], k[1, 1] = np.array([k[0, 0], k[1, 1]]) * (1.0 + fault.size("%") / 100.0)
        return dataclasses.replace(camera, k=k)
    axis, direction = np.random.default_rng([session.settings.seed, _AXIS, number]).standard_normal((2, 3))
    bumped = fault.kind == "camera-bump"
    angle_deg = fault.size("deg") if bumped else fault.size("deg/s") * (time_s - fault.start_s)
    moved_m = fault.size("mm") / 1e3 if bumped else 0.0
    turn = Rotation.from_rotvec(np.radians(angle_deg) * axis / np.linalg.norm(axis))
    return dataclasses.replace(
        camera,
        position_m=camera.position_m + moved_m * direction / np.linalg.norm(direction),
        orientation_xyzw=(turn * Rotation.from_quat(camera.orientation_xyzw)).as_quat(),
    )


def seen_points(
    session: SimulatedSession, faults: Sequence[Fault], index: int, camera: int, time_s: float
) -> np.ndarray:
    """(P, K, 3) what the camera reports of everybody at `time_s`, which is near to its frame `index`."""
    row = index % len(session.stamps_ns)
    calibration = list(session.rig_true.cameras.values())[camera]
    now = list(true_rig_at(session, faults, time_s).cameras.values())[camera]
    on = [fault for fault in faults if fault.is_on(time_s) and fault.concerns(calibration.name)]
    people = []
    if person_is_there(on, time_s):
        sites_m = _sites_m(session, row, time_s) if any(fault.kind == "camera-rate" for fault in on) else None
        people.append(_shifted(session.keypoints[row, camera], calibration, now, session.sites_m[row], sites_m))
    for fault in on:
        if fault.kind == "second-person":
            other = bystander(session, fault.size("mm") / 1e3)
            step = math.floor((time_s - fault.start_s) * session.settings.fps) % len(other.keypoints)
            people.append(_shifted(other.keypoints[step, camera], calibration, now, other.sites_m[step], None))
    if any(fault.kind == "swap" for fault in on):
        people = [points[session.keypoint_set.partners] for points in people]
    people = [points for points in people if (points[:, 2] > 0.0).any()]
    if len(people) > 1 and np.random.default_rng([session.settings.seed, _ORDER, camera, index]).random() < 0.5:
        people.reverse()
    return np.array(people, np.float32).reshape(-1, len(session.keypoint_set), 3)


def _sites_m(session: SimulatedSession, row: int, time_s: float) -> np.ndarray:
    """(K, 3) true sites between frames."""
    period_s = len(session.stamps_ns) / session.settings.fps
    return session.skeleton.sites_m(session.motion.sample(np.array([time_s % period_s])))[0]


def _shifted(
    points: np.ndarray, camera: Camera, now: Camera, sites_m: np.ndarray, now_sites_m: np.ndarray | None
) -> np.ndarray:
    """(K, 3) points of sites (K, 3) before `camera`, moved to where the sites are now, before the camera as it is now.

    Their errors stay; what leaves the image is no longer seen, and what was not seen is not seen now.
    """
    if camera is now and now_sites_m is None:
        return points
    before_px, _ = project(camera, sites_m)
    now_px, inside = project(now, sites_m if now_sites_m is None else now_sites_m)
    seen = inside & (points[:, 2] > 0.0)
    moved = points.copy()
    moved[:, :2] += (now_px - before_px).astype(np.float32)
    moved[~seen] = 0.0
    return moved
