"""The thread that assembles, fits and publishes; callbacks only hand it frames and exchanges of subject or rig."""

from __future__ import annotations

import gc
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ..cameras.frame_sets import FrameSet
from ..capture import Capture
from ..estimator import longest_gap_s
from ..gait.step_watch import StepNews
from ..keypoints import KeypointFrame
from ..results import MotionEstimate

LIVE_AT_LEAST_S = 0.05
"""While frame sets wait, only the newest has a live result, but never longer than this without one."""
IDLE_S = 0.05
"""How often the worker looks for silence when nothing comes."""


class State(Enum):
    """What the worker is doing, in the words of diagnostics."""

    COMPILING = "compiling"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Outcome:
    """One frame set's estimate and when its fit ran (steady clock, ns)."""

    frame_set: FrameSet
    estimate: MotionEstimate
    assembled_ns: int
    solve_start_ns: int
    solve_end_ns: int
    newest: bool
    """False: a later frame set was complete already, so that the live result is old news and not published."""


class FitWorker:
    """Owns a Capture from `start` to `stop`."""

    def __init__(
        self,
        capture: Capture,
        publish: Callable[[Outcome], None],
        publish_steps: Callable[[StepNews], None],
        report: Callable[[str], None],
    ) -> None:
        # read-only after construction
        self._publish = publish
        self._publish_steps = publish_steps
        self._report = report
        self._capacity = capture.estimator.settings.queue_frames
        self._most_sets = max(1, self._capacity // len(capture.estimator.camera_names))
        self._patient = capture.estimator.settings.replay_mode
        self._silence_ns = round(longest_gap_s(capture.estimator.settings) * 1e9)
        # shared: guarded by the condition
        self._condition = threading.Condition()
        self._frames: deque[KeypointFrame] = deque()
        self._exchanges: deque[Callable[[Capture], None]] = deque()
        self._stopping = False
        self.queue_overflows = 0
        self.without_rig = 0
        """Camera frames that came before any camera was known."""
        # written by the worker thread, read by others
        self.state = State.COMPILING
        self.problem = ""
        self.compile_s = 0.0
        self.capture = capture
        # owned by the worker thread
        self._frame_sets: deque[tuple[FrameSet, int]] = deque()
        """Each with when it was complete (steady clock, ns)."""
        self._last_fit_ns = 0
        self._last_live_ns = 0
        self._last_stamp_ns = 0
        self._thread = threading.Thread(target=self._run, name="fit", daemon=True)

    def start(self) -> None:
        """Compile, then work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the fit in progress. A compilation in progress is left behind; its thread ends with the process."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join(timeout=None if self.state is State.READY else 0.1)

    def push(self, frame: KeypointFrame) -> None:
        """Hand over a camera's frame; dropped and counted when too many wait (in replay mode the caller waits)."""
        with self._condition:
            if self._patient:
                self._condition.wait_for(lambda: len(self._frames) < self._capacity or self._stopping)
            if len(self._frames) >= self._capacity:
                self.queue_overflows += 1
                return
            self._frames.append(frame)
            self._condition.notify_all()

    def exchange(self, change: Callable[[Capture], None]) -> None:
        """Have `change` done between two frame sets."""
        with self._condition:
            self._exchanges.append(change)
            self._condition.notify_all()

    def _run(self) -> None:
        start = time.monotonic()
        try:
            self.capture.compile()
        except Exception as error:  # whatever it is, diagnostics must say it
            self.problem, self.state = f"compiling failed: {error}", State.FAILED
            self._report(self.problem)
            return
        # What compiling left behind stays; to look through it again and again would hold up the fit for 0.1 s each.
        gc.collect()
        gc.freeze()
        self.compile_s = time.monotonic() - start
        self.state = State.READY
        while not self._stopping:
            try:
                self._work()
            except Exception as error:  # whatever it is, the next frame set must be served
                self._report(f"the worker failed ({type(error).__name__}: {error}); starting anew")
                self.capture.estimator.reset()
        self._end()
        self.state = State.STOPPED

    def _end(self) -> None:
        """Before the end: what is open is fitted, what waits is settled, and the track is said to be over."""
        self._enqueue(self.capture.assembler.flush())
        while self._frame_sets and self._has_rig():
            frame_set, assembled_ns = self._frame_sets.popleft()
            self._fit(frame_set, assembled_ns, newest=self._patient or not self._frame_sets)
        if not self.capture.estimator.lost_is_said:
            self._lose(self._last_stamp_ns, "the estimator was stopped", at_the_end=True)

    def _has_rig(self) -> bool:
        """Whether frame sets can be fitted: a rig is known; in replay mode, where nothing may be lost, all of it."""
        rig = self.capture.estimator.rig
        return rig is not None and (not self._patient or set(self.capture.estimator.camera_names) <= set(rig.cameras))

    def _work(self) -> None:
        """Wait for something to do; take in what has come, then fit the oldest frame set that waits."""
        frames, exchanges, now_ns = self._wait()
        for change in exchanges:
            change(self.capture)
        assembler = self.capture.assembler
        for frame in frames:
            self._enqueue(assembler.push(frame))
        self._enqueue(assembler.poll(now_ns))
        if self._frame_sets and self._has_rig():
            frame_set, assembled_ns = self._frame_sets.popleft()
            overdue = time.monotonic_ns() - self._last_live_ns > LIVE_AT_LEAST_S * 1e9
            self._fit(frame_set, assembled_ns, newest=self._patient or overdue or not self._frame_sets)
        self._notice_silence()

    def _enqueue(self, frame_sets: list[FrameSet]) -> None:
        """Frame sets wait for the fit; those that find the queue full are dropped whole and counted."""
        for frame_set in frame_sets:
            if not self._patient and not self._has_rig():
                self.without_rig += len(frame_set.frames)
            elif len(self._frame_sets) < self._most_sets or self._patient:
                self._frame_sets.append((frame_set, time.monotonic_ns()))
            else:
                self.queue_overflows += len(frame_set.frames)

    def _wait(self) -> tuple[list[KeypointFrame], list[Callable[[Capture], None]], int]:
        """All that has come and until when (steady clock, ns); at the latest when a frame set's deadline has passed."""
        deadline_ns = self.capture.next_deadline_ns()
        wait_s = IDLE_S if deadline_ns is None else min(IDLE_S, (deadline_ns - time.monotonic_ns()) * 1e-9)
        with self._condition:
            ready = self._frame_sets and self._has_rig()
            if not (self._frames or self._exchanges or self._stopping or ready) and wait_s > 0:
                self._condition.wait(wait_s)
            frames, exchanges = list(self._frames), list(self._exchanges)
            self._frames.clear()
            self._exchanges.clear()
            self._condition.notify_all()
            # What comes during an exchange has come in time, though it is looked at later.
            now_ns = time.monotonic_ns()
        return frames, exchanges, now_ns

    def _fit(self, frame_set: FrameSet, assembled_ns: int, newest: bool) -> None:
        start_ns = time.monotonic_ns()
        try:
            estimate = self.capture.estimate(frame_set)
        except Exception as error:  # a failed fit is a result with a reason, and the node goes on
            reason = f"the fit failed ({type(error).__name__}: {error})"
            self._report(f"{reason}; starting anew")
            estimate = self.capture.estimator.lose(frame_set.stamp_ns, reason)
        end_ns = time.monotonic_ns()
        self._last_fit_ns, self._last_stamp_ns = end_ns, frame_set.stamp_ns
        if newest:
            self._last_live_ns = end_ns
        self._publish(Outcome(frame_set, estimate, assembled_ns, start_ns, end_ns, newest))
        self._follow_steps(estimate)
        self.capture.estimator.look_after_cameras()

    def _notice_silence(self) -> None:
        """No frame set for longer than the state may be predicted: say LOST once."""
        estimator = self.capture.estimator
        now_ns = time.monotonic_ns()
        if self._patient or estimator.lost_is_said or now_ns - self._last_fit_ns < self._silence_ns:
            return
        # Just after the last frame set: should one be on its way, it is not older than this.
        self._lose(self._last_stamp_ns + 1, f"no frame set for {(now_ns - self._last_fit_ns) * 1e-9:.1f} s")

    def _lose(self, stamp_ns: int, reason: str, at_the_end: bool = False) -> None:
        """End the track without a frame set, and say so; at the end of all, the last states tell of steps too."""
        now_ns = time.monotonic_ns()
        empty = FrameSet(stamp_ns, {}, "deadline", now_ns, now_ns)
        estimate = self.capture.estimator.lose(stamp_ns, reason)
        self._publish(Outcome(empty, estimate, now_ns, now_ns, now_ns, newest=True))
        self._follow_steps(estimate, at_the_end)

    def _follow_steps(self, estimate: MotionEstimate, at_the_end: bool = False) -> None:
        """After the pose is out: nobody waits as long for a step."""
        try:
            news = self.capture.last_steps(estimate.settled) if at_the_end else self.capture.steps(estimate)
        except Exception as error:  # steps are lost, the track is not
            self._report(f"looking for steps failed ({type(error).__name__}: {error}); starting the walk anew")
            news = self.capture.step_watch.abandon(self.capture.estimator.calibration_version)
        self._publish_steps(news)
