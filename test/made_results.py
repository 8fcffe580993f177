"""A result made up for tests: a swinging body before a ring of cameras, and a fit that errs by a known amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.population import population_prior
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.cameras.rig import Camera, Rig
from markerless_biomech.keypoints import KeypointFrame, load_keypoint_set
from markerless_biomech.recording.bags import BagWriter
from markerless_biomech.recording.definitions import definition_texts, subject_text
from markerless_biomech.recording.knowledge import known_scales, scale_prior
from markerless_biomech.recording.oracle import BodyOracle, project_px
from markerless_biomech.recording.result_bag import BodyTrack, ResultBag
from markerless_biomech.recording.result_messages import (
    FitRecord,
    FittedCameras,
    FitTimes,
    body_to_message,
    cameras_to_message,
    report_to_message,
)
from markerless_biomech.recording.session_bag import write_cameras, write_definitions, write_frame
from markerless_biomech.recording.step_messages import StepRecord, step_to_message
from markerless_biomech.results import BodyEstimate, FitReport, Tracking, lost
from markerless_biomech.rotations import xyzw_from_matrix
from markerless_biomech.session import Determined, SessionFit, TrialFit

START_NS = 1_700_000_000_000_000_000
SWING_DEG = {"hip_flexion": 25.0, "knee_angle": 28.0, "ankle_angle": 10.0, "arm_flex": 20.0, "elbow_flex": 12.0}
BIAS_DEG = {"knee_angle": 28.0, "elbow_flex": 25.0, "pro_sup": 60.0}


def made_motion(frames: int, fps: float) -> np.ndarray:
    """(F, 41): walks along x at 1.2 m/s, limbs swinging at 1 Hz, the two sides in opposite phase."""
    time_s = np.arange(frames) / fps
    qpos = np.zeros((frames, 41))
    qpos[:, 0], qpos[:, 2], qpos[:, 3] = 1.2 * (time_s - time_s.mean()), 0.95, 1.0
    for index, name in enumerate(JOINT_NAMES):
        phase = 2 * np.pi * time_s + (np.pi if name.endswith("_l") else 0.0)
        joint = name[:-2]
        phase += np.pi if joint.startswith("arm") else 0.0
        angle_deg = BIAS_DEG.get(joint, 0.0) + SWING_DEG.get(joint, 0.0) * np.sin(phase)
        qpos[:, 7 + index] = np.radians(angle_deg)
    return qpos


def ring_of_cameras(count: int, radius_m: float = 4.0, height_m: float = 1.8) -> dict[str, Camera]:
    """Cameras that look at the middle from a circle: f = 1100 px, 1920 x 1080."""
    k = np.array([[1100.0, 0.0, 959.5], [0.0, 1100.0, 539.5], [0.0, 0.0, 1.0]])
    rig = {}
    for index, angle in enumerate(2 * np.pi * np.arange(count) / count):
        position = np.array([radius_m * np.cos(angle), radius_m * np.sin(angle), height_m])
        forward = np.array([0.0, 0.0, 1.0]) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        world_from_camera = np.stack([right, np.cross(forward, right), forward], axis=1)
        name = f"cam{index}"
        rig[name] = Camera(
            name=name,
            width=1920,
            height=1080,
            distortion_model="plumb_bob",
            k=k,
            d=np.zeros(5),
            position_m=position,
            orientation_xyzw=xyzw_from_matrix(world_from_camera),
            frame_id=f"{name}_optical",
        )
    return rig


def track_of(qpos: np.ndarray, stamps_ns: np.ndarray, oracle: BodyOracle, std_deg: float = 0.5) -> BodyTrack:
    """Every frame TRACKED, with the same standard deviation for each joint."""
    sites_m = oracle.sites_m(qpos)
    return BodyTrack(
        stamps_ns=stamps_ns,
        tracking=np.full(len(qpos), int(Tracking.TRACKED)),
        qpos=qpos,
        joint_std_rad=np.full((len(qpos), 34), np.radians(std_deg)),
        sites_m=sites_m,
        sites_std_m=np.full(sites_m.shape[:2], 0.01),
    )


def made_session(
    frames: int = 60,
    cameras: int = 4,
    fps: float = 60.0,
    noise_px: float = 3.0,
    noise_deg: float = 0.5,
    bystander: bool = False,
    seed: int = 0,
) -> ResultBag:
    """Keypoints with white noise, truth, and a settled result with white errors of `noise_deg`; live: twice that."""
    rng = np.random.default_rng(seed)
    keypoint_set, rig = load_keypoint_set("bml_movi_87"), ring_of_cameras(cameras)
    subject = subject_from_height(1.75, keypoint_set)
    oracle = BodyOracle(subject, keypoint_set)
    qpos = made_motion(frames, fps)
    stamps_ns = START_NS + np.round(np.arange(frames) * 1e9 / fps).astype(np.int64)
    truth = track_of(qpos, stamps_ns, oracle)
    keypoints = {name: _seen(camera, truth, noise_px, bystander, rng) for name, camera in rig.items()}

    def erring(times: float) -> BodyTrack:
        error = np.zeros_like(qpos)
        error[:, 7:] = np.radians(rng.normal(0, times * noise_deg, (frames, 34)))
        return track_of(qpos + error, stamps_ns, oracle, times * noise_deg)

    return ResultBag(
        path=Path("made"),
        keypoint_set=keypoint_set,
        subject=subject,
        rig=rig,
        keypoints=keypoints,
        live=erring(2.0),
        settled=erring(1.0),
        records=tuple(_record(stamp_ns) for stamp_ns in stamps_ns),
        truth=truth,
        true_rig=rig,
        true_subject=subject,
    )


def _seen(
    camera: Camera, truth: BodyTrack, noise_px: float, bystander: bool, rng: np.random.Generator
) -> list[KeypointFrame]:
    frames = []
    for stamp_ns, sites_m in zip(truth.stamps_ns, truth.sites_m, strict=True):
        people = [sites_m + [0.0, 1.0, 0.0], sites_m] if bystander else [sites_m]
        pixels = np.array([project_px(camera, person) for person in people])
        pixels += rng.normal(0, noise_px, pixels.shape)
        confidence = rng.uniform(0.5, 1.0, pixels.shape[:2])
        points = np.concatenate([pixels, confidence[..., None]], axis=-1).astype(np.float32)
        frames.append(
            KeypointFrame(camera.name, int(stamp_ns), int(stamp_ns), points, size_px=(camera.width, camera.height))
        )
    return frames


def _record(stamp_ns: int) -> FitRecord:
    now_s = stamp_ns / 1e9 % 1000
    times = FitTimes(now_s, now_s + 0.002, now_s + 0.0025, now_s + 0.003, now_s + 0.011, now_s + 0.012)
    return FitRecord(FitReport(stamp_ns=int(stamp_ns), result="OK"), times)


def write_made_bag(session: ResultBag, path: Path, steps: Sequence[StepRecord] = ()) -> Path:
    """The session as a bag, as replay would have written it, with the steps' events."""
    rig = Rig(session.rig)
    frames = sorted((frame for frames in session.keypoints.values() for frame in frames), key=lambda f: f.arrival_ns)
    with BagWriter(path) as writer:
        write_definitions(writer, definition_texts(session.keypoint_set, rig, session.subject), frames[0].arrival_ns)
        write_definitions(writer, {"subject": subject_text(session.subject)}, frames[0].arrival_ns, prefix="truth/")
        write_cameras(writer, rig, frames[0].arrival_ns)
        for frame in frames:
            write_frame(writer, frame, session.keypoint_set, rig)
        for topic, track in {
            "/body_state": session.live,
            "/body_state_settled": session.settled,
            "/truth/body_state": session.truth,
        }.items():
            for estimate in estimates_of(track):
                writer.write(topic, body_to_message(writer.types, estimate), estimate.stamp_ns)
        for step in steps:
            writer.write("/step_events", step_to_message(writer.types, step), step.stamp_ns)
        writer.write("/truth/fitted_cameras", cameras_to_message(writer.types, _cameras(session)), frames[0].arrival_ns)
        for record in session.records:
            writer.write("/fit_report", report_to_message(writer.types, record), record.report.stamp_ns)
    return path


