"""Drives the live estimator over a bag, without ROS and as fast as it goes; same bag, same answer.

Arrival times are the bag's receive times: frame sets close exactly as they would have, however slow this machine is.
The result bag holds everything of its input and what the live node would have published.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..body.subject import Subject
from ..body.urdf import LinkTree, link_tree, urdf_text
from ..capture import Capture
from ..errors import InputError
from ..keypoints import KeypointSet
from ..results import BodyEstimate, MotionEstimate, Tracking
from ..settings import EstimatorSettings
from .bags import BagWriter, check_writable, open_bag
from .camera_health import fitted_cameras
from .definitions import definition_texts, model_id
from .link_messages import fitted_to_message, links_to_message
from .playing import frames_of_ours, without_frames
from .recorded_session import RecordedSession, read_session, relative_name
from .result_messages import (
    FitRecord,
    FitTimes,
    body_to_message,
    cameras_to_message,
    joints_to_message,
    report_to_message,
)
from .session_bag import write_definitions, write_steps
from .topic_roles import OWN_DEFINITIONS, RESULTS

RESULT_TOPICS = RESULTS | OWN_DEFINITIONS | {"robot_description"}
"""Topics that replay writes anew: those of its input are left out."""

Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1."""


@dataclass(frozen=True)
class ReplaySummary:
    """What a replay did."""

    frame_sets: int
    tracked: int
    lost: int
    """Frame sets without a state, those before the first detection included."""
    seconds: float
    """Wall-clock time of assembling and fitting, compilation excluded."""
    refused: dict[str, int]
    """Keypoint messages that could not be used, by reason."""


def replay(
    bag: str | Path,
    subject: Subject | Callable[[KeypointSet], Subject],
    out: str | Path,
    settings: EstimatorSettings | None = None,
    force: bool = False,
    keypoint_set: KeypointSet | None = None,
    progress: Progress = lambda _: None,
) -> ReplaySummary:
    """Fit `bag` live and write `out`. `subject` may depend on the bag's keypoint set."""
    if Path(out).resolve() == Path(bag).resolve():
        raise InputError(f"{out} is the bag to be read; give --out another name")
    check_writable(Path(out), force)
    session = read_session(bag, keypoint_set)
    if callable(subject):
        subject = subject(session.keypoint_set)
    settings = session_settings(settings or EstimatorSettings(), session)
    capture = Capture(settings, session.keypoint_set, subject)
    capture.estimator.set_rig(session.rig)
    capture.compile()
    with BagWriter(out, force) as writer:
        copy_input(writer, Path(bag))
        results = ResultWriter(writer, session, subject, settings)
        return _drive(capture, session, results, progress)


def session_settings(settings: EstimatorSettings, session: RecordedSession) -> EstimatorSettings:
    """Settings with the cameras and the keypoint set of the bag, unless they are given."""
    cameras = settings.cameras or session.cameras
    unknown = sorted(set(cameras) - set(session.cameras))
    if unknown:
        raise InputError(f"{session.path}: no camera '{unknown[0]}'; the bag has {', '.join(session.cameras)}")
    return replace(
        settings, cameras=cameras, keypoint_set=session.keypoint_set.name, world_frame=session.rig.world_frame
    )


def _drive(capture: Capture, session: RecordedSession, results: ResultWriter, progress: Progress) -> ReplaySummary:
    """Push every frame when it arrived, and close frame sets at their deadlines in between."""
    start_s = time.monotonic()
    for index, frame in enumerate(session.frames):
        while (deadline_ns := capture.next_deadline_ns()) is not None and deadline_ns <= frame.arrival_ns:
            results.write(capture.poll(deadline_ns), deadline_ns, capture)
        results.write(capture.push(frame), frame.arrival_ns, capture)
        progress((index + 1) / len(session.frames))
    results.write(capture.flush(), session.frames[-1].arrival_ns, capture)
    results.finish(session.frames[-1].arrival_ns, capture)
    results.write_cameras(capture, session.frames[-1].arrival_ns)
    return ReplaySummary(
        results.frame_sets, results.tracked, results.lost, time.monotonic() - start_s, dict(session.refused)
    )


