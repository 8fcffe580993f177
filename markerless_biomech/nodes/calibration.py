"""Live calibration of the person in view: frame sets are collected while tracking goes on, a second process fits them.

The service's answer comes at once; the rest is told in words by diagnostics, and the new subject is handed to `use`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ..cameras.calibrated_camera import Rig
from ..cameras.frame_sets import FrameSet
from ..errors import InputError
from ..results import Tracking
from .calibration_messages import CalibratedSubject, CalibrationRequest, Progress, Refusal, Stretch
from .second_process import SecondProcess
from .worker import Outcome

PROCESS = "markerless_biomech.nodes.calibration_process"
PATIENCE = 10
"""Times calibration_s that collecting may take."""
LONGEST_GAP_S = 0.5
"""Frame sets further apart than this are not of one stretch."""
FEWEST_FRAME_SETS = 5
"""A shorter stretch is left out when there are longer ones."""
MOST_FRAME_SETS = 10_000
"""No more are collected, however long calibration_s is: they take memory."""


class Phase(Enum):
    """What a calibration is doing, in the words of diagnostics."""

    IDLE = "idle"
    COLLECTING = "collecting"
    FITTING = "fitting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class SubjectStatus:
    """What diagnostics say of the subject."""

    well: bool
    text: str
    values: dict[str, str] = field(default_factory=dict)


class Collection:
    """Frame sets of the tracked subject until they span `wanted_s`, by their stamps. Filled by the worker thread."""

    def __init__(self, wanted_s: float) -> None:
        # read-only after construction
        self.wanted_s = wanted_s
        # written by the worker thread, read by others
        self.collected_s = 0.0
        self.complete = False
        # owned by the worker thread until it is complete
        self._stretches: list[tuple[Rig, list[FrameSet]]] = []
        self._count = 0
        self._last_stamp_ns: int | None = None

    def add(self, outcome: Outcome, rig: Rig) -> None:
        """Take in a frame set; one in which the subject is LOST ends a stretch."""
        live, frame_set = outcome.estimate.live, outcome.frame_set
        if self.complete:
            return
        if live is None or live.tracking is Tracking.LOST:
            self._last_stamp_ns = None
            return
        hop_s = self._hop_s(frame_set, rig, outcome.estimate.reset)
        if hop_s is None:
            self._stretches.append((rig, []))
        elif live.tracking is Tracking.TRACKED:
            self.collected_s += hop_s
        self._stretches[-1][1].append(frame_set)
        self._last_stamp_ns = frame_set.stamp_ns
        self._count += 1
        self.complete = self.collected_s >= self.wanted_s or self._count >= MOST_FRAME_SETS

    def stretches(self) -> tuple[Stretch, ...]:
        """All that was collected."""
        every = [Stretch(rig, tuple(frame_sets)) for rig, frame_sets in self._stretches]
        long = [stretch for stretch in every if len(stretch.frame_sets) >= FEWEST_FRAME_SETS]
        return tuple(long or every)

    def _hop_s(self, frame_set: FrameSet, rig: Rig, reset: bool) -> float | None:
        """Since the frame set before; None: another stretch begins."""
        if self._last_stamp_ns is None or reset or rig is not self._stretches[-1][0]:
            return None
        hop_s = (frame_set.stamp_ns - self._last_stamp_ns) * 1e-9
        return hop_s if 0.0 < hop_s <= LONGEST_GAP_S else None


class SubjectCalibration:
    """One calibration after another. `note` is called by the worker thread, everything else by the executor's."""

    def __init__(
        self,
        use: Callable[[CalibratedSubject], str],
        logger: Any,
        process: str = PROCESS,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        # read-only after construction
        self._use = use
        self._logger = logger
        self._module = process
        self._clock_s = clock_s
        # owned by the executor's thread
        self.phase = Phase.IDLE
        self._words = ""
        self._figures: dict[str, str] = {}
        self._request: CalibrationRequest | None = None
        self._deadline_s = 0.0
        self._process: SecondProcess | None = None
        # exchanged whole; its content is the worker thread's until it is complete
        self._collection: Collection | None = None

    @property
    def running(self) -> bool:
        return self.phase in (Phase.COLLECTING, Phase.FITTING)

    @property
    def pid(self) -> int | None:
        """Of the second process, while there is one."""
        return None if self._process is None else self._process.pid

    def start(self, request: CalibrationRequest, calibration_s: float) -> None:
        """Begin to collect; the request's stretches come with `note`. Raises InputError while one runs."""
        if self.running:
            raise InputError(f"a calibration is running ({self.words()}); wait until it has ended")
        self._request, self._figures = request, {}
        self._deadline_s = self._clock_s() + PATIENCE * calibration_s
        self._collection = Collection(calibration_s)
        self._enter(Phase.COLLECTING)

    def note(self, outcome: Outcome, rig: Rig | None) -> None:
        """A frame set was fitted: collect it if one is wanted."""
        collection = self._collection
        if collection is not None and rig is not None and outcome.frame_set.frames:
            collection.add(outcome, rig)

    def keep_house(self) -> None:
        """Take the next step when it is time."""
        if self.phase is Phase.COLLECTING:
            self._watch_collection()
        elif self.phase is Phase.FITTING:
            self._watch_process()

    def stop(self, reason: str) -> None:
        """End what runs, and wait for the end of the second process."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        if self.running:
            self._fail(reason)

    def words(self) -> str:
        """What it does or has done, for people."""
        if self.phase is Phase.COLLECTING and self._collection is not None:
            return f"collecting: {self._collection.collected_s:.1f} of {self._collection.wanted_s:.1f} s"
        return f"{self.phase.value}: {self._words}" if self._words else self.phase.value

    def status(self, in_use: str) -> SubjectStatus:
        """What diagnostics say: the subject in use, and its calibration when there is or was one."""
        text = in_use if self.phase is Phase.IDLE else f"{in_use}; calibration {self.words()}"
        return SubjectStatus(self.phase is not Phase.FAILED, text, {"calibration": self.words(), **self._figures})

    def _watch_collection(self) -> None:
        assert self._collection is not None and self._request is not None
        if self._collection.complete:
            stretches, self._collection = self._collection.stretches(), None
            self._fit(replace(self._request, stretches=stretches))
        elif self._clock_s() > self._deadline_s:
            collected_s, wanted_s = self._collection.collected_s, self._collection.wanted_s
            waited = f"the subject was tracked for only {collected_s:.1f} s in {PATIENCE * wanted_s:.0f} s"
            self._fail(f"{waited}; expected {wanted_s:.1f} s")

    def _fit(self, request: CalibrationRequest) -> None:
        try:
            self._process = SecondProcess(self._module, request)
        except OSError as error:
            self._fail(f"no second process could be started ({error.strerror})")
        else:
            count = sum(len(stretch.frame_sets) for stretch in request.stretches)
            self._enter(Phase.FITTING, f"{count} frame sets in a second process")

    def _watch_process(self) -> None:
        assert self._process is not None
        for message in self._process.take():
            if isinstance(message, Progress):
                self._words = f"{message.share:.0%}, {message.words}"
            elif isinstance(message, Refusal):
                self._fail(message.sentence)
            else:
                self._finish(message)
            if not self.running:
                return
        if self._process.ended:
            process, self._process = self._process, None
            self._fail(f"the second process {process.stop()}")

    def _finish(self, result: CalibratedSubject) -> None:
        self._figures = result.figures
        try:
            words = self._use(result)
        except InputError as error:
            self._fail(str(error))
        else:
            self._end(Phase.DONE, words)

    def _fail(self, reason: str) -> None:
        self._end(Phase.FAILED, reason)

    def _end(self, phase: Phase, words: str) -> None:
        self._collection = None
        if self._process is not None:
            self._process.stop_soon()
            self._process = None
        self._enter(phase, words)

    def _enter(self, phase: Phase, words: str = "") -> None:
        self.phase, self._words = phase, words
        sentence = f"calibration of the subject {self.words()}"
        # Two lines, because a line of ours may log at one level only.
        if phase is Phase.FAILED:
            self._logger.warning(sentence)
        else:
            self._logger.info(sentence)
