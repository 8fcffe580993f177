"""A laboratory for node tests: three virtual cameras that a test switches on and off, and ears on every result."""

import threading
import time
from collections import defaultdict

import rclpy
import rclpy.utilities
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from markerless_biomech.nodes import quality
from markerless_biomech.nodes.rig_publishers import RigPublishers
from markerless_biomech.nodes.ros_types import TYPES
from markerless_biomech.recording.messages import keypoint_frame_to_message
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.virtual_rig import simulate

CAMERAS = ("cam0", "cam1", "cam2")
KEYPOINT_SET = "coco_17"
PATIENCE_S = 120.0
"""Nothing is asserted about speed; this only ends a test that would wait for ever."""


def walking_session():
    """A short walk before three cameras, closed to whole laps."""
    return simulate(SimulationSettings(cameras=3, fps=50.0, seconds=4.0, keypoint_set=KEYPOINT_SET, path="treadmill"))


class Lab:
    """Publishes what a lab's cameras would; collects what the estimator answers. A context manager."""

    def __init__(self, session):
        self.session = session
        self.context = Context()
        rclpy.init(context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node("lab", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._added = []
        self.heard = defaultdict(list)
        self.silent = set()
        """Cameras that are switched off."""
        self.tamper = None
        """Changes each message before it is sent."""
        self._rig = RigPublishers(self.node, CAMERAS)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._spin, daemon=True)]
        self._threads[0].start()

    def add(self, node):
        """Spin another node of this context too, until the end."""
        self._added.append(node)
        self._executor.add_node(node)

    def listen(self, kind, topic, profile=quality.EVERY_RESULT):
        """Collect a topic's messages in `heard[topic]`."""
        self.node.create_subscription(getattr(TYPES, kind), topic, self.heard[topic].append, profile)

    def publish_cameras(self):
        """CameraInfo and /tf_static."""
        self._rig.publish_rig(self.session.rig_nominal, time.time_ns())

    def start_walking(self):
        """Send keypoints in real time from now on."""
        self._threads.append(threading.Thread(target=self._walk, daemon=True))
        self._threads[-1].start()

    def wait_for(self, condition, what):
        """Wait until `condition()` holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.02)

    def wait_for_new(self, topic, accept=lambda message: True, count=1):
        """The `count` next messages of a topic that are accepted."""
        start = len(self.heard[topic])
        found = []

        def enough():
            found[:] = [message for message in self.heard[topic][start:] if accept(message)]
            return len(found) >= count

        self.wait_for(enough, f"{count} messages of {topic}")
        return found[:count]

    def _walk(self):
        start_ns, index = time.time_ns(), 0
        while not self._stopping.is_set():
            for frame in self.session.frame(index, start_ns):
                self._stopping.wait(max(0.0, (frame.arrival_ns - time.time_ns()) * 1e-9))
                message = keypoint_frame_to_message(TYPES, frame, KEYPOINT_SET, f"{frame.camera}_optical")
                if self.tamper is not None:
                    message = self.tamper(frame.camera, message)
                if frame.camera not in self.silent and message is not None:
                    self._rig.keypoints[frame.camera].publish(message)
            index += 1

    def _spin(self):
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads[1:]:
            thread.join()
        rclpy.utilities.try_shutdown(context=self.context)
        self._threads[0].join()
        for node in (*self._added, self.node):
            node.destroy_node()