def copy_input(writer: BagWriter, bag: Path) -> None:
    """Everything of the input but earlier results, byte for byte; of /tf only frames of others."""
    with open_bag(bag) as reader:
        ours = frames_of_ours(reader)
        for connection, time_ns, data in reader.raw_messages(lambda topic: relative_name(topic) not in RESULT_TOPICS):
            kept = without_frames(data, ours) if connection.topic == "/tf" else data
            if kept is not None:
                writer.write_raw(connection.topic, connection.msgtype, kept, time_ns, like=connection)


class ResultWriter:
    """Writes what the live node publishes."""

    def __init__(
        self, writer: BagWriter, session: RecordedSession, subject: Subject, settings: EstimatorSettings
    ) -> None:
        self._writer = writer
        self._session = session
        self._settings = settings
        self._model_id = model_id(session.keypoint_set)
        self._tree: LinkTree = link_tree(subject)
        self._cameras_every_ns = round(1e9 / settings.camera_report_hz)
        self._cameras_ns = 0
        self._last: MotionEstimate | None = None
        self.frame_sets = self.tracked = self.lost = 0
        start_ns = session.frames[0].arrival_ns
        write_definitions(writer, definition_texts(session.keypoint_set, session.rig, subject, settings), start_ns)
        writer.write_text("/robot_description", urdf_text(subject), start_ns)

    def write(self, estimates: Iterable[MotionEstimate], time_ns: int, capture: Capture) -> None:
        """Append the results of frame sets that were closed at `time_ns`."""
        for estimate in estimates:
            self._write_one(estimate, time_ns, capture)
            self._last = estimate
            if time_ns - self._cameras_ns >= self._cameras_every_ns:
                self.write_cameras(capture, time_ns)

    def _write_one(self, estimate: MotionEstimate, time_ns: int, capture: Capture) -> None:
        live, types, world = estimate.live, self._writer.types, self._settings.world_frame
        self.frame_sets += 1
        self.tracked += live is not None and live.tracking is Tracking.TRACKED
        self.lost += live is None or live.tracking is Tracking.LOST
        if live is not None and live.tracking is not Tracking.LOST:
            self._writer.write("/joint_states", joints_to_message(types, live), time_ns)
            links = links_to_message(types, self._tree, live, self._settings)
            if links is not None:
                self._writer.write("/tf", links, time_ns)
        if live is not None:
            self._writer.write("/body_state", self._body(live, capture), time_ns)
        self._write_settled(estimate.settled, time_ns, capture)
        record = FitRecord(estimate.report, FitTimes(), capture.assembler.counters, estimate.reset)
        self._writer.write("/fit_report", report_to_message(types, record, world), time_ns)
        write_steps(self._writer, capture.steps(estimate), time_ns, world)

    def finish(self, time_ns: int, capture: Capture) -> None:
        """Append what became settled with the end of the recording, and the last steps."""
        settled = capture.estimator.finish()
        self._write_settled(settled, time_ns, capture)
        write_steps(self._writer, capture.last_steps(settled), time_ns, self._settings.world_frame)

    def _write_settled(self, bodies: tuple[BodyEstimate, ...], time_ns: int, capture: Capture) -> None:
        for body in bodies:
            self._writer.write("/body_state_settled", self._body(body, capture), time_ns)

    def _body(self, body: BodyEstimate, capture: Capture) -> object:
        settings = self._settings
        pelvis, version = f"{settings.frame_prefix}pelvis", capture.estimator.calibration_version
        return body_to_message(self._writer.types, body, settings.world_frame, pelvis, self._model_id, version)

    def write_cameras(self, capture: Capture, time_ns: int) -> None:
        """Append how the cameras stand and fare."""
        if self._last is None:
            return
        self._cameras_ns = time_ns
        estimator, report = capture.estimator, self._last.report
        cameras = fitted_cameras(
            estimator.rig or self._session.rig,
            report.stamp_ns,
            estimator.camera_names,
            report,
            capture.assembler.status(time_ns),
            estimator.calibration_version,
            estimator.care.standing,
        )
        transforms = fitted_to_message(self._writer.types, cameras, self._settings)
        if transforms is not None:
            self._writer.write("/tf", transforms, time_ns)
        self._writer.write(
            "/fitted_cameras", cameras_to_message(self._writer.types, cameras, self._settings.world_frame), time_ns
        )
