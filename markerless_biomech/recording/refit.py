"""Fits a whole bag offline, for a subject that is known: the best trajectory, and a bag that holds it.

The new bag holds everything of its input and /body_state_refit, one state for each frame set, with the steps that these
show, all final, in place of the live ones. Live results are kept where they are of the same body; those of another body
would not fit the definitions, and are left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..body.personal import PERSONAL
from ..body.subject import Subject
from ..body.urdf import urdf_text
from ..errors import InputError
from ..estimator import longest_gap_s
from ..gait.step_watch import StepWatch
from ..keypoints import KeypointSet
from ..results import FitReport, MotionEstimate, Tracking
from ..session import SessionFit, Trial, TrialFit, fit_trajectories
from ..settings import EstimatorSettings, SessionSettings, to_dict
from .bags import BagWriter, check_writable
from .camera_health import fitted_cameras
from .definitions import definition_texts, model_id, subject_from_text, versions, yaml_text
from .playing import frames_of_ours, without_frames
from .recorded_session import RecordedSession, read_session
from .result_messages import body_to_message, cameras_to_message
from .session_bag import write_definitions, write_steps
from .topic_roles import OWN_DEFINITIONS, relative_name
from .trial_marks import open_recording
from .trials import trial_from_session

WRITTEN_ANEW = OWN_DEFINITIONS | {"body_state_refit", "robot_description", "step_events", "gait_parameters"}
LIVE_RESULTS = frozenset(("joint_states", "body_state", "body_state_settled", "fit_report", "fitted_cameras"))
"""Left out where they are of another body, and so are their frames of /tf."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class RefitSummary:
    """What a refit did."""

    frames: int
    """Frame sets."""
    tracked: int
    lost: int
    seconds: float
    """Wall-clock time of the fit."""
    reprojection_px: float
    noise_correlation: float
    remark: str = ""
    """A sentence where live results were left out."""


def refit(
    bag: str | Path,
    subject: Subject | None,
    out: str | Path,
    settings: SessionSettings | None = None,
    force: bool = False,
    keypoint_set: KeypointSet | None = None,
    progress: Progress = lambda *_: None,
    trial: str = "",
) -> RefitSummary:
    """Fit `bag`, or one trial marked in it, and write `out`; without a subject for the one that the bag defines."""
    if Path(out).resolve() == Path(bag).resolve():
        raise InputError(f"{out} is the bag to be read; give --out another name")
    check_writable(Path(out), force)
    settings = settings or SessionSettings()
    session = read_session(bag, keypoint_set, trial)
    subject = subject or _own_subject(session)
    taken = trial_from_session(session)
    start_s = time.monotonic()
    fit = fit_trajectories([taken], session.keypoint_set, subject, settings, progress)
    seconds = time.monotonic() - start_s
    left_out = _has_live_results(session) and not _is_of(session, subject)
    with BagWriter(out, force) as writer:
        _copy_input(writer, session, with_results=not left_out)
        _write_definitions(writer, session, subject, settings, keep_settings=not left_out)
        _write_results(writer, session, taken, fit)
        _write_steps(writer, session, taken, fit)
    tracking = [body.tracking for body in fit.trials[0].bodies]
    return RefitSummary(
        frames=len(tracking),
        tracked=tracking.count(Tracking.TRACKED),
        lost=tracking.count(Tracking.LOST),
        seconds=seconds,
        reprojection_px=fit.reprojection_px,
        noise_correlation=fit.noise_correlation,
        remark=f"the live results in {bag} are of another body; {out} leaves them out" if left_out else "",
    )


def _copy_input(writer: BagWriter, session: RecordedSession, with_results: bool) -> None:
    """Everything that is not written anew, byte for byte; without live results /tf has the frames of others alone."""
    unwanted = WRITTEN_ANEW if with_results else WRITTEN_ANEW | LIVE_RESULTS
    with open_recording(session.path, session.trial) as reader:
        ours = frozenset() if with_results else frames_of_ours(reader)
        for connection, time_ns, data in reader.raw_messages(lambda topic: relative_name(topic) not in unwanted):
            kept = without_frames(data, ours) if ours and connection.topic == "/tf" else data
            if kept is not None:
                writer.write_raw(connection.topic, connection.msgtype, kept, time_ns, like=connection)


def _own_subject(session: RecordedSession) -> Subject:
    """Whom the bag's results are of."""
    if "subject" not in session.definitions:
        raise InputError(f"{session.path}: defines no subject; give --subject with the person's file")
    return subject_from_text(session.definitions["subject"], f"{session.path}: definitions/subject")


