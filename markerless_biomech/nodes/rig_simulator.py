"""A virtual walker before a virtual rig, live: keypoints, CameraInfo, /tf_static, and the truth beside them.

The walk is made first, as `markerless-biomech simulate` makes it, then shown in real time, each camera's frames as late
as its latency says. Shown endlessly it is closed to whole laps, so that the person never jumps. The parameter `faults`
may be set while it walks.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from rclpy.node import Node

from ..cameras.calibrated_camera import with_prefix
from ..recording.camera_health import fitted_cameras
from ..recording.definitions import definition_texts, model_id
from ..recording.message_types import string_to_message
from ..recording.messages import keypoint_frame_to_message
from ..recording.result_messages import body_to_message, cameras_to_message
from ..recording.simulated_bag import true_body, true_steps
from ..recording.step_messages import step_to_message
from ..results import BodyEstimate
from ..simulation.faulted_frames import Sent, in_order, sent_frames
from ..simulation.faulted_scene import person_is_there, true_rig_at
from ..simulation.faults import parse_faults
from ..simulation.virtual_rig import SimulatedSession, seamless, simulate
from . import quality
from .node_settings import RigSimulatorSettings
from .parameters import accept_changes, declare_settings
from .rig_publishers import RigPublishers
from .ros_types import TYPES
from .running import run
from .timetable import Departure, Timetable, wait_for_subscribers


class RigSimulator(Node):
    """Publishes one simulated session, once or again and again."""

    def __init__(self, **options: Any) -> None:
        super().__init__("rig_simulator", **options)
        settings = declare_settings(self, RigSimulatorSettings)
        self.settings = settings
        self.finished = False
        self.exit_code = 0
        self._model_id = ""
        self._stopping = threading.Event()
        self._rig = RigPublishers(self, [f"cam{index}" for index in range(settings.cameras)])
        self._body = self.create_publisher(TYPES.BodyState, "truth/body_state", quality.RESULTS)
        self._events = self.create_publisher(TYPES.StepEvent, "truth/step_events", quality.RESULTS)
        self._cameras = self.create_publisher(TYPES.FittedCameras, "truth/fitted_cameras", quality.LATCHED)
        self._definitions = {
            name: self.create_publisher(TYPES.String, f"truth/definitions/{name}", quality.LATCHED)
            for name in ("model", "subject")
        }
        self._shown_poses = np.zeros(0)
        self._start_ns = 0
        self._faults = parse_faults(settings.faults, self._rig.keypoints)
        accept_changes(self, RigSimulatorSettings, self._change)
        self._timetable = Timetable(self._departures(), self._done)
        self._timetable.start()

    def close(self) -> None:
        """Stop the show."""
        self._stopping.set()
        self._timetable.stop()

    def _change(self, changes: dict[str, Any]) -> None:
        """Other faults from now on; their times count from now."""
        if "faults" in changes:
            faults = parse_faults(changes["faults"], self._rig.keypoints)
            elapsed_s = (self.get_clock().now().nanoseconds - self._start_ns) * 1e-9 if self._start_ns else 0.0
            self._faults = tuple(fault.later(elapsed_s) for fault in faults)

    def _departures(self) -> Iterator[Departure]:
        """Definitions at once, then the truth at its time and what each detector reports at its own."""
        session = simulate(seamless(self.settings) if self.settings.passes == 0 else self.settings)
        rigs = {
            name: with_prefix(getattr(session, name), self.settings.frame_prefix)
            for name in ("rig_nominal", "rig_true")
        }
        session = replace(session, **rigs)
        self._model_id = model_id(session.keypoint_set)
        self._publish_definitions(session)
        listeners = list(self._rig.keypoints.values())
        wait_for_subscribers(self, listeners, self.settings.wait_for_subscribers_s, self._stopping)
        self.get_logger().info(f"walking for {session.period_ns * 1e-9:.1f} s before {len(listeners)} cameras")
        self._start_ns = start_ns = self.get_clock().now().nanoseconds
        frames = self.settings.passes * len(session.stamps_ns)
        indices = itertools.count() if frames == 0 else range(frames)
        yield from in_order(session, lambda index: self._of_frame(session, index, start_ns), indices, start_ns)

    def _of_frame(self, session: SimulatedSession, index: int, start_ns: int) -> Iterator[tuple[int, Departure]]:
        """(when, what) of the truth and of the cameras; and a tick: time goes on when all is silent."""
        due_ns = round(index / self.settings.fps * 1e9)
        yield start_ns + due_ns, Departure(due_ns, None, b"")
        for departure in itertools.chain(self._truth(session, index, start_ns), self._sent(session, index, start_ns)):
            yield start_ns + departure.due_ns, departure

    def _truth(self, session: SimulatedSession, index: int, start_ns: int) -> Iterator[Departure]:
        """Of frame `index`: the cameras where they have moved, the body, its steps until the next frame."""
        lap, row = divmod(index, len(session.stamps_ns))
        lap_start_ns = start_ns + lap * session.period_ns
        body = true_body(session, row, lap_start_ns)
        time_s = index / self.settings.fps
        cameras = fitted_cameras(true_rig_at(session, self._faults, time_s), body.stamp_ns)
        if not np.array_equal(cameras.poses, self._shown_poses):
            self._shown_poses = cameras.poses
            yield Departure(body.stamp_ns - start_ns, self._cameras, cameras_to_message(TYPES, cameras))
        if not person_is_there(self._faults, time_s):
            return
        if self._body.get_subscription_count():  # it is large
            yield Departure(body.stamp_ns - start_ns, self._body, partial(self._body_message, body))
        for step in true_steps(session, lap_start_ns):
            if body.stamp_ns <= step.stamp_ns < body.stamp_ns + 1e9 / self.settings.fps:
                yield Departure(step.stamp_ns - start_ns, self._events, step_to_message(TYPES, step))

    def _sent(self, session: SimulatedSession, index: int, start_ns: int) -> Iterator[Departure]:
        """What the cameras send of frame `index`."""
        for sent in sent_frames(session, self._faults, index, start_ns):
            message = partial(self._frame_message, session, sent)
            yield Departure(sent.frame.arrival_ns - start_ns, self._rig.keypoints[sent.frame.camera], message)

    def _body_message(self, body: BodyEstimate) -> Any:
        return body_to_message(TYPES, body, model_id=self._model_id)

    def _frame_message(self, session: SimulatedSession, sent: Sent) -> Any:
        frame_id = session.rig_nominal.cameras[sent.frame.camera].frame_id
        return keypoint_frame_to_message(TYPES, sent.frame, sent.keypoint_set, frame_id)

    def _publish_definitions(self, session: SimulatedSession) -> None:
        """What is latched: the nominal rig for the estimator, the true rig and subject for the judge."""
        stamp_ns = self.get_clock().now().nanoseconds
        self._rig.publish_rig(session.rig_nominal, stamp_ns)
        cameras = fitted_cameras(session.rig_true, stamp_ns)
        self._shown_poses = cameras.poses
        self._cameras.publish(cameras_to_message(TYPES, cameras))
        texts = definition_texts(session.keypoint_set, subject=session.subject)
        for name, publisher in self._definitions.items():
            publisher.publish(string_to_message(TYPES, texts[name]))

    def _done(self, problem: str) -> None:
        if problem:
            self.get_logger().error(problem)
            self.exit_code = 1
        elif not self._stopping.is_set():
            self.get_logger().info(f"sent {self._timetable.sent} messages, {self._timetable.late} of them late")
            # Let the middleware deliver the last ones before the process ends.
            self._stopping.wait(0.5)
        self.finished = True


def main() -> None:
    run(RigSimulator)


if __name__ == "__main__":
    main()
