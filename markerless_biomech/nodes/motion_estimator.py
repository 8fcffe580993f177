"""The live estimator as a lifecycle node: keypoints in, joint states out. Callbacks decode and enqueue, nothing else.

configure loads subject and keypoint set and starts the worker thread, which compiles; activate subscribes, keypoints as
soon as the programs are compiled. With `autostart` the node does both by itself.
"""

from __future__ import annotations

import gc
import os
import time
from functools import partial
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from ..cameras.rig import Rig, rig_text
from ..capture import Capture
from ..devices import enable_compile_cache
from ..errors import InputError
from ..gait.step_watch import StepNews
from ..keypoints import KeypointSet, load_keypoint_set
from ..recording.bag_types import PACKAGE
from ..recording.messages import keypoint_frame_from_message
from ..settings import EstimatorSettings
from . import quality
from .approximate import ApproximateFrameSets
from .camera_reports import CameraReports
from .configured import load_configured_rig, load_configured_subject
from .health import Health
from .mismatch import Wanted, unheard
from .parameters import accept_changes, declare_settings, read_settings
from .publishing import ResultPublisher
from .rig_listener import RigListener
from .rig_watch import RigWatch, rig_check_request
from .ros_types import TYPES
from .running import run
from .subject_in_use import SubjectInUse
from .worker import FitWorker, Outcome, State

SECOND = 1.0
HOUSEKEEPING_S = 0.1


