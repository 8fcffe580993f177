"""Slow refinement of the cameras beside tracking: batches of frame sets with their poses go to a second process.

It keeps up with what no bump is: a mount that warms up, a calibration that was never exact. `note` is called by the
worker thread, everything else by the executor's. Who wants the refined rig asks `rig`; whether it is taken into use is
not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..body.subject import Subject
from ..cameras.calibrated_camera import Rig
from ..cameras.frame_sets import FrameSet
from ..cameras.refinement import RigFit
from ..keypoints import KeypointSet
from ..recording.metrics import rotation_angle_deg
from ..recording.result_messages import FittedCameras
from ..results import Tracking
from ..rig_refinement import Batch
from .refinement_messages import Refined, Refinement
from .second_process import SecondProcess
from .worker import Outcome

PROCESS = "markerless_biomech.nodes.refinement_process"

BATCH_S = 5.0
"""Frame sets of so long a time make a batch."""

THIN_HZ = 30.0
"""At most so many frame sets a second go into it."""

SURE = 3.0
"""A camera's correction counts from so many of its standard deviations on ..."""

LEAST_DEG, LEAST_M = 0.02, 0.002
"""... and from this size on."""


@dataclass
class _Collected:
    """A batch that grows."""

    era: int
    """Of the cameras that saw it; a batch of an earlier one is not sent."""
    frame_sets: dict[int, FrameSet] = field(default_factory=dict)
    """By stamp (ns), in order of time."""
    qpos: dict[int, np.ndarray] = field(default_factory=dict)
    """Settled poses by stamp (ns)."""


