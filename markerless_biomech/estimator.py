"""READ FIRST. The live estimator: one frame set in, the body's motion out.

`update` reads like the method: predict where the subject will be, find their points in every image, refit the window,
report. `LiveWindow` holds what is fitted, `CameraCare` watches the cameras meanwhile; this file decides only whose
points count and what state the track is in. No ROS, no clock: the output is a function of the frame sets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .body.model import NEUTRAL_QPOS
from .body.subject import Subject
from .camera_care import CameraCare
from .cameras.association import Prediction, Rays, nearest_people, triangulate
from .cameras.calibrated_camera import Rig
from .cameras.frame_sets import FrameSet
from .cold_start import FEWEST_VIEWS, ColdStart
from .devices import choose_device
from .fit_report import fit_report
from .fitting import priors
from .fitting.programs import Expectation
from .fitting.trajectory import LiveFit
from .keypoints import KeypointSet
from .live_window import LiveWindow
from .results import BodyEstimate, FitReport, MotionEstimate, Tracking, lost
from .settings import EstimatorSettings
from .sightings import Lookout, Sighting
from .trust import DIVERGED, DRIFTED, Trust

DRIFT_M_S2 = 1.0
"""Acceleration (m/s^2) that widens the gate while nothing is seen."""


def longest_gap_s(settings: EstimatorSettings) -> float:
    """Frame sets further apart than this, in time, are no longer one track."""
    return max(settings.coast_s, 0.1)


class MotionEstimator:
    """Sliding-window fit of one subject to the images of C cameras."""

    def __init__(
        self, camera_names: tuple[str, ...], keypoint_set: KeypointSet, subject: Subject, settings: EstimatorSettings
    ):
        # read-only after construction
        self.camera_names = tuple(camera_names)
        self.keypoint_set = keypoint_set
        self.settings = settings
        self._lookout = Lookout(self.camera_names, keypoint_set, settings.camera_time_offsets_s)
        self._search = ColdStart(self._lookout, keypoint_set, settings.capture_volume_m)
        self._trust = Trust(settings.coast_s)
        self._core = np.isin(keypoint_set.bodies, ("pelvis", "torso", "head")) & (keypoint_set.weights > 0)
        # values that may be exchanged between two frame sets
        self.subject = subject
        self.live = LiveWindow(self.camera_names, keypoint_set, subject, settings, choose_device(settings.device))
        self.calibration_version = 1
        # the track
        self.tracking = Tracking.LOST
        self._stamp_ns = 0
        self._unseen_s = 0.0
        self.lost_is_said = True
        """False from the first estimate of a track until one that says LOST."""
        self.care = CameraCare(self._lookout, keypoint_set, self.live, settings.camera_refinement, self.exchange_rig)

    # ---------------------------------------------------------------- what may change

    @property
    def rig(self) -> Rig | None:
        """The calibration in use."""
        return self.live.cameras.rig

    def set_rig(self, rig: Rig) -> None:
        """Use the lab's calibration from the next frame set on; nothing compiles.

        A camera that joins leaves the track alone; one that moved starts it anew, since what the window remembers was
        seen from elsewhere. Said again, it changes nothing: poses that were accepted since stay in use.
        """
        if self.live.cameras.take_nominal(rig):
            self.care.reset()
            self.reset()

    def exchange_rig(self, rig: Rig) -> None:
        """Use better poses of the same cameras from the next frame set on, while the track goes on.

        What the window remembers of cameras that changed was seen from elsewhere: then all is fitted again.
        """
        changed = self.live.cameras.differing(rig)
        remembered = self.live.remembers(changed)
        if remembered:
            self.live.settle_before()
        self.live.cameras.take(rig)
        self.calibration_version += 1
        self.care.settle(changed)
        if remembered:
            self._fit_again()

    def accept_cameras(self) -> tuple[str, ...]:
        """Take into use the poses that are proposed; the names of the cameras."""
        standing, rig = self.care.standing, self.care.proposed()
        if rig is None or standing is None:
            return ()
        self.exchange_rig(rig)
        return standing.proposed

    def set_subject(self, subject: Subject) -> None:
        """Use another subject from the next frame set on; nothing compiles."""
        self.reset()
        self._take_subject(subject)

    def exchange_subject(self, subject: Subject) -> None:
        """Use another body from the next frame set on while the track goes on; nothing compiles.

        What the window remembers was fitted with the old body, so that all it has seen is fitted again.
        """
        self.live.settle_before()
        self._take_subject(subject)
        self._fit_again()

    def _fit_again(self) -> None:
        if not self.live.fit_again():
            self.live.disown()
            self.reset()

    def _take_subject(self, subject: Subject) -> None:
        self.subject = subject
        self.live.take_subject(subject)
        self.care.pause()

    def reset(self) -> None:
        """Forget the track; the next frame set starts cold. What waits to be settled comes with the next estimate."""
        self._forget()
        self._search.held()

    def _forget(self) -> None:
        self.live.forget()
        self.care.pause()
        self.tracking = Tracking.LOST
        self._unseen_s = 0.0

    reacquire = reset

    def compile(self) -> None:
        """Compile every program and run each once; takes seconds with a warm cache."""
        if self.live.compile():
            self._search.take(self.live.parameters, self.live.programs)

    # ---------------------------------------------------------------- the method

    def update(self, frame_set: FrameSet, reset: bool = False) -> MotionEstimate:
        """Add one frame set, refit the window, and return the live and the settled states."""
        self.compile()
        self.look_after_cameras()
        self.live.cameras.follow_rectification(frame_set)
        hop_s = (frame_set.stamp_ns - self._stamp_ns) * 1e-9
        if reset or not 0.0 < hop_s <= longest_gap_s(self.settings):
            self.reset()
        before = self.live.owed()
        estimate = self._cold_start(frame_set) if self.live.window is None else self._track(frame_set, hop_s)
        self._stamp_ns = frame_set.stamp_ns
        return replace(estimate, settled=before + estimate.settled, reset=reset)

    def look_after_cameras(self) -> None:
        """What the last frame set says of the cameras; whoever waits for its result may call this after it is out."""
        self.care.work()

    def _track(self, frame_set: FrameSet, hop_s: float) -> MotionEstimate:
        """Predict, find the subject in every image, fit, judge."""
        expected = self.live.expect(hop_s)
        sighting = self.care.without_accused(self._find_subject(frame_set, expected, hop_s))
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
        fit = self.live.fit(frame_set.stamp_ns, sighting, hop_s)
        objection = self._trust.objection(
            sighting, fit, self.live.noise_m, np.asarray(expected.pixels_per_metre), hop_s
        )
        if objection:
            return self._give_up(frame_set.stamp_ns, objection)
        if not self._trust.young:
            self._search.held()
        self.tracking = Tracking.TRACKED if seen else Tracking.COASTING
        if seen:
            self.care.show(frame_set, expected, fit)
        return self._estimate(frame_set, sighting, fit)

    def _find_subject(self, frame_set: FrameSet, expected: Expectation, hop_s: float) -> Sighting:
        """The nearest person to the prediction in every image, left and right tested."""
        std_m = np.hypot(self.live.noise_m, 0.02 + 0.5 * DRIFT_M_S2 * (hop_s + self._unseen_s) ** 2)
        std_px = np.asarray(expected.pixels_per_metre) * std_m
        valid = np.asarray(expected.valid) & (self.keypoint_set.weights > 0)
        prediction = Prediction(np.asarray(expected.image_px), valid, std_px)
        gate, partners = self.settings.association_gate, self.keypoint_set.partners
        chosen = nearest_people(frame_set.frames, self._lookout.index, prediction, gate, partners)
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
        live = self.live
        found = self._search.find(frame_set, self._rays(frame_set), live.programs, live.parameters, live.cameras.arrays)
        if isinstance(found, str):
            return self._still_lost(frame_set, found)
        live.begin(found.qpos)
        self._unseen_s = 0.0
        self._trust.begin(self.subject.height_m, found.stature_ratio)
        fit = live.fit(frame_set.stamp_ns, found.sighting, 1.0 / priors.REFERENCE_RATE_HZ)
        if not np.isfinite(np.asarray(fit.qpos)).all():
            return self._give_up(frame_set.stamp_ns, DIVERGED)
        self.tracking = Tracking.TRACKED
        return self._estimate(frame_set, found.sighting, fit)

    def _rays(self, frame_set: FrameSet) -> list[Rays]:
        """The people of all cameras as lines of sight."""
        points, people = self._lookout.everybody(frame_set)
        cameras = self.live.cameras
        normalised, reached = map(np.asarray, self.live.programs.undistort(cameras.arrays, points[..., :2]))
        return self._lookout.rays(points, people, normalised, reached, cameras.world_from_camera)

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
        self.live.note(frame_set.stamp_ns, self.tracking, seen)
        due_ns = frame_set.stamp_ns - round(self.settings.lag_s * 1e9)
        return MotionEstimate(live, self.live.settle(due_ns), self._report(frame_set.stamp_ns, sighting, fit))

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
        return self.live.finish()

    def _give_up(self, stamp_ns: int, objection: str) -> MotionEstimate:
        """End a track that cannot be believed; what it left to be settled is believed only if it was good once."""
        if objection != DRIFTED:
            self.live.disown()
            self._search.failed()
        return self.lose(stamp_ns, objection)

    def _still_lost(self, frame_set: FrameSet, reason: str) -> MotionEstimate:
        """LOST is said once; after that nothing is, but why."""
        if not self.lost_is_said:
            return self.lose(frame_set.stamp_ns, reason)
        return MotionEstimate(None, (), FitReport(frame_set.stamp_ns, f"LOST: {reason}"))
