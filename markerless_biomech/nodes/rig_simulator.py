"""A virtual walker before a virtual rig, live: keypoints, CameraInfo, /tf_static, and the truth beside them.

The walk is made first, as `markerless-biomech simulate` makes it, then shown in real time, each camera's frames as late
as its latency says. Shown endlessly it is closed to whole laps, so that the person never jumps.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from rclpy.node import Node

from ..cameras.rig import Rig
from ..keypoints import KeypointFrame
from ..recording.camera_health import fitted_cameras
from ..recording.definitions import definition_texts, model_id
from ..recording.message_types import string_to_message
from ..recording.messages import camera_to_message, keypoint_frame_to_message, transforms_to_message
from ..recording.result_messages import body_to_message, cameras_to_message
from ..recording.simulated_bag import true_body, true_steps
from ..recording.step_messages import step_to_message
from ..results import BodyEstimate
from ..simulation.virtual_rig import SimulatedSession, seamless, simulate
from . import quality
from .node_settings import RigSimulatorSettings
from .parameters import declare_settings
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
        names = [f"cam{index}" for index in range(settings.cameras)]
        self._keypoints = {
            name: self.create_publisher(TYPES.Keypoints2D, f"{name}/keypoints", quality.KEYPOINTS_OFFERED)
            for name in names
        }
        self._infos = {
            name: self.create_publisher(TYPES.CameraInfo, f"{name}/camera_info", quality.LATCHED) for name in names
        }
        self._static_transforms = self.create_publisher(TYPES.TFMessage, "/tf_static", quality.STATIC_TRANSFORMS)
        self._body = self.create_publisher(TYPES.BodyState, "truth/body_state", quality.RESULTS)
        self._events = self.create_publisher(TYPES.StepEvent, "truth/step_events", quality.RESULTS)
        self._cameras = self.create_publisher(TYPES.FittedCameras, "truth/fitted_cameras", quality.LATCHED)
        self._definitions = {
            name: self.create_publisher(TYPES.String, f"truth/definitions/{name}", quality.LATCHED)
            for name in ("model", "subject")
        }
        self._timetable = Timetable(self._departures(), self._done)
        self._timetable.start()

    def close(self) -> None:
        """Stop the show."""
        self._stopping.set()
        self._timetable.stop()

    def _departures(self) -> Iterator[Departure]:
        """Definitions at once, then frame by frame."""
        session = simulate(seamless(self.settings) if self.settings.passes == 0 else self.settings)
        self._model_id = model_id(session.keypoint_set)
        self._publish_definitions(session)
        listeners = list(self._keypoints.values())
        wait_for_subscribers(self, listeners, self.settings.wait_for_subscribers_s, self._stopping)
        self.get_logger().info(f"walking for {session.period_ns * 1e-9:.1f} s before {len(self._keypoints)} cameras")
        start_ns = self.get_clock().now().nanoseconds
        frames = len(session.stamps_ns)
        for index in itertools.count() if self.settings.passes == 0 else range(self.settings.passes * frames):
            yield from self._of_frame(session, index, start_ns)

    def _of_frame(self, session: SimulatedSession, index: int, start_ns: int) -> Iterator[Departure]:
        """The truth at its time, and what each camera's detector reports at its own."""
        lap, row = divmod(index, len(session.stamps_ns))
        lap_start_ns = start_ns + lap * session.period_ns
        body = true_body(session, row, lap_start_ns)
        yield Departure(body.stamp_ns - start_ns, self._body, partial(self._body_message, body))
        for step in true_steps(session, lap_start_ns):
            if body.stamp_ns <= step.stamp_ns < body.stamp_ns + 1e9 / self.settings.fps:
                yield Departure(step.stamp_ns - start_ns, self._events, step_to_message(TYPES, step))
        for frame in session.frame(index, start_ns):
            frame_message = partial(self._frame_message, session, frame)
            yield Departure(frame.arrival_ns - start_ns, self._keypoints[frame.camera], frame_message)

    def _body_message(self, body: BodyEstimate) -> Any:
        return body_to_message(TYPES, body, model_id=self._model_id)

    def _frame_message(self, session: SimulatedSession, frame: KeypointFrame) -> Any:
        frame_id = session.rig_nominal.cameras[frame.camera].frame_id
        return keypoint_frame_to_message(TYPES, frame, session.keypoint_set.name, frame_id)

    def _publish_definitions(self, session: SimulatedSession) -> None:
        """What is latched: the nominal rig for the estimator, the true rig and subject for the judge."""
        stamp_ns = self.get_clock().now().nanoseconds
        publish_rig(session.rig_nominal, stamp_ns, self._infos, self._static_transforms)
        self._cameras.publish(cameras_to_message(TYPES, fitted_cameras(session.rig_true, stamp_ns)))
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


def publish_rig(rig: Rig, stamp_ns: int, infos: dict[str, Any], static_transforms: Any) -> None:
    """CameraInfo by camera, and the cameras' poses on /tf_static."""
    for name, publisher in infos.items():
        publisher.publish(camera_to_message(TYPES, rig.cameras[name], stamp_ns))
    cameras = list(rig.cameras.values())
    static_transforms.publish(
        transforms_to_message(
            TYPES,
            stamp_ns,
            [rig.world_frame] * len(cameras),
            [camera.frame_id for camera in cameras],
            np.array([camera.position_m for camera in cameras]),
            np.array([camera.orientation_xyzw for camera in cameras]),
        )
    )


def main() -> None:
    run(RigSimulator)


if __name__ == "__main__":
    main()