class SlowRefinement:
    """One second process for the life of a rig and a subject."""

    def __init__(self, half_life_s: float, logger: Any, process: str = PROCESS) -> None:
        # read-only after construction
        self._half_life_s = half_life_s
        self._logger = logger
        self._module = process
        # owned by the worker thread
        self._growing = _Collected(0)
        # exchanged whole between the threads
        self._full: _Collected | None = None
        # raised by the executor's thread, read by both
        self._era = 0
        """How often what had been collected was to be forgotten."""
        # owned by the executor's thread
        self._process: SecondProcess | None = None
        self._asked = False
        self._problem = ""
        self._batches = 0
        self.fit: RigFit | None = None
        """The newest."""

    def begin(self, reference: Rig, subject: Subject, keypoint_set: KeypointSet, offsets_s: dict[str, float]) -> None:
        """From here on increments are those of `reference`. A subject that was never calibrated is not looked at."""
        self.stop()
        if not subject.offsets_m or subject.keypoint_set != keypoint_set.name:
            self._problem = "waits for a calibrated subject: a wrong body would be blamed on the cameras"
            return
        first = Refinement(reference, subject, keypoint_set, self._half_life_s, offsets_s)
        try:
            self._process = SecondProcess(self._module, first)
        except OSError as error:
            self._problem = f"no second process could be started ({error.strerror})"

    def stop(self) -> None:
        """End the second process; what it knew is forgotten."""
        process, self._process = self._process, None
        self.forget_batch()
        self._asked, self.fit, self._batches, self._problem = False, None, 0, ""
        if process is not None:
            process.stop_soon()

    def note(self, outcome: Outcome) -> None:
        """A frame set was fitted, and earlier ones have settled."""
        era, estimate = self._era, outcome.estimate
        if self._growing.era != era:
            self._growing = _Collected(era)
        if estimate.reset or (estimate.live is not None and estimate.live.tracking is Tracking.LOST):
            self._growing = _Collected(era)
            return
        growing = self._growing
        stamp_ns = outcome.frame_set.stamp_ns
        last_ns = next(reversed(growing.frame_sets), 0)
        if outcome.frame_set.frames and stamp_ns - last_ns >= 0.9e9 / THIN_HZ:
            growing.frame_sets[stamp_ns] = outcome.frame_set
        growing.qpos |= {
            body.stamp_ns: np.asarray(body.qpos)
            for body in estimate.settled
            if body.stamp_ns in growing.frame_sets and body.tracking is Tracking.TRACKED
        }
        if stamp_ns - next(iter(growing.frame_sets), stamp_ns) > BATCH_S * 1e9:
            # Those of the last moments have not settled yet; they are left out.
            self._full, self._growing = growing, _Collected(era)

    def forget_batch(self) -> None:
        """What waits or grows was seen while a camera moved, or by another rig: it would be blamed on all."""
        self._era += 1
        self._full = None

    def keep_house(self) -> bool:
        """Send what is full, take what has come; whether the rig is known anew."""
        if self._process is None:
            return False
        new = False
        for message in self._process.take():
            if isinstance(message, Refined):
                self._asked = False
                self._batches += 1
                if message.fit is not None:
                    self.fit, new = message.fit, True
        if self._process.ended:
            process, self._process = self._process, None
            self._problem = f"the second process {process.stop()}"
            self._logger.warning(f"refinement of the cameras: {self._problem}")
            return new
        full = self._full
        if full is not None and full.era != self._era:
            self._full = full = None
        if full is not None and not self._asked:
            self._full, self._asked = None, True
            frame_sets = tuple(one for stamp_ns, one in full.frame_sets.items() if stamp_ns in full.qpos)
            if frame_sets:
                qpos = np.array([full.qpos[one.stamp_ns] for one in frame_sets], np.float32)
                self._process.ask(Batch(frame_sets, qpos))
            else:
                self._asked = False
        return new

    def worth_taking(self, in_use: Rig) -> bool:
        """Whether a camera of the newest fit stands elsewhere than in use, surely and by more than nothing."""
        if self.fit is None:
            return False
        return any(_elsewhere(self.fit, in_use, name) for name in self.fit.rig.cameras if name in in_use.cameras)

    def shown(self, cameras: FittedCameras) -> FittedCameras:
        """`cameras` with those that have not moved where the newest fit has them."""
        if self.fit is None:
            return cameras
        fit = self.fit
        arrays = {
            name: getattr(cameras, name).copy() for name in ("poses", "covariance", "correction_deg", "correction_m")
        }
        for row, name in enumerate(cameras.names):
            if name in fit.rig.cameras and cameras.status[row] != FittedCameras.MOVED:
                camera = fit.rig.cameras[name]
                arrays["poses"][row] = np.r_[camera.position_m, camera.orientation_xyzw]
                arrays["covariance"][row] = fit.covariance[name]
                arrays["correction_deg"][row] = fit.correction_deg[name]
                arrays["correction_m"][row] = fit.correction_m[name]
        return replace(cameras, **arrays)

    @property
    def well(self) -> bool:
        """Nothing keeps it from its work."""
        return not self._problem

    def words(self) -> str:
        """What it does, for people."""
        if self._problem:
            return self._problem
        if self._process is None:
            return "off"
        batches = "1 batch" if self._batches == 1 else f"{self._batches} batches"
        if self.fit is None:
            return f"{batches}, nothing learnt yet" if self._batches else "collecting"
        worst = max(self.fit.correction_deg, key=self.fit.correction_deg.__getitem__)
        return f"{batches}: {worst} turned by {self.fit.correction_deg[worst]:.3f} deg, the others by less"


def _elsewhere(fit: RigFit, in_use: Rig, name: str) -> bool:
    camera, other = fit.rig.cameras[name], in_use.cameras[name]
    std = np.sqrt(np.diagonal(fit.covariance[name]))
    shift_m = float(np.linalg.norm(camera.position_m - other.position_m))
    turn_deg = float(rotation_angle_deg(camera.world_from_camera[0], other.world_from_camera[0]))
    far = shift_m > max(SURE * float(np.linalg.norm(std[:3])), LEAST_M)
    return far or turn_deg > max(SURE * float(np.degrees(np.linalg.norm(std[3:]))), LEAST_DEG)