def estimates_of(track: BodyTrack | None) -> list[BodyEstimate]:
    """The track as the fit would have given it."""
    assert track is not None
    return [
        BodyEstimate(
            stamp_ns=int(track.stamps_ns[row]),
            settled=False,
            tracking=Tracking(track.tracking[row]),
            qpos=track.qpos[row],
            qvel=np.zeros(40),
            covariance=np.diag(np.r_[np.full(6, 1e-4), track.joint_std_rad[row] ** 2]),
            sites_m=track.sites_m[row],
            sites_std_m=track.sites_std_m[row],
            site_seen=np.ones(track.sites_m.shape[1], dtype=bool),
        )
        for row in range(len(track))
    ]


def _cameras(session: ResultBag) -> FittedCameras:
    count = len(session.rig)
    poses = [np.r_[camera.position_m, camera.orientation_xyzw] for camera in session.rig.values()]
    return FittedCameras(
        stamp_ns=START_NS,
        names=tuple(session.rig),
        frame_ids=tuple(camera.frame_id for camera in session.rig.values()),
        poses=np.array(poses),
        covariance=np.zeros((count, 6, 6)),
        correction_deg=np.zeros(count),
        correction_m=np.zeros(count),
        residual_px=np.zeros(count),
        share_used=np.ones(count),
        status=np.zeros(count, dtype=np.uint8),
    )


