"""The check of the rig at activation: the first seconds with a person in view go to a second process, which compares
them with the calibration; what it finds is said in warnings and in diagnostics.

Frames are collected as they come in, not frame sets of a tracked person: with a wrong rig nobody is ever tracked.
Everything is done in the executor's thread; the worker knows nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..cameras.calibrated_camera import Rig
from ..keypoints import KeypointFrame
from ..rig_check.findings import RigCheck
from .calibration import SubjectStatus
from .calibration_messages import Refusal
from .rig_check_process import RigCheckRequest
from .second_process import SecondProcess

PROCESS = "markerless_biomech.nodes.rig_check_process"

WANTED_S = 5.0
"""Time for which two cameras see somebody; a few steps are enough, more makes nothing surer."""

FEWEST_FRAMES = 20
"""Of each of these two cameras with a person: slower cameras take longer."""

MOST_FRAMES = 12_000
"""No more are kept, however long somebody is seen by one camera alone."""


@dataclass
class _Span:
    """Stamps of one camera's frames with a person."""

    first_ns: int
    last_ns: int
    count: int = 1

    @property
    def enough(self) -> bool:
        """Whether this camera has seen somebody for long enough."""
        return self.last_ns - self.first_ns >= WANTED_S * 1e9 and self.count >= FEWEST_FRAMES


class RigWatch:
    """One check for each rig that is taken into use."""

    def __init__(self, logger: Any, process: str = PROCESS) -> None:
        # read-only after construction
        self._logger = logger
        self._module = process
        # owned by the executor's thread
        self._request: RigCheckRequest | None = None
        """What is collected for; None: nothing is wanted."""
        self._frames: list[KeypointFrame] = []
        self._spans: dict[str, _Span] = {}
        self._process: SecondProcess | None = None
        self._words = "not checked"
        self._findings: dict[str, str] = {}

    @property
    def collecting(self) -> bool:
        """Whether frames are wanted."""
        return self._request is not None and self._process is None

    def begin(self, request: RigCheckRequest) -> None:
        """A rig was taken into use: check this one, as soon as it has two cameras."""
        self.stop()
        if len(request.rig.cameras) >= 2:
            self._request, self._words = request, "waiting for somebody in view of two cameras"

    def note(self, frame: KeypointFrame) -> None:
        """A camera's frame came in."""
        if not self.collecting or len(self._frames) >= MOST_FRAMES:
            return
        if len(frame.points) or self._spans:
            self._frames.append(frame)
        if len(frame.points):
            span = self._spans.setdefault(frame.camera, _Span(frame.stamp_ns, frame.stamp_ns, 0))
            span.last_ns, span.count = max(span.last_ns, frame.stamp_ns), span.count + 1

    def keep_house(self) -> None:
        """Take the next step when it is time."""
        full = len(self._frames) >= MOST_FRAMES
        if self._process is not None:
            self._watch()
        elif self._request is not None and (full or sum(span.enough for span in self._spans.values()) >= 2):
            self._start(replace(self._request, frames=tuple(self._frames)))

    def stop(self) -> None:
        """Give up what runs."""
        if self._process is not None:
            self._process.stop_soon()
        self._process, self._request, self._words = None, None, "not checked"
        self._frames, self._spans, self._findings = [], {}, {}

    def status(self) -> SubjectStatus:
        """What diagnostics say."""
        return SubjectStatus(not self._findings, self._words, self._findings)

    def _start(self, request: RigCheckRequest) -> None:
        self._frames, self._spans = [], {}
        try:
            self._process = SecondProcess(self._module, request)
        except OSError as error:
            self._end(f"no second process could be started ({error.strerror})")
        else:
            self._words = f"comparing {len(request.frames)} frames in a second process"

    def _watch(self) -> None:
        assert self._process is not None
        for message in self._process.take():
            if isinstance(message, RigCheck):
                self._say(message)
            elif isinstance(message, Refusal):
                self._end(message.sentence)
            return
        if self._process.ended:
            self._end(f"the second process {self._process.stop()}")

    def _say(self, check: RigCheck) -> None:
        sentences = list(dict.fromkeys(one.sentence for one in check.findings))
        self._findings = {f"{one.camera}: {one.kind}": one.sentence for one in check.findings}
        self._end("; ".join(sentences) or f"the rig agrees with what its {len(check.cameras)} cameras see")
        for sentence in sentences:
            self._logger.warning(f"check of the rig: {sentence}")
        if not sentences:
            self._logger.info(f"check of the rig: {self._words}")

    def _end(self, words: str) -> None:
        """Nothing more is wanted until the next rig."""
        if self._process is not None and not self._process.ended:
            self._process.stop_soon()
        self._process, self._request, self._words = None, None, words


def rig_check_request(settings: Any, rig: Rig, keypoint_set: Any) -> RigCheckRequest:
    """For the cameras that the settings name."""
    offsets_s = dict(zip(settings.cameras, settings.camera_time_offsets_s, strict=False))
    cameras = {name: camera for name, camera in rig.cameras.items() if name in settings.cameras}
    return RigCheckRequest(Rig(cameras, rig.world_frame), keypoint_set, (), offsets_s)
