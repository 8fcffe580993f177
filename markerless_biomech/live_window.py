"""The frames that are fitted together, with everything that can be asked of them: predict, fit, settle, fit again.

What is fitted is a value (`Window`) that the compiled programs of `fitting/` take and return. The estimator decides
whose points go in; here is what has been seen, so that it can be fitted again with another body or other cameras.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from .body.model import NEUTRAL_QPOS, body_parameters
from .body.subject import Subject
from .cameras.cameras_in_use import CamerasInUse
from .fitting import priors
from .fitting.camera_look import nothing_known, nothing_seen
from .fitting.first_pose import STARTS
from .fitting.programs import Expectation, Programs, compile_programs
from .fitting.residuals import Observations
from .fitting.stance import POINTS, Standing, nothing_standing
from .fitting.trajectory import LiveFit, Window
from .gait.body_feet import standing_points
from .gait.values import Stance
from .keypoints import KeypointSet
from .results import BodyEstimate, Tracking
from .settings import EstimatorSettings
from .sightings import PEOPLE, Sighting


@dataclass(frozen=True)
class _Seen:
    """What one frame of the window was made of."""

    stamp_ns: int
    sighting: Sighting
    hop_s: float


@dataclass(frozen=True)
class Unsettled:
    """A frame set of the window that has no settled result yet."""

    stamp_ns: int
    tracking: Tracking
    seen: np.ndarray


class LiveWindow:
    """Programs, subject and cameras in use, and the window of the track, if there is one."""

    def __init__(
        self,
        camera_names: tuple[str, ...],
        keypoint_set: KeypointSet,
        subject: Subject,
        settings: EstimatorSettings,
        device: Any,
    ):
        # read-only after construction
        self._keypoint_set = keypoint_set
        self._frames = settings.window_frames
        self._iterations = settings.iterations
        self.device = device
        # made once, by compile
        self._compiled: Programs | None = None
        # values that may be exchanged between two frame sets
        self.cameras = CamerasInUse(camera_names, device)
        # the track
        self.window: Window | None = None
        self._factor = None
        self._unsettled: deque[Unsettled] = deque()
        self._sightings: deque[_Seen] = deque(maxlen=settings.window_frames)
        """What the window's frames have seen."""
        self._surface_m_s = np.zeros(2, np.float32)
        self._owed: tuple[BodyEstimate, ...] = ()
        self.take_subject(subject)

    @property
    def programs(self) -> Programs:
        """Compiled."""
        assert self._compiled is not None
        return self._compiled

    @property
    def noise_m(self) -> np.ndarray:
        """(C,) each camera's noise as a length at the person."""
        assert self.window is not None
        return np.asarray(self.window.noise_m)

    # ---------------------------------------------------------------- before anything else

    def compile(self) -> bool:
        """Compile every program and run each once, since a first call takes longer; False when that was done before."""
        if self._compiled is not None:
            return False
        self._compiled = compile_programs(
            self.parameters, self._feet, self.cameras.arrays, self._frames, self._iterations, PEOPLE, self.device
        )
        programs, parameters, cameras = self._compiled, self.parameters, self.cameras.arrays
        count, keypoints = len(cameras.focal), len(self._keypoint_set)
        seen, known = nothing_seen(count, keypoints), nothing_known(count, keypoints)
        observed = Observations(seen.image_px, seen.weight, seen.delay_s)
        noise_m = np.full(count, priors.DETECTOR_NOISE_M, np.float32)
        starts = np.tile(np.asarray(NEUTRAL_QPOS, np.float32), (STARTS, 1))
        nobody = nothing_standing(self._frames + 1)
        programs.undistort(cameras, np.zeros((PEOPLE, *seen.image_px.shape), np.float32))
        pose = programs.fit_pose(parameters, cameras, starts, observed, noise_m)
        window = programs.start(pose.qpos, noise_m)
        programs.expect(window, parameters, cameras, np.float32(0.01))
        window, factor, fit = programs.advance(
            window, parameters, self._feet, cameras, observed, np.float32(0.01), nobody
        )
        programs.look(fit.qpos, fit.qvel, parameters, cameras, self.partners, seen, known)
        jax.block_until_ready(programs.settle(window, factor, parameters, np.int32(1)))
        return True

    @property
    def partners(self) -> np.ndarray:
        """(K,) int32 each keypoint's index on the other side of the body."""
        return self._keypoint_set.partners.astype(np.int32)

    # ---------------------------------------------------------------- the track

    def take_subject(self, subject: Subject) -> None:
        """Fit this body from now on. Where the feet of the one before stood says nothing of its feet."""
        self.parameters = jax.device_put(body_parameters(subject, self._keypoint_set), self.device)
        self._feet = jax.device_put(body_parameters(subject, standing_points(self._keypoint_set)), self.device)
        self._forget_stance()

    def begin(self, qpos: np.ndarray) -> None:
        """A new track that starts at this pose."""
        noise_m = np.full(len(self.cameras.arrays.focal), priors.DETECTOR_NOISE_M, np.float32)
        self.window = self.programs.start(qpos, noise_m)

    def expect(self, hop_s: float) -> Expectation:
        """Where the subject is expected `hop_s` after the newest frame."""
        return self.programs.expect(self.window, self.parameters, self.cameras.arrays, np.float32(hop_s))

    def hold(self, stance: Stance | None) -> None:
        """Feet that stand, as far as is known by now; they are held in the next fit. The same again is no news."""
        if stance is None or stance is self._held:
            return
        self._held = stance
        rows = zip(stance.stamps_ns.tolist(), stance.still, stance.floor_m, strict=True)
        known = {stamp_ns: (still, floor_m) for stamp_ns, still, floor_m in rows}
        before = ((seen.stamp_ns, self._stance.get(seen.stamp_ns)) for seen in self._sightings)
        self._stance = {stamp_ns: row for stamp_ns, row in before if row is not None} | known
        self._surface_m_s = stance.surface_m_s.astype(np.float32)

    def fit(self, stamp_ns: int, sighting: Sighting, hop_s: float) -> LiveFit:
        """Move the window by one frame."""
        stamps_ns = [seen.stamp_ns for seen in self._sightings]
        self._sightings.append(_Seen(stamp_ns, sighting, hop_s))
        observed = Observations(sighting.image_px, sighting.weight, sighting.delay_s)
        standing = self._standing([*stamps_ns, stamp_ns])
        self.window, self._factor, fit = self.programs.advance(
            self.window, self.parameters, self._feet, self.cameras.arrays, observed, np.float32(hop_s), standing
        )
        return fit

    def _standing(self, stamps_ns: list[int]) -> Standing:
        """What is known of the window's frames and the new one, whose stamps these are."""
        still, floor_m = (np.zeros((self._frames + 1, POINTS), np.float32) for _ in range(2))
        begin = self._frames + 1 - len(stamps_ns)
        for row, stamp_ns in enumerate(stamps_ns, begin):
            if stamp_ns in self._stance:
                still[row], floor_m[row] = self._stance[stamp_ns]
        known = np.isfinite(floor_m)
        return Standing(still, np.where(known, floor_m, 0.0), known.astype(np.float32), self._surface_m_s)

    def remembers(self, cameras: np.ndarray) -> bool:
        """Whether any of these cameras (C,) has carried weight in the window."""
        return any(bool(seen.sighting.weight[cameras].any()) for seen in self._sightings)

    def fit_again(self) -> bool:
        """Build the window anew from what its newest frames have seen, starting at the pose that it had there.

        For after the body, or the cameras, were exchanged. A track that coasts with no view left in its window has
        nothing to fit: it goes on as it is. False: the fit diverged, and the track is over. Call `settle_before` first.
        """
        memory = self._memory()
        if not memory:
            return True
        assert self.window is not None
        start_qpos, noise_m = np.asarray(self.window.qpos)[-len(memory)], self.noise_m
        self.window = self.programs.start(start_qpos, noise_m)
        self._sightings.clear()
        fits = [self.fit(seen.stamp_ns, seen.sighting, seen.hop_s) for seen in memory]
        return bool(np.isfinite(np.asarray(fits[-1].qpos)).all())

    def settle_before(self) -> None:
        """What would get lost when the window is fitted again is settled as it is, and owed."""
        if 0 < len(self._memory()) < len(self._unsettled):
            self._owed = self.finish()

    def _memory(self) -> tuple[_Seen, ...]:
        """What the window's frames have seen, from the first that saw anything."""
        memory = tuple(self._sightings)
        while memory and not memory[0].sighting.seen.any():
            memory = memory[1:]
        return memory

    def forget(self) -> None:
        """The track is over; what waits to be settled is owed."""
        self._owed = self.finish()
        self.window, self._factor = None, None
        self._sightings.clear()
        self._forget_stance()

    def _forget_stance(self) -> None:
        self._stance: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        """By stamp: probability (4,) that each point of the feet stands still, and at which height (4,)."""
        self._held: Stance | None = None

    # ---------------------------------------------------------------- settled results

    def note(self, stamp_ns: int, tracking: Tracking, seen: np.ndarray) -> None:
        """The newest frame is to be settled later. seen (K,)."""
        self._unsettled.append(Unsettled(stamp_ns, tracking, seen))

    def disown(self) -> None:
        """What waits to be settled is not to be believed."""
        self._unsettled.clear()

    def owed(self) -> tuple[BodyEstimate, ...]:
        """What was settled between two frame sets, once."""
        owed, self._owed = self._owed, ()
        return owed

    def settle(self, due_ns: int | None) -> tuple[BodyEstimate, ...]:
        """Settled states of the frames up to `due_ns` (None: all), and of those about to leave the window."""
        results = []
        while self._unsettled:
            index = self._frames - len(self._unsettled)
            if due_ns is not None and self._unsettled[0].stamp_ns > due_ns and index > 1:
                break
            results.append(self._settled(self._unsettled.popleft(), index))
        return tuple(results)

    def finish(self) -> tuple[BodyEstimate, ...]:
        """Settled states of all frames that have none yet."""
        return self.owed() + self.settle(None)

    def _settled(self, frame: Unsettled, index: int) -> BodyEstimate:
        """State of the window's frame `index`. Its arrays are still being computed when this returns."""
        state: Any = self.programs.settle(self.window, self._factor, self.parameters, np.int32(index))
        qpos, qvel, covariance, sites_m, sites_std_m = state
        return BodyEstimate(
            frame.stamp_ns, True, frame.tracking, qpos, qvel, covariance, sites_m, sites_std_m, frame.seen
        )
