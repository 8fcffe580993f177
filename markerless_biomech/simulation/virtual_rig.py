"""A simulated session: a person who moves before virtual cameras, what their detectors report, and the truth.

READ FIRST of the simulation: `simulate(settings)` is everything. Same settings, same session, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from ..body.subject import Subject
from ..cameras.calibrated_camera import Rig
from ..keypoints import KeypointFrame, KeypointSet, load_keypoint_set
from ..rotations import xyzw_from_wxyz
from ..settings import SimulationSettings, checked
from .camera_ring import nominal_rig, project, true_rig
from .detector import TrueView, detect
from .faults import parse_faults
from .motion import GaitEvent, Motion
from .occlusion import body_capsules, hidden_sites
from .paths import seamless
from .person import person_subject
from .skeleton import Skeleton, build_skeleton
from .walker import walk

__all__ = ["START_NS", "SimulatedSession", "person_subject", "seamless", "simulate", "true_rig"]

START_NS = 1_700_000_000_000_000_000
"""Stamp of the first frame of a written session: any date will do, as long as it is always the same."""
JITTER_OF_STAMPS = 0.1
"""Share of jitter_s by which exposures are off their time; the rest is on the way."""


@dataclass(frozen=True, eq=False)
class SimulatedSession:
    """Everything about one session. F frames, C cameras, K keypoints."""

    settings: SimulationSettings
    keypoint_set: KeypointSet
    subject: Subject
    """The true one."""
    rig_true: Rig
    rig_nominal: Rig
    """What CameraInfo and /tf_static say."""
    motion: Motion
    stamps_ns: np.ndarray
    """(F, C) int64 mid-exposure, since the start of the session."""
    arrivals_ns: np.ndarray
    """(F, C) int64 when the detector has published, since the start of the session."""
    keypoints: np.ndarray
    """(F, C, K, 3) float32: u, v, confidence; 0: not seen."""
    swapped: np.ndarray
    """(F, C, K) bool: truth about left/right swaps."""
    sites_m: np.ndarray
    """(F, K, 3) true sites in world at motion.stamps_s."""
    qvel: np.ndarray
    """(F, 40) true velocities at motion.stamps_s: m/s in world, rad/s about pelvis axes, rad/s."""

    @cached_property
    def skeleton(self) -> Skeleton:
        """The true person's kinematics."""
        return build_skeleton(self.subject, self.keypoint_set)

    @property
    def events(self) -> tuple[GaitEvent, ...]:
        """True heel strikes and toe offs, times since the start of the session."""
        return self.motion.events

    @property
    def period_ns(self) -> int:
        """From the first frame to the first frame of the next round."""
        return round(len(self.stamps_ns) / self.settings.fps * 1e9)

    def frame(self, index: int, start_ns: int = START_NS) -> list[KeypointFrame]:
        """Frame `index` of every camera, by arrival; past the end the session starts over and time goes on."""
        row = index % len(self.stamps_ns)
        order = np.argsort(self.arrivals_ns[row], kind="stable")
        return [self.camera_frame(index, int(camera), start_ns) for camera in order]

    def camera_frame(self, index: int, camera: int, start_ns: int = START_NS) -> KeypointFrame:
        """Frame `index` of the rig's camera number `camera`."""
        lap, row = divmod(index, len(self.stamps_ns))
        offset_ns = start_ns + lap * self.period_ns
        calibration = list(self.rig_true.cameras.values())[camera]
        points = self.keypoints[row, camera]
        return KeypointFrame(
            camera=calibration.name,
            stamp_ns=int(self.stamps_ns[row, camera]) + offset_ns,
            arrival_ns=int(self.arrivals_ns[row, camera]) + offset_ns,
            points=points[None] if (points[:, 2] > 0.0).any() else np.zeros((0, *points.shape), np.float32),
            frame_number=index + 1,
            size_px=(calibration.width, calibration.height),
        )

    def frames(self, start_ns: int = START_NS) -> Iterator[KeypointFrame]:
        """Every camera's frames once, in the order of arrival."""
        frames = [frame for index in range(len(self.stamps_ns)) for frame in self.frame(index, start_ns)]
        return iter(sorted(frames, key=lambda frame: frame.arrival_ns))


def simulate(settings: SimulationSettings, person: Subject | None = None) -> SimulatedSession:
    """The whole session; `person` is somebody else than the settings'."""
    checked(settings)
    parse_faults(settings.faults, true_rig(settings).cameras)
    keypoint_set = load_keypoint_set(settings.keypoint_set)
    subject = person or person_subject(settings)
    motion = walk(settings, subject)
    rig = true_rig(settings)
    skeleton = build_skeleton(subject, keypoint_set)
    exposures_s, arrivals_s = _clock(settings, motion.stamps_s)
    view = true_view(settings, skeleton, motion, rig, exposures_s)
    keypoints, swapped = detect(settings, keypoint_set, view)
    return SimulatedSession(
        settings=settings,
        keypoint_set=keypoint_set,
        subject=subject,
        rig_true=rig,
        rig_nominal=nominal_rig(settings, rig),
        motion=motion,
        stamps_ns=np.round(exposures_s * 1e9).astype(np.int64),
        arrivals_ns=np.round(arrivals_s * 1e9).astype(np.int64),
        keypoints=keypoints,
        swapped=swapped,
        sites_m=skeleton.sites_m(motion.qpos),
        qvel=motion.velocity(motion.stamps_s),
    )


def _clock(settings: SimulationSettings, stamps_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(exposures, arrivals) (F, C): cameras are triggered together, but for the jitter."""
    rng = np.random.default_rng([settings.seed, 40])
    shape = (len(stamps_s), settings.cameras)
    exposures = stamps_s[:, None] + JITTER_OF_STAMPS * settings.jitter_s * rng.standard_normal(shape)
    delay = np.maximum(settings.latency_s + settings.jitter_s * rng.standard_normal(shape), 0.0)
    # a camera's frames stay in order, and within the motion
    exposures = np.maximum.accumulate(np.maximum(exposures, 0.0), axis=0)
    return exposures, np.maximum.accumulate(exposures + delay, axis=0)


def true_view(
    settings: SimulationSettings, skeleton: Skeleton, motion: Motion, rig: Rig, exposures_s: np.ndarray
) -> TrueView:
    """Each camera's perfect view at its own exposure times."""
    capsules = body_capsules(skeleton) if settings.occlusion or settings.realistic else None
    together = settings.jitter_s == 0.0
    qpos, sites_m = motion.qpos, skeleton.sites_m(motion.qpos)
    views = []
    for index, camera in enumerate(rig.cameras.values()):
        if not together:
            qpos = motion.sample(exposures_s[:, index])
            sites_m = skeleton.sites_m(qpos)
        pixels, inside = project(camera, sites_m)
        inside &= skeleton.site_body > 0
        hidden = np.zeros(inside.shape, bool)
        if capsules is not None:
            hidden = hidden_sites(skeleton, capsules, qpos, sites_m, camera.position_m)
        to_camera = camera.position_m - qpos[:, :3]
        ahead = Rotation.from_quat(xyzw_from_wxyz(qpos[:, 3:7])).apply([1.0, 0.0, 0.0])
        azimuth = np.arctan2(to_camera[:, 1], to_camera[:, 0]) - np.arctan2(ahead[:, 1], ahead[:, 0])
        views.append((pixels, inside, hidden, np.linalg.norm(to_camera, axis=1), azimuth))
    return TrueView(*(np.stack(values, axis=1) for values in zip(*views, strict=True)))
