"""READ FIRST. The live estimator: one frame set in, the body's motion out.

`update` reads like the method: predict where the subject will be, find their points in every image, refit the window,
report. What it holds is a value (`Window`) that the compiled programs of `fitting/` take and return; this file decides
only whose points count and what state the track is in. No ROS, no clock: the output is a function of the frame sets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from .body.model import NEUTRAL_QPOS, body_parameters
from .body.subject import Subject
from .cameras.association import Prediction, Rays, nearest_person, triangulate
from .cameras.calibrated_camera import Rig
from .cameras.cameras_in_use import CamerasInUse
from .cameras.frame_sets import FrameSet
from .cold_start import FEWEST_VIEWS, ColdStart
from .devices import choose_device
from .errors import InputError
from .fit_report import fit_report
from .fitting import priors
from .fitting.first_pose import STARTS
from .fitting.programs import Expectation, Programs, compile_programs
from .fitting.residuals import Observations
from .fitting.trajectory import LiveFit, Window
from .keypoints import KeypointSet
from .results import BodyEstimate, FitReport, MotionEstimate, Tracking, lost
from .settings import EstimatorSettings
from .sightings import PEOPLE, Lookout, Sighting
from .trust import DIVERGED, DRIFTED, Trust

DRIFT_M_S2 = 1.0
"""Acceleration (m/s^2) that widens the gate while nothing is seen."""


@dataclass(frozen=True)
class _Frame:
    """A frame set of the window that has no settled result yet."""

    stamp_ns: int
    tracking: Tracking
    seen: np.ndarray


def _check(camera_names: tuple[str, ...], settings: EstimatorSettings) -> None:
    """Raise InputError for settings that do not fit together."""
    if len(camera_names) < FEWEST_VIEWS:
        raise InputError(f"setting cameras names {len(camera_names)}; expected at least {FEWEST_VIEWS}")
    if len(set(camera_names)) < len(camera_names):
        raise InputError(f"setting cameras names a camera twice: {', '.join(camera_names)}")
    offsets, volume = settings.camera_time_offsets_s, settings.capture_volume_m
    if len(offsets) not in (0, len(camera_names)):
        raise InputError(
            f"setting camera_time_offsets_s has {len(offsets)} values; expected one for each of "
            f"{len(camera_names)} cameras"
        )
    if len(volume) not in (0, 6) or any(low >= high for low, high in zip(volume[::2], volume[1::2], strict=False)):
        raise InputError(
            f"setting capture_volume_m is {list(volume)}; expected xmin, xmax, ymin, ymax, zmin, zmax "
            "with min below max"
        )


def longest_gap_s(settings: EstimatorSettings) -> float:
    """Frame sets further apart than this, in time, are no longer one track."""
    return max(settings.coast_s, 0.1)


class MotionEstimator:
    """Sliding-window fit of one subject to the images of C cameras."""

    def __init__(
        self, camera_names: tuple[str, ...], keypoint_set: KeypointSet, subject: Subject, settings: EstimatorSettings
    ):
        _check(camera_names, settings)
        # read-only after construction
        self.camera_names = tuple(camera_names)
        self.keypoint_set = keypoint_set
        self.settings = settings
        self._device = choose_device(settings.device)
        self._lookout = Lookout(self.camera_names, keypoint_set, settings.camera_time_offsets_s)
        self._search = ColdStart(self._lookout, keypoint_set, settings.capture_volume_m)
        self._trust = Trust(settings.coast_s)
        self._core = np.isin(keypoint_set.bodies, ("pelvis", "torso", "head")) & (keypoint_set.weights > 0)
        self._programs: Programs | None = None
        # values that may be exchanged between two frame sets
        self.subject = subject
        self._parameters = self._put(body_parameters(subject, keypoint_set))
        self._cameras = CamerasInUse(self.camera_names, self._device)
        self.calibration_version = 1
        # the track
        self.tracking = Tracking.LOST
        self._window: Window | None = None
        self._factor = None
        self._stamp_ns = 0
        self._unseen_s = 0.0
        self._unsettled: deque[_Frame] = deque()
        self._sightings: deque[tuple[Sighting, float]] = deque(maxlen=settings.window_frames)
        """What the window's frames have seen, each with its hop (s)."""
        self._owed: tuple[BodyEstimate, ...] = ()
        self.lost_is_said = True
        """False from the first estimate of a track until one that says LOST."""

    # ---------------------------------------------------------------- what may change

    @property
    def rig(self) -> Rig | None:
        """The calibration in use."""
        return self._cameras.rig

    def set_rig(self, rig: Rig) -> None:
        """Use another calibration from the next frame set on; nothing compiles.

        A camera that joins leaves the track alone; one that moved starts it anew, since what the window remembers was
        seen from elsewhere.
        """
        if self._cameras.take(rig):
            self.reset()

    def set_subject(self, subject: Subject) -> None:
        """Use another subject from the next frame set on; nothing compiles."""
        self.reset()
        self._take_subject(subject)

    def exchange_subject(self, subject: Subject) -> None:
        """Use another body from the next frame set on while the track goes on; nothing compiles.

        What the window remembers was fitted with the old body, so that all it has seen is fitted again. A track that
        coasts with no view left in its window has nothing to fit: it goes on as it is.
        """
        memory = tuple(self._sightings)
        while memory and not memory[0][0].seen.any():
            memory = memory[1:]
        if 0 < len(memory) < len(self._unsettled):
            self._owed = self.finish()
        self._take_subject(subject)
        if memory:
            self._fit_again(memory)

    def _fit_again(self, memory: tuple[tuple[Sighting, float], ...]) -> None:
        """Build the window anew from what its newest frames have seen, starting at the pose that it had there."""
        assert self._programs is not None and self._window is not None
        start_qpos, noise_m = np.asarray(self._window.qpos)[-len(memory)], np.asarray(self._window.noise_m)
        self._window = self._programs.start(start_qpos, noise_m)
        self._sightings.clear()
        fits = [self._fit(sighting, hop_s) for sighting, hop_s in memory]
        if not np.isfinite(np.asarray(fits[-1].qpos)).all():
            self._unsettled.clear()
            self.reset()

    def _take_subject(self, subject: Subject) -> None:
        self.subject = subject
        self._parameters = self._put(body_parameters(subject, self.keypoint_set))

    def reset(self) -> None:
        """Forget the track; the next frame set starts cold. What waits to be settled comes with the next estimate."""
        self._forget()
        self._search.held()

    def _forget(self) -> None:
        self._owed = self.finish()
        self.tracking = Tracking.LOST
        self._window, self._factor = None, None
        self._sightings.clear()
        self._unseen_s = 0.0

    reacquire = reset

    def compile(self) -> None:
        """Compile every program and run each once; takes seconds with a warm cache."""
        if self._programs is None:
            settings = self.settings
            self._programs = compile_programs(
                self._parameters,
                self._cameras.arrays,
                settings.window_frames,
                settings.iterations,
                PEOPLE,
                self._device,
            )
            self._run_once()

    def _run_once(self) -> None:
        """A program's first call takes longer than others; the first person in view shall not wait for that."""
        programs, parameters, cameras = self._programs, self._parameters, self._cameras.arrays
        assert programs is not None
        nobody = self._lookout.gather(FrameSet(0, {}, "complete", 0, 0), {})
        observed = Observations(nobody.image_px, nobody.weight, nobody.delay_s)
        noise_m = np.full(len(self.camera_names), priors.DETECTOR_NOISE_M, np.float32)
        starts = np.tile(np.asarray(NEUTRAL_QPOS, np.float32), (STARTS, 1))
        programs.undistort(cameras, np.zeros((PEOPLE, *nobody.image_px.shape), np.float32))
        self._search.take(parameters, programs)
        pose = programs.fit_pose(parameters, cameras, starts, observed, noise_m)
        window = programs.start(pose.qpos, noise_m)
        programs.expect(window, parameters, cameras, np.float32(0.01))
        window, factor, _ = programs.advance(window, parameters, cameras, observed, np.float32(0.01))
        jax.block_until_ready(programs.settle(window, factor, parameters, np.int32(1)))

    # ---------------------------------------------------------------- the method

    def update(self, frame_set: FrameSet, reset: bool = False) -> MotionEstimate:
        """Add one frame set, refit the window, and return the live and the settled states."""
        self.compile()
        self._cameras.follow_rectification(frame_set)
        hop_s = (frame_set.stamp_ns - self._stamp_ns) * 1e-9
        if reset or not 0.0 < hop_s <= longest_gap_s(self.settings):
            self.reset()
        before, self._owed = self._owed, ()
        estimate = self._cold_start(frame_set) if self._window is None else self._track(frame_set, hop_s)
        self._stamp_ns = frame_set.stamp_ns
        return replace(estimate, settled=before + estimate.settled, reset=reset)

    def _track(self, frame_set: FrameSet, hop_s: float) -> MotionEstimate:
        """Predict, find the subject in every image, fit, judge."""
        expected = self._expect(hop_s)
        sighting = self._find_subject(frame_set, expected, hop_s)
        seen = sighting.views >= FEWEST_VIEWS
        if not seen:
            sighting = sighting.blind()
            self._unseen_s += hop_s
            if self._unseen_s > self.settings.coast_s:
                reason = f"seen by fewer than {FEWEST_VIEWS} cameras for {self._unseen_s:.2f} s"
                return self.lose(frame_set.stamp_ns, reason)
        else:
            # Not at once: one lucky glimpse now and then is no sight of the subject.
            self._unseen_s = max(0.0, self._unseen_s - hop_s)
        fit = self._fit(sighting, hop_s)
        assert self._window is not None
        objection = self._trust.objection(
            sighting, fit, np.asarray(self._window.noise_m), np.asarray(expected.pixels_per_metre), hop_s
        )
        if objection:
            return self._give_up(frame_set.stamp_ns, objection)
        if not self._trust.young:
            self._search.held()
        self.tracking = Tracking.TRACKED if seen else Tracking.COASTING
        return self._estimate(frame_set, sighting, fit)

    def _fit(self, sighting: Sighting, hop_s: float) -> LiveFit:
        """Move the window by one frame."""
        assert self._programs is not None
        self._sightings.append((sighting, hop_s))
        observed = Observations(sighting.image_px, sighting.weight, sighting.delay_s)
        self._window, self._factor, fit = self._programs.advance(
            self._window, self._parameters, self._cameras.arrays, observed, np.float32(hop_s)
        )
        return fit

    def _expect(self, hop_s: float) -> Expectation:
        """Where the subject is expected `hop_s` after the newest frame."""
        assert self._programs is not None
        return self._programs.expect(self._window, self._parameters, self._cameras.arrays, np.float32(hop_s))

    def _find_subject(self, frame_set: FrameSet, expected: Expectation, hop_s: float) -> Sighting:
        """The nearest person to the prediction in every image, left and right tested."""
        assert self._window is not None
        std_m = np.hypot(np.asarray(self._window.noise_m), 0.02 + 0.5 * DRIFT_M_S2 * (hop_s + self._unseen_s) ** 2)
        std_px = np.asarray(expected.pixels_per_metre) * std_m
        valid = np.asarray(expected.valid) & (self.keypoint_set.weights > 0)
        prediction = Prediction(np.asarray(expected.image_px), valid, std_px)
        gate = self.settings.association_gate
        chosen = {
            name: nearest_person(frame.points, self._lookout.index[name], prediction, gate)
            for name, frame in frame_set.frames.items()
        }
        if self._unseen_s and not self._is_subject(frame_set, chosen, np.asarray(expected.sites_m), gate * std_m.max()):
            chosen = {}
        return self._lookout.right_way_round(self._lookout.gather(frame_set, chosen), prediction)

    def _is_subject(self, frame_set: FrameSet, chosen: dict[str, int], sites_m: np.ndarray, farthest_m: float) -> bool:
        """After a gap somebody else may stand in the lines of sight: the trunk in space must be near its prediction."""
        views = [ray for ray in self._rays(frame_set) if chosen[self.camera_names[ray.camera]] == ray.person]
        if len(views) < FEWEST_VIEWS:
            return False
        points_m, known, _ = triangulate(views)
        trunk = known & self._core
        if not trunk.any():
            return False
        return float(np.median(np.linalg.norm(points_m - sites_m, axis=-1)[trunk])) < farthest_m

    # ---------------------------------------------------------------- cold start

    def _cold_start(self, frame_set: FrameSet) -> MotionEstimate:
        """Find somebody and their pose, and begin a window with it."""
        assert self._programs is not None
        found = self._search.find(
            frame_set, self._rays(frame_set), self._programs, self._parameters, self._cameras.arrays
        )
        if isinstance(found, str):
            return self._still_lost(frame_set, found)
        noise_m = np.full(len(self.camera_names), priors.DETECTOR_NOISE_M, np.float32)
        self._window = self._programs.start(found.qpos, noise_m)
        self._unseen_s = 0.0
        self._trust.begin(self.subject.height_m, found.stature_ratio)
        fit = self._fit(found.sighting, 1.0 / priors.REFERENCE_RATE_HZ)
        if not np.isfinite(np.asarray(fit.qpos)).all():
            return self._give_up(frame_set.stamp_ns, DIVERGED)
        self.tracking = Tracking.TRACKED
        return self._estimate(frame_set, found.sighting, fit)

    def _rays(self, frame_set: FrameSet) -> list[Rays]:
        """The people of all cameras as lines of sight."""
        assert self._programs is not None
        points, people = self._lookout.everybody(frame_set)
        normalised, reached = map(np.asarray, self._programs.undistort(self._cameras.arrays, points[..., :2]))
        return self._lookout.rays(points, people, normalised, reached, self._cameras.world_from_camera)

    # ---------------------------------------------------------------- results

    def _estimate(self, frame_set: FrameSet, sighting: Sighting, fit: LiveFit) -> MotionEstimate:
        """The live result now, and the settled ones that became old enough."""
        self.lost_is_said = False
        seen = sighting.seen
        live = BodyEstimate(
            stamp_ns=frame_set.stamp_ns,
            settled=False,
            tracking=self.tracking,
            qpos=np.asarray(fit.qpos),
            qvel=np.asarray(fit.qvel),
            covariance=np.asarray(fit.covariance),
            sites_m=np.asarray(fit.sites_m),
            sites_std_m=np.asarray(fit.sites_std_m),
            site_seen=seen,
        )
        self._unsettled.append(_Frame(frame_set.stamp_ns, self.tracking, seen))
        due_ns = frame_set.stamp_ns - round(self.settings.lag_s * 1e9)
        return MotionEstimate(live, self._settle(due_ns), self._report(frame_set.stamp_ns, sighting, fit))

    def _settle(self, due_ns: int | None) -> tuple[BodyEstimate, ...]:
        """Settled states of the frames up to `due_ns` (None: all), and of those about to leave the window."""
        results = []
        frames = self.settings.window_frames
        while self._unsettled:
            index = frames - len(self._unsettled)
            if due_ns is not None and self._unsettled[0].stamp_ns > due_ns and index > 1:
                break
            results.append(self._settled(self._unsettled.popleft(), index))
        return tuple(results)

    def _settled(self, frame: _Frame, index: int) -> BodyEstimate:
        """State of the window's frame `index`. Its arrays are still being computed when this returns."""
        assert self._programs is not None
        state: Any = self._programs.settle(self._window, self._factor, self._parameters, np.int32(index))
        qpos, qvel, covariance, sites_m, sites_std_m = state
        return BodyEstimate(
            frame.stamp_ns, True, frame.tracking, qpos, qvel, covariance, sites_m, sites_std_m, frame.seen
        )

    def _report(self, stamp_ns: int, sighting: Sighting, fit: LiveFit) -> FitReport:
        """Figures of the newest frame, and the result in words."""
        result = f"OK, but {self._trust.remark}" if self._trust.remark else "OK"
        if self.tracking is not Tracking.TRACKED:
            result = f"predicted: fewer than {FEWEST_VIEWS} usable views"
        return fit_report(stamp_ns, result, self.camera_names, sighting, fit, self.settings.iterations)

    def lose(self, stamp_ns: int, reason: str) -> MotionEstimate:
        """End the track: what can still be settled is, then one estimate says LOST. The next frame set starts cold."""
        settled = self.finish()
        gone = replace(lost(stamp_ns, len(self.keypoint_set), settled=False), qpos=np.asarray(NEUTRAL_QPOS))
        self._forget()
        self.lost_is_said = True
        return MotionEstimate(gone, settled, FitReport(stamp_ns, f"LOST: {reason}"))

    def finish(self) -> tuple[BodyEstimate, ...]:
        """Settled states of all frames that have none yet, at the end of a track or a recording."""
        owed, self._owed = self._owed, ()
        return owed + self._settle(None)

    def _give_up(self, stamp_ns: int, objection: str) -> MotionEstimate:
        """End a track that cannot be believed; what it left to be settled is believed only if it was good once."""
        if objection != DRIFTED:
            self._unsettled.clear()
            self._search.failed()
        return self.lose(stamp_ns, objection)

    def _still_lost(self, frame_set: FrameSet, reason: str) -> MotionEstimate:
        """LOST is said once; after that nothing is, but why."""
        if not self.lost_is_said:
            return self.lose(frame_set.stamp_ns, reason)
        return MotionEstimate(None, (), FitReport(frame_set.stamp_ns, f"LOST: {reason}"))

    # ---------------------------------------------------------------- data on the device

    def _put(self, tree):
        return jax.device_put(tree, self._device)