def with_calibrated_subject(session: ResultBag, offset_sd_m: float = 0.01, seed: int = 0) -> ResultBag:
    """The session with a subject as `calibrate` leaves it: offsets, and a covariance."""
    rng = np.random.default_rng(seed)
    keypoint_set = session.keypoint_set
    scales = population_prior().conditional(1.75).mean + rng.normal(0.0, 0.02, 10)
    offsets_m = {name: rng.normal(0.0, offset_sd_m, 3) for name in keypoint_set.names}
    std = np.concatenate([np.full(10, 0.004), np.full(3 * len(keypoint_set), 0.003)])
    subject = replace(session.subject, scales=scales, offsets_m=offsets_m, covariance=np.diag(std**2))
    return replace(session, subject=subject)


def made_fit(session: ResultBag) -> SessionFit:
    """What `calibrate` might have found in the session with a calibrated subject: residuals of 3 px, one gap."""
    rng = np.random.default_rng(1)
    assert session.settled is not None
    frames, cameras, keypoints = len(session.settled), len(session.rig), len(session.keypoint_set)
    residual_px = rng.rayleigh(3.0, (frames, cameras, keypoints))
    residual_px[frames // 2, 1] += 30.0
    bodies = [replace(body, settled=True) for body in estimates_of(session.settled)]
    bodies[3:6] = [lost(body.stamp_ns, keypoints) for body in bodies[3:6]]
    residual_px[3:6] = np.nan
    trial = TrialFit(session.path.name, tuple(bodies), residual_px, np.ones_like(residual_px))
    prior = scale_prior(session.subject.height_m)
    offsets = [
        Determined(f"offset {name} {axis}", "m", value, 0.0, 0.015, 0.003)
        for name, offset_m in session.subject.offsets_m.items()
        for axis, value in zip("xyz", offset_m, strict=True)
    ]
    determined = (*known_scales(session.subject, prior), *offsets)
    return SessionFit(session.subject, (trial,), tuple(session.rig), determined, {"reprojection": 1.0}, 2.0, 3.8)