def _has_live_results(session: RecordedSession) -> bool:
    return any(session.bodies(topic) for topic in ("body_state", "body_state_settled"))


def _is_of(session: RecordedSession, subject: Subject) -> bool:
    """Whether the bag's results were made with this body; name, date and what is known of it do not matter."""
    text = session.definitions.get("subject")
    if text is None:
        return False
    other = subject_from_text(text, f"{session.path}: definitions/subject")
    return (
        np.array_equal(other.scales, subject.scales)
        and np.array_equal(_own_joints(other), _own_joints(subject))
        and other.keypoint_set == subject.keypoint_set
        and _same_vectors(other.offsets_m, subject.offsets_m)
        and _same_vectors(other.soft_tissue_m_per_rad, subject.soft_tissue_m_per_rad)
    )


def _same_vectors(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


def _own_joints(subject: Subject) -> np.ndarray:
    return np.zeros(PERSONAL) if subject.personal is None else subject.personal


def _write_definitions(
    writer: BagWriter, session: RecordedSession, subject: Subject, settings: SessionSettings, keep_settings: bool
) -> None:
    """Of this body; the live estimator's settings stay where its results do, and the refit's come beside them."""
    start_ns = session.frames[0].arrival_ns
    live = session.recorded_settings() if keep_settings else {}
    texts = definition_texts(session.keypoint_set, session.rig, subject)
    texts["settings"] = yaml_text({**live, "refit": {**to_dict(settings), "versions": versions()}})
    write_definitions(writer, texts, start_ns)
    writer.write_text("/robot_description", urdf_text(subject), start_ns)


def _write_results(writer: BagWriter, session: RecordedSession, trial: Trial, fit: SessionFit) -> None:
    """The states, each as received with its frame set, and at last how the cameras stand."""
    world, name = session.rig.world_frame, model_id(session.keypoint_set)
    for frame_set, body in zip(trial.frame_sets, fit.trials[0].bodies, strict=True):
        message = body_to_message(writer.types, body, world, model_id=name)
        writer.write("/body_state_refit", message, frame_set.last_arrival_ns)
    report = _camera_report(fit.trials[0])
    rig = trial.rig if fit.rig is None else fit.rig.rig
    cameras = fitted_cameras(rig, report.stamp_ns, fit.cameras, report)
    if fit.rig is not None:
        cameras = replace(
            cameras,
            covariance=np.array([fit.rig.covariance[name] for name in cameras.names]),
            correction_deg=np.array([fit.rig.correction_deg[name] for name in cameras.names]),
            correction_m=np.array([fit.rig.correction_m[name] for name in cameras.names]),
            calibration_version=2,
        )
    end_ns = max(frame.arrival_ns for frame in session.frames)
    writer.write("/fitted_cameras", cameras_to_message(writer.types, cameras, world), end_ns)


def _write_steps(writer: BagWriter, session: RecordedSession, trial: Trial, fit: SessionFit) -> None:
    """Final events and rolling figures of the refit, each with the frame set after which it was sure."""
    settings = session.settings(EstimatorSettings)
    watch = StepWatch(session.keypoint_set, fit.subject, settings.belt_speed_m_s, longest_gap_s(settings))
    times_ns = [frame_set.last_arrival_ns for frame_set in trial.frame_sets]
    nothing = FitReport(0, "OK")
    told = [watch.take(MotionEstimate(body, (), nothing), fit.subject) for body in fit.trials[0].bodies]
    for news, time_ns in zip([*told, watch.finish(())], [*times_ns, times_ns[-1]], strict=True):
        final = tuple(event for event in news.events if event.final and not event.withdrawn)
        write_steps(writer, replace(news, events=final), time_ns, session.rig.world_frame)


def _camera_report(trial: TrialFit) -> FitReport:
    """Each camera's mean residual and share of points used, over the whole trial."""
    used, seen = np.isfinite(trial.residual_px), trial.weight > 0
    total_px = np.where(used, trial.residual_px, 0.0).sum(axis=(0, 2))
    count = used.sum(axis=(0, 2))
    return FitReport(
        stamp_ns=trial.bodies[-1].stamp_ns,
        result="OK",
        camera_residual_px=np.where(count > 0, total_px / np.maximum(count, 1), np.nan),
        camera_share=count / np.maximum(seen.sum(axis=(0, 2)), 1),
    )
