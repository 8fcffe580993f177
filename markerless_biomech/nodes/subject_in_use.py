"""The person in view, for the node: whose body is fitted, its exchange while the node runs, and its calibration.

Exchanges are made by the worker between two frame sets: the body that is fitted and the definitions that tell of it
change together, and the track goes on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from ..body.subject import Subject, save_subject
from ..capture import Capture
from ..errors import InputError
from ..keypoints import KeypointSet
from ..results import Tracking
from ..settings import EstimatorSettings
from .calibration import SubjectCalibration, SubjectStatus
from .calibration_messages import CalibratedSubject
from .configured import (
    calibration_path,
    calibration_request,
    load_configured_subject,
    measured_height_m,
    subject_words,
)
from .publishing import ResultPublisher
from .worker import FitWorker, State


class SubjectInUse:
    """Changes of subject_file and height_m, and the service ~/calibrate_subject. All in the executor's thread."""

    def __init__(self, node: Node) -> None:
        self.calibration = SubjectCalibration(self._use_calibrated, node.get_logger())
        self.active = False
        self._node = node
        self._service = node.create_service(Trigger, "~/calibrate_subject", self._handle_calibrate)
        # made in configure, gone after cleanup
        self._configured: tuple[EstimatorSettings, KeypointSet, FitWorker, ResultPublisher] | None = None
        # kept, so that calibrating again knows what the first time knew
        self._height_m: float | None = None
        """The stature given to the last calibration."""
        self._height_from_file: dict[str, float | None] = {}
        """By the names of the files that calibrations wrote."""

    def configured(
        self, settings: EstimatorSettings, keypoint_set: KeypointSet, worker: FitWorker, publisher: ResultPublisher
    ) -> None:
        """From now on this is what is exchanged and calibrated."""
        self._configured = (settings, keypoint_set, worker, publisher)

    def released(self) -> None:
        """Nothing is configured any more."""
        self._configured = None

    def deactivate(self) -> None:
        """End a calibration that runs."""
        self.active = False
        self.calibration.stop("the node was deactivated")

    def status(self) -> SubjectStatus:
        """What diagnostics say."""
        in_use = "unconfigured" if self._configured is None else subject_words(self._configured[0])
        return self.calibration.status(in_use)

    def change(self, changes: dict[str, Any]) -> None:
        """Take changed parameters. Raises InputError when they name no subject that can be used."""
        wanted = {name: changes[name] for name in ("subject_file", "height_m") if name in changes}
        if self._configured is None or not wanted:
            return
        settings, keypoint_set = replace(self._configured[0], **wanted), self._configured[1]
        self._use(load_configured_subject(settings, keypoint_set), settings)

    def _use(self, subject: Subject, settings: EstimatorSettings) -> None:
        assert self._configured is not None
        _, keypoint_set, worker, publisher = self._configured
        self._configured = (settings, keypoint_set, worker, publisher)

        def exchange(capture: Capture) -> None:
            capture.estimator.exchange_subject(subject)
            publisher.take_subject(subject, settings)

        worker.exchange(exchange)

    def _handle_calibrate(self, _request: Any, response: Any) -> Any:
        try:
            response.message = self._start_calibration()
            response.success = True
        except InputError as error:
            response.success, response.message = False, str(error)
        return response

    def _start_calibration(self) -> str:
        """Begin to collect frame sets; returns the service's answer, or raises InputError with it."""
        if self._configured is None or not self.active:
            raise InputError("the node is not active; activate it, and call again when the subject is tracked")
        settings, keypoint_set, worker, _ = self._configured
        estimator = worker.capture.estimator
        if worker.state is not State.READY:
            raise InputError(f"the estimator is {worker.state.value}; call again when the subject is tracked")
        if estimator.rig is None:
            raise InputError("no camera is known yet; call again when the subject is tracked")
        name = estimator.subject.name if settings.subject_file else "subject"
        height_m = self._height_from_file.get(settings.subject_file, measured_height_m(settings))
        self.calibration.start(calibration_request(settings, keypoint_set, name, height_m), settings.calibration_s)
        self._height_m = height_m
        when = " as soon as somebody is tracked" if estimator.tracking is Tracking.LOST else ""
        return (
            f"collecting {settings.calibration_s:.1f} s of frame sets{when}; "
            "the result comes with definitions/subject and in /diagnostics"
        )

    def _use_calibrated(self, result: CalibratedSubject) -> str:
        """Write the subject's file and take it into use; returns where it is."""
        assert self._configured is not None
        now, settings = datetime.now(), self._configured[0]
        subject = replace(result.subject, date=now.isoformat(timespec="seconds"))
        path = calibration_path(settings, subject.name, now)
        try:
            save_subject(subject, path)
        except InputError as error:
            self._use(subject, settings)
            raise InputError(f"the calibrated subject is in use, but not saved: {error}") from error
        self._height_from_file[str(path)] = self._height_m
        # Whoever asks for the parameter, or configures again, gets the subject that is in use.
        answer = self._node.set_parameters([Parameter("subject_file", value=str(path))])[0]
        if not answer.successful:
            raise InputError(f"{path} was written, but is not in use: {answer.reason}")
        return f"{path}, reprojection error {result.reprojection_px:.1f} px"