class MotionEstimatorNode(LifecycleNode):
    """Subscribes keypoints, CameraInfo and /tf_static; publishes what `publishing.py` lists."""

    def __init__(self, **options: Any) -> None:
        super().__init__("motion_estimator", **options)
        self.settings = declare_settings(self, EstimatorSettings)
        self._subject = SubjectInUse(self)
        accept_changes(self, EstimatorSettings, self._subject.change)
        # made in configure, gone after cleanup
        self.worker: FitWorker | None = None
        self._publisher: ResultPublisher | None = None
        self._keypoint_set: KeypointSet | None = None
        # made in activate, gone after deactivate
        self._active = False
        self._rig_listener: RigListener | None = None
        self._last_listener: RigListener | None = None
        self._keypoint_subscriptions: list[Any] = []
        self._reacquire: Any = None
        self._sizes: dict[str, tuple[int, int]] = {}
        self._rig_text = ""
        """The rig that was published last as the lab gave it: said again, it is no news."""
        self._health = Health(self)
        self._rig_watch = RigWatch(self.get_logger())
        self._cameras = CameraReports(self, self._health)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._autostart_pending = self.settings.autostart
        self.create_timer(HOUSEKEEPING_S, self._keep_house, clock=steady)
        self.create_timer(SECOND, self._report_health, clock=steady)

    # ---------------------------------------------------------------- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load what the parameters name and start compiling; FAILURE with one sentence when they are wrong."""
        try:
            self._configure()
        except InputError as error:
            self._health.failed_to_configure(str(error))
            self._release()
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def _configure(self) -> None:
        settings = self.settings = read_settings(self, EstimatorSettings)
        _choose_memory(settings)
        enable_compile_cache()
        self._keypoint_set = load_keypoint_set(settings.keypoint_set)
        subject = load_configured_subject(settings, self._keypoint_set)
        if not settings.cameras:
            raise InputError("parameter cameras is empty; give the names of the cameras, such as [cam0, cam1]")
        rig = load_configured_rig(settings) if settings.rig_file else None
        capture = Capture(settings, self._keypoint_set, subject)
        if settings.sync == "approximate":
            offsets_s = dict(zip(settings.cameras, settings.camera_time_offsets_s, strict=False))
            capture.assembler = ApproximateFrameSets(  # pyright: ignore[reportAttributeAccessIssue]  # same interface
                settings.cameras, settings.frame_set_tolerance_s, offsets_s
            )
        self._publisher = ResultPublisher(self, settings, self._keypoint_set, subject)
        self._rig_text = ""
        self.worker = FitWorker(capture, self._publish, self._publish_steps, self._health.report)
        self._subject.configured(settings, self._keypoint_set, self.worker, self._publisher)
        if rig is not None:
            self._take_rig(rig, ours=True)
        self._health.configured(settings, self.worker)
        self.worker.start()
        self.get_logger().info(f"compiling for {len(settings.cameras)} cameras x {len(self._keypoint_set)} keypoints")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        self._active = self._subject.active = True
        if not self.settings.rig_file:
            self._rig_listener = RigListener(
                self, self.settings.cameras, self.settings.world_frame, self._health.refuse, self._last_listener
            )
        self._reacquire = self.create_service(Trigger, "~/reacquire", self._handle_reacquire)
        assert self.worker is not None and self._publisher is not None
        assert self._keypoint_set is not None
        self._cameras.activate(self.settings, self.worker, self._publisher, self._keypoint_set)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; what the worker has is still published."""
        self._unsubscribe()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the worker and forget what was configured."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleanup, from any state."""
        self._release()
        return super().on_shutdown(state)

    def close(self) -> None:
        """End the worker before the process does."""
        self._release()

    def _unsubscribe(self) -> None:
        self._active = False
        self._subject.deactivate()
        self._rig_watch.stop()
        self._cameras.deactivate()
        for subscription in self._keypoint_subscriptions:
            self.destroy_subscription(subscription)
        self._keypoint_subscriptions = []
        if self._rig_listener is not None:
            self._rig_listener.close()
            self._last_listener, self._rig_listener = self._rig_listener, None
        if self._reacquire is not None:
            self.destroy_service(self._reacquire)
            self._reacquire = None

    def _release(self) -> None:
        self._unsubscribe()
        if self.worker is not None:
            self.worker.stop()
            self.worker = None
            self._health.released()
            self._subject.released()
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None
        # The worker took what compiling left out of the collector's sight.
        gc.unfreeze()
        gc.collect()

    # ---------------------------------------------------------------- what callbacks do

    def _take_keypoints(self, camera: str, message: Any, info: Any) -> None:
        """Decode and enqueue."""
        worker, keypoint_set = self.worker, self._keypoint_set
        if worker is None or keypoint_set is None:
            return
        arrival_ns = steady_from_system_ns(info["received_timestamp"])
        size_px = self._sizes.get(camera, (0, 0))
        try:
            frame = keypoint_frame_from_message(camera, message, arrival_ns, keypoint_set, size_px)
            worker.push(frame)
            self._rig_watch.note(frame)
        except InputError as error:
            self._health.refuse(str(error))

    def _handle_reacquire(self, _request: Any, response: Any) -> Any:
        assert self.worker is not None
        self.worker.exchange(lambda capture: capture.estimator.reacquire())
        response.success, response.message = True, "the next frame set starts cold"
        return response

    # ---------------------------------------------------------------- now and then

    def _keep_house(self) -> None:
        """Bring the node up step by step, and take in what came of the rig."""
        if self._autostart_pending:
            self._autostart_pending = False
            if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                self.trigger_activate()
        if self._active and self.worker is not None:
            if not self._keypoint_subscriptions and self.worker.state is State.READY:
                self._subscribe_keypoints()
            rig = self._rig_listener.take_rig() if self._rig_listener is not None else None
            if rig is not None:
                self._take_rig(rig, ours=False)
            self._subject.calibration.keep_house()
            self._rig_watch.keep_house()
            self._cameras.keep_house()

    def _subscribe_keypoints(self) -> None:
        assert self.worker is not None
        self.get_logger().info(f"compiled in {self.worker.compile_s:.1f} s; listening")
        patient = self.settings.replay_mode
        self._keypoint_subscriptions = [
            self.create_subscription(
                TYPES.Keypoints2D,
                f"{camera}/keypoints",
                # rclpy gives the message's info to callbacks that take two arguments; its annotation knows of one.
                partial(self._take_keypoints, camera),  # pyright: ignore[reportArgumentType]
                quality.EVERY_KEYPOINT if patient else quality.KEYPOINTS,
                event_callbacks=None if patient else quality.NO_EVENTS,
            )
            for camera in self.settings.cameras
        ]

    def _take_rig(self, rig: Rig, ours: bool) -> None:
        assert self.worker is not None and self._publisher is not None
        self._sizes = {name: (camera.width, camera.height) for name, camera in rig.cameras.items()}
        self.worker.exchange(lambda capture: capture.estimator.set_rig(rig))
        if rig_text(rig) != self._rig_text:
            self._rig_text = rig_text(rig)
            self._publisher.take_rig(rig, ours)
        if self.settings.check_rig and self._keypoint_set is not None:
            self._rig_watch.begin(rig_check_request(self.settings, rig, self._keypoint_set))

    def _report_health(self) -> None:
        missing = self._rig_listener.missing() if self._rig_listener is not None else []
        if self._active:
            self._health.cannot_hear(unheard(self, self._wanted()))
        in_words = {
            "subject": self._subject.status(),
            "rig check": self._rig_watch.status(),
            "rig refinement": self._cameras.status(),
        }
        self._health.publish(self._active, missing, in_words)

    def _wanted(self) -> list[Wanted]:
        """What must reach us."""
        patient, kind = self.settings.replay_mode, f"{PACKAGE}/msg/Keypoints2D"
        profile = quality.EVERY_KEYPOINT if patient else quality.KEYPOINTS
        wanted = [Wanted(f"{camera}/keypoints", kind, profile) for camera in self.settings.cameras]
        if self._rig_listener is not None:
            wanted.append(Wanted("/tf_static", "tf2_msgs/msg/TFMessage", quality.STATIC_TRANSFORMS))
        return wanted

    def _publish(self, outcome: Outcome) -> None:
        """Called by the worker thread."""
        worker, publisher = self.worker, self._publisher
        if worker is None or publisher is None:
            return
        estimator = worker.capture.estimator
        published_s = publisher.publish(outcome, estimator.calibration_version, self._health.dropped)
        self._health.note(outcome, published_s)
        self._subject.calibration.note(outcome, estimator.rig)
        self._cameras.note(outcome)

    def _publish_steps(self, news: StepNews) -> None:
        """Called by the worker thread."""
        if self._publisher is not None:
            self._publisher.publish_steps(news)
            self._health.note_steps(news)


def steady_from_system_ns(system_ns: int) -> int:
    """A reading of the system clock just now (the middleware stamps messages with it) as one of the steady clock."""
    now_ns = time.monotonic_ns()
    return now_ns if system_ns <= 0 else min(now_ns, system_ns + now_ns - time.time_ns())


def _choose_memory(settings: EstimatorSettings) -> None:
    """JAX reads this once, when it first uses a GPU; by itself it takes three quarters of the GPU's memory."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{settings.gpu_memory_fraction:.2f}")


def main() -> None:
    run(MotionEstimatorNode)


if __name__ == "__main__":
    main()
