"""The live system over DDS, kept running while one fault after the other is switched on and off in its simulator.

Everything is judged in stamp time, by what was sent and what came back: a slow machine is waited for, and what holds
only where the fit keeps up with the cameras is asked for only then (`Verdict.kept_up`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from live_fault_table import Verdict
from live_judgement import disorder, stalest_s
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient

from markerless_biomech.nodes import quality
from markerless_biomech.nodes.header_stamp import stamp_of
from markerless_biomech.nodes.monitor import Monitor
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.nodes.ros_types import TYPES
from markerless_biomech.recording.message_types import stamp_from_message
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.faults import parse_fault
from markerless_biomech.simulation.virtual_rig import seamless, simulate

PATIENCE_S = 120.0
"""Nothing is asserted about speed; this only ends a wait that would be for ever."""
ON_S, WELL_WITHIN_S, JUDGED_S = 1.5, 2.0, 1.0
"""A fault lasts at least so long; it is over so long after its end; from then on results are judged for so long."""
OLDEST_S = 0.3
"""Deadline of a frame set (0.05 s), a frame (0.03 s), and how differently two processes are told of a message."""
WORDS_OF_TROUBLE = ("Traceback", "the fit failed", "the worker failed", "failed (")
SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Live:
    """A live result as heard."""

    stamp_ns: int
    tracking: int
    position: np.ndarray


class LiveSystem:
    """Simulator, estimator and a listener. A context manager."""

    def __init__(self, logs: Path, domain: dict[str, str], settings: SimulationSettings, joints: list[int]) -> None:
        """`settings` of a walk on a treadmill; `joints`: those that the keypoint set determines."""
        self.names = [f"cam{index}" for index in range(settings.cameras)]
        self._settings, self._joints = settings, joints
        self.period_ns = simulate(seamless(settings)).period_ns
        self._processes = Processes(logs, domain)
        self._monitor = Monitor(domain)
        self._client = AsyncParameterClient(self._monitor.node, "rig_simulator")
        # filled by the listener's thread
        self.truth: list[tuple[int, np.ndarray]] = []
        self.live: list[Live] = []
        self.heard: list[tuple[float, str, int]] = []
        """(when by the steady clock in s, camera, stamp in ns) of every keypoint message."""
        self.diagnostics: list[tuple[int, dict[str, str]]] = []
        """(time of the recording in ns, words by line)"""
        self.nobody = False
        """Nobody is in view, so that there is no truth."""
        self._judged = True
        self._first_ns = 0
        self._usual: np.ndarray = np.zeros(0)
        """Mean square error of the joints without a fault, by frame of the walk."""

    def start(self, first_fault: str, judged: bool = True, queue_frame_sets: int = 8) -> None:
        """Start all, with a fault from the beginning; wait until the subject is tracked.

        Not `judged`: truth, bodies and keypoints go unheard, which leaves the machine to the fit.
        `queue_frame_sets`: so many wait before frames are dropped; few, so that a machine that is too slow shows.
        """
        self._judged, node = judged, self._monitor.node
        topics = [("DiagnosticArray", "/diagnostics", self._take_diagnostics)]
        if judged:
            topics += [
                ("BodyState", "truth/body_state", self._take_truth),
                ("BodyState", "body_state", self._take_live),
            ]
        for kind, topic, take in topics:
            node.create_subscription(getattr(TYPES, kind), topic, take, quality.EVERY_RESULT)
        for name in self.names if judged else ():
            node.create_subscription(
                TYPES.Keypoints2D, f"{name}/keypoints", self._hear(name), quality.KEYPOINTS, raw=True
            )
        s = self._settings
        queue_frames = queue_frame_sets * s.cameras
        estimator = {"cameras": self.names, "keypoint_set": s.keypoint_set, "queue_frames": queue_frames}
        walk = {"cameras": s.cameras, "fps": s.fps, "seconds": s.seconds, "keypoint_set": s.keypoint_set}
        self._processes.start("motion_estimator", estimator)
        self._processes.start("rig_simulator", {**walk, "path": s.path, "faults": [first_fault]})
        self.wait_for(
            lambda: any(one.tracking == 0 for one in self.live) if judged else bool(self._monitor.ages_ms),
            "a tracked subject",
        )

    # ------------------------------------------------------------------ what is heard

    def _take_truth(self, message: Any) -> None:
        self.truth.append((stamp_from_message(message.header.stamp), np.asarray(message.position)))

    def _take_live(self, message: Any) -> None:
        stamp_ns = stamp_from_message(message.header.stamp)
        self.live.append(Live(stamp_ns, message.tracking, np.asarray(message.position)))

    def _take_diagnostics(self, message: Any) -> None:
        self.diagnostics.append((self.now_ns, {s.name.split(": ", 1)[-1]: s.message for s in message.status}))

    def words(self, line: str) -> str:
        """What the newest diagnostics say under that name."""
        return self.diagnostics[-1][1].get(line, "") if self.diagnostics else ""

    def publisher(self, kind: str, topic: str) -> Any:
        """Of the listener, to say what no camera would."""
        return self._monitor.node.create_publisher(getattr(TYPES, kind), topic, quality.KEYPOINTS_OFFERED)

    @property
    def reports(self) -> list[Any]:
        """Fit reports as heard."""
        return self._monitor.reports

    @property
    def estimator_pid(self) -> int:
        return self._processes.pid("motion_estimator")

    def dropped(self) -> dict[str, int]:
        """Camera frames and messages since the start, by cause."""
        last = self.reports[-1]
        return dict(zip(last.dropped_causes, map(int, last.dropped_counts), strict=True))

    def forget(self, keep: int) -> None:
        """Of all that was heard keep so many of each: an hour of it is long."""
        for heard in (
            self.truth,
            self.live,
            self.heard,
            self.diagnostics,
            self._monitor.reports,
            self._monitor.ages_ms,
        ):
            del heard[:-keep]

    def is_well(self) -> bool:
        """The last second's results are as good as without a fault."""
        return self._is_well(self.now_ns - SECOND_NS, self.now_ns)

    def _hear(self, camera: str) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            if len(data) > 40 and data[1] == 1:  # a little-endian message, not what a test sends as garbage
                self.heard.append((time.monotonic(), camera, stamp_of(data)))

        return take

    @property
    def now_ns(self) -> int:
        """Time of the recording: the simulator's truth, or the first camera's word while nobody is in view. Where the
        truth goes unheard, this machine's, which the simulator's is."""
        if not self._judged:
            return time.time_ns()
        truth_ns = self.truth[-1][0] if self.truth else 0
        own_ns = next((stamp_ns for _, camera, stamp_ns in reversed(self.heard[-100:]) if camera == "cam0"), 0)
        return max(truth_ns, own_ns) if self.nobody else truth_ns

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until it holds; the processes must stay alive."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self._processes.check()
            assert all(map(self._processes.running, ("motion_estimator", "rig_simulator"))), "a process has ended"
            assert time.monotonic() < deadline, (
                f"waited in vain for {what}; {self._processes.last_words('motion_estimator')}"
            )
            time.sleep(0.02)

    def wait_until(self, time_ns: int) -> None:
        """Until that time of the recording."""
        self.wait_for(lambda: self.now_ns >= time_ns, "the recording to go on")

    # ------------------------------------------------------------------ faults

    def set_faults(self, *texts: str) -> int:
        """Other faults from now on; the time of the recording by which they count."""
        self.wait_for(self._client.services_are_ready, "the simulator's services")
        answer = self._client.set_parameters([Parameter("faults", Parameter.Type.STRING_ARRAY, list(texts) or [""])])
        self.wait_for(answer.done, "the simulator's answer")
        result = answer.result().results[0]
        assert result.successful, result.reason
        return self.now_ns

    def learn(self) -> None:
        """What the joints' error is without a fault, frame by frame of one round of the walk."""
        self._first_ns, start_ns = self.truth[0][0], self.now_ns
        self.wait_until(start_ns + self.period_ns + 2 * SECOND_NS)
        errors = self._errors(start_ns + SECOND_NS, self.now_ns)
        self._usual = np.full(round(self.period_ns * 1e-9 * self._settings.fps) + 1, np.nan)
        for stamp_ns, square in errors:
            self._usual[self._row(stamp_ns)] = square

    def try_fault(self, text: str, pattern: str, lag_s: float = 0.0) -> Verdict:
        """Switch it on until it is named, off again, and judge. `pattern`: what names it; '': nothing need."""
        verdict, seen = Verdict(text), len(self.live)
        fault = parse_fault(text, self.names)
        self.nobody = fault.kind == "person-leaves"
        marks = (len(self.heard), len(self.diagnostics), len(self._monitor.reports))
        start_ns = self.set_faults(text)
        self.wait_until(start_ns + round(ON_S * SECOND_NS))
        if pattern:
            self.wait_for(lambda: bool(self._named(pattern, marks)), f"a word on {text}")
            named_ns, verdict.said = self._named(pattern, marks)[0]
            verdict.named_s = max(0.0, (named_ns - start_ns) * 1e-9)
        end_ns = self.set_faults()
        self.wait_until(end_ns + round((WELL_WITHIN_S + JUDGED_S) * SECOND_NS))
        self.nobody = False
        self.wait_for(self.is_well, f"good results after {text}")
        if pattern:
            self.wait_for(lambda: not self._still_said(pattern), f"{text} to be over in diagnostics")
        self._judge(verdict, fault, end_ns, marks, seen, lag_s)
        return verdict

    def _named(self, pattern: str, marks: tuple[int, int, int]) -> list[tuple[int, str]]:
        """(when, sentence) in diagnostics since then."""
        return [
            (when_ns, f"{line}: {words}")
            for when_ns, lines in self.diagnostics[marks[1] :]
            for line, words in lines.items()
            if re.search(pattern, f"{line}: {words}")
        ]

    def _still_said(self, pattern: str) -> bool:
        return any(re.search(pattern, f"{line}: {words}") for line, words in self.diagnostics[-1][1].items())

    # ------------------------------------------------------------------ judgement

    def _errors(self, start_ns: int, end_ns: int) -> list[tuple[int, float]]:
        """(stamp, mean square of the joints' errors in rad^2) of the live results with stamps in between."""
        truth = self.truth[-4000:]
        stamps_ns = np.array([stamp_ns for stamp_ns, _ in truth])
        found = []
        for one in self.live[-4000:]:
            if one.tracking != 0 or not start_ns <= one.stamp_ns < end_ns or one.stamp_ns >= stamps_ns[-1]:
                continue
            row = max(1, int(np.searchsorted(stamps_ns, one.stamp_ns)))
            share = (one.stamp_ns - stamps_ns[row - 1]) / (stamps_ns[row] - stamps_ns[row - 1])
            true = (1 - share) * truth[row - 1][1] + share * truth[row][1]
            found.append((one.stamp_ns, float(np.mean((one.position - true)[self._joints] ** 2))))
        return found

    def _row(self, stamp_ns: int) -> int:
        """Frame of the walk."""
        elapsed_ns = (stamp_ns - self._first_ns) % self.period_ns
        return round(elapsed_ns * 1e-9 * self._settings.fps)

    def _compared(self, start_ns: int, end_ns: int) -> tuple[float, float]:
        """RMS error in degrees (usual, now) over the same frames of the walk; NaN without results."""
        rows = [(square, self._usual[self._row(stamp_ns)]) for stamp_ns, square in self._errors(start_ns, end_ns)]
        known = np.array([pair for pair in rows if np.isfinite(pair[1])])
        if not len(known):
            return float("nan"), float("nan")
        now, usual = np.degrees(np.sqrt(known.mean(axis=0)))
        return float(usual), float(now)

    def _is_well(self, start_ns: int, end_ns: int) -> bool:
        """Tracked, and at most a fifth worse than usual (and 0.3 degrees: frames that a busy machine leaves out)."""
        states = [one for one in self.live if start_ns <= one.stamp_ns < end_ns]
        usual_deg, now_deg = self._compared(start_ns, end_ns)
        return bool(states) and all(one.tracking == 0 for one in states) and now_deg < 1.2 * usual_deg + 0.3

    def _judge(
        self, verdict: Verdict, fault: Any, end_ns: int, marks: tuple[int, int, int], seen: int, lag_s: float
    ) -> None:
        last_ns = end_ns + round((WELL_WITHIN_S + JUDGED_S) * SECOND_NS)
        verdict.before_deg, verdict.after_deg = self._compared(last_ns - round(JUDGED_S * SECOND_NS), last_ns)
        half_ns = SECOND_NS // 2
        bad = [t for t in range(end_ns, last_ns - half_ns, half_ns // 5) if not self._is_well(t, t + half_ns)]
        verdict.well_s = (bad[-1] + half_ns - end_ns) * 1e-9 if bad else 0.0
        reports = self._monitor.reports[marks[2] :]
        waits_s = [r.published_s - r.received_last_s for r in reports if r.published_s]
        expected = (last_ns - end_ns) * 1e-9 * self._settings.fps
        came = sum(end_ns <= one.stamp_ns < last_ns for one in self.live)
        verdict.kept_up = came > 0.9 * expected and max(waits_s, default=0.0) < 0.2
        verdict.stale_s = stalest_s(reports, self.heard[marks[0] :], fault, self.names)
        if verdict.stale_s > OLDEST_S + lag_s:
            verdict.wrong.append(f"a result was {verdict.stale_s:.2f} s older than keypoints that had come with it")
        verdict.wrong += disorder([one.stamp_ns for one in self.live[seen:]], reports)
        for name in ("motion_estimator", "rig_simulator"):
            log = (self._processes.logs / f"{name}.log").read_text(errors="replace")
            verdict.wrong += [f"{name} said: {words}" for words in WORDS_OF_TROUBLE if words in log]

    def __enter__(self) -> LiveSystem:
        self._processes.__enter__()
        self._monitor.__enter__()
        return self

    def __exit__(self, *given: Any) -> None:
        self._processes.__exit__(*given)
        self._monitor.__exit__(*given)
