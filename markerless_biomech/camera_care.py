"""Takes care of the cameras beside the fit: shows them to the watch, leaves out whom it accuses, offers new poses.

The work of a frame set is done after its result is out (`work`), at the latest before the next frame set is fitted, so
that it delays nothing and the order of things stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import numpy as np

from .camera_hypotheses import AS_BEFORE, MOVED, SWAPPED, Finding
from .camera_watch import REACH_M, CameraWatch
from .cameras.association import FEWEST_KEYPOINTS, Prediction, nearest_people
from .cameras.calibrated_camera import Rig
from .cameras.camera import Cameras
from .cameras.frame_set import FrameSet
from .cold_start import FEWEST_VIEWS
from .fitting.camera_look import in_numpy, nothing_seen
from .fitting.programs import Expectation
from .fitting.trajectory import LiveFit
from .keypoints import KeypointSet
from .live_window import LiveWindow
from .results import CameraStanding
from .sightings import Lookout, Sighting

SAY_EVERY_S = 0.45
"""Standing is worked out so often."""


@dataclass(frozen=True)
class _Shown:
    """What a frame set's look needs."""

    frame_set: FrameSet
    expected: Expectation
    fit: LiveFit


class CameraCare:
    """Owned by the estimator. `accept` is called with a rig, when one is to be taken into use without being asked."""

    def __init__(
        self,
        lookout: Lookout,
        keypoint_set: KeypointSet,
        live: LiveWindow,
        refinement: str,
        accept: Callable[[Rig], None],
    ):
        # read-only after construction
        self._lookout = lookout
        self._names = tuple(lookout.index)
        self._keypoint_set = keypoint_set
        self._live = live
        self._refinement = refinement
        self._accept = accept
        self.reset()

    def reset(self) -> None:
        """The cameras are others: nothing is known of them."""
        self._watch = CameraWatch(len(self._names), len(self._keypoint_set))
        self._nothing = nothing_seen(len(self._names), len(self._keypoint_set))
        self._before = (self._nothing.before_px, self._nothing.expected_before_px)
        self._shown: _Shown | None = None
        self._looked_through: tuple[Cameras, np.ndarray, Cameras] | None = None
        self._said: tuple[int, tuple[Finding, ...]] = (0, ())
        self.standing: CameraStanding | None = None
        """How the cameras stood lately; exchanged whole, for other threads to read."""

    def pause(self) -> None:
        """The track, or the body, is another."""
        self._shown = None
        self._before = (self._nothing.before_px, self._nothing.expected_before_px)
        self._watch.pause()

    def settle(self, cameras: np.ndarray) -> None:
        """These cameras (C,) bool have another calibration in use, that of now."""
        for camera in np.flatnonzero(cameras):
            self._watch.accept(int(camera))

    # ---------------------------------------------------------------- for the fit

    def without_accused(self, sighting: Sighting) -> Sighting:
        """Cameras to which something has happened lose their weight, while enough others see the subject.

        Exchanged sides are put right before the fit; such a camera is as good as before.
        """
        fine = [finding.hypothesis in (AS_BEFORE, SWAPPED) for finding in self._watch.findings]
        if all(fine):
            return sighting
        weight = np.where(np.array(fine)[:, None], sighting.weight, 0.0).astype(np.float32)
        enough = ((weight > 0).sum(1) >= FEWEST_KEYPOINTS).sum() >= FEWEST_VIEWS
        return replace(sighting, weight=weight) if enough else sighting

    def show(self, frame_set: FrameSet, expected: Expectation, fit: LiveFit) -> None:
        """A frame set has been fitted."""
        if self._watch.due(frame_set.stamp_ns):
            self._shown = _Shown(frame_set, expected, fit)

    # ---------------------------------------------------------------- the work

    def work(self) -> None:
        """Look at what was shown last, if that has not been done; then take into use what is to be."""
        shown, self._shown = self._shown, None
        if shown is None or self._live.cameras.rig is None:
            return
        live, sighting = self._live, self._sight(shown)
        points_px, seen = sighting.image_px, (sighting.weight > 0) & sighting.confident
        seen &= (seen.sum(1) >= FEWEST_KEYPOINTS)[:, None]
        look = in_numpy(
            live.programs.look(
                shown.fit.qpos,
                shown.fit.qvel,
                live.parameters,
                self._arrays(),
                live.partners,
                replace(
                    self._nothing,
                    image_px=points_px,
                    weight=np.where(seen, sighting.weight, 0.0).astype(np.float32),
                    delay_s=sighting.delay_s,
                    before_px=self._before[0],
                    expected_before_px=self._before[1],
                ),
                self._watch.expected,
            )
        )
        self._before = (np.where(seen[..., None], points_px, np.nan).astype(np.float32), look.expected_px)
        self._watch.take(shown.frame_set.stamp_ns, look)
        proposed = self._watch.proposals() if self._refinement == "accept" else ()
        if proposed:
            self._accept(self._moved(proposed))
        self._say(shown.frame_set.stamp_ns)

    def _say(self, stamp_ns: int) -> None:
        """Now and then, and at once when something is found."""
        said_ns, findings = self._said
        if findings != self._watch.findings or not 0 <= stamp_ns - said_ns < SAY_EVERY_S * 1e9:
            self._said = (stamp_ns, self._watch.findings)
            self.standing = self._stand()

    def _sight(self, shown: _Shown) -> Sighting:
        """The nearest person of each camera, however far the fit would reach."""
        valid = np.asarray(shown.expected.valid) & (self._keypoint_set.weights > 0)
        scale = np.asarray(shown.expected.pixels_per_metre)
        prediction = Prediction(np.asarray(shown.expected.image_px), valid, scale)
        frames = shown.frame_set.frames
        alone = {name: 0 for name, frame in frames.items() if len(frame.points) == 1}
        others = {name: frame for name, frame in frames.items() if name not in alone}
        chosen = alone | nearest_people(others, self._lookout.index, prediction, REACH_M)
        return self._lookout.gather(shown.frame_set, chosen)

    def _arrays(self) -> Cameras:
        """The cameras that are looked through: those in use, but for such as are followed."""
        in_use, increment = self._live.cameras.arrays, self._watch.resection.increment
        if not increment.any():
            return in_use
        last = self._looked_through
        if last is None or last[0] is not in_use or (last[1] != increment).any():
            arrays = jax.device_put(self._watch.resection.applied(in_use), self._live.device)
            last = self._looked_through = (in_use, increment.copy(), arrays)
        return last[2]

    # ---------------------------------------------------------------- what it says

    def proposed(self) -> Rig | None:
        """The rig with the cameras that moved where they were found; None: nothing is known well enough."""
        proposed = self._watch.proposals()
        return self._moved(proposed) if proposed and self._refinement != "off" else None

    def _moved(self, cameras: tuple[int, ...]) -> Rig:
        increments = self._watch.resection.estimate()[0]
        return self._live.cameras.moved({self._names[camera]: increments[camera] for camera in cameras})

    def _stand(self) -> CameraStanding:
        """How the cameras stand now; with the refinement off poses are those in use."""
        cameras, findings = self._live.cameras, self._watch.findings
        rig = cameras.rig or Rig({})
        increments, covariance = self._watch.resection.estimate()
        if self._refinement == "off":
            increments, covariance = np.zeros_like(increments), np.zeros_like(covariance)
        rows = [row for row, name in enumerate(self._names) if name in rig.cameras]
        changed = {self._names[row]: increments[row] for row in rows if increments[row].any()}
        fitted = cameras.moved(changed).cameras if changed else rig.cameras
        poses, moved_m = np.full((len(self._names), 7), np.nan), np.full(len(self._names), np.nan)
        for row in rows:
            camera, before = fitted[self._names[row]], rig.cameras[self._names[row]]
            poses[row] = np.r_[camera.position_m, camera.orientation_xyzw]
            moved_m[row] = np.linalg.norm(camera.position_m - before.position_m)
        # An increment (m, w) in optical axes changes the pose in world by -R'm and -R'w, R camera from world.
        turn = np.kron(np.eye(2), np.asarray(cameras.world_from_camera[0], float))
        proposed = self._watch.proposals() if self._refinement != "off" else ()
        return CameraStanding(
            moved=np.array([finding.hypothesis == MOVED for finding in findings]),
            words=tuple(finding.words for finding in findings),
            poses=poses,
            covariance=turn @ covariance @ turn.transpose(0, 2, 1),
            correction_deg=np.degrees(np.linalg.norm(increments[:, 3:], axis=1)),
            correction_m=moved_m,
            proposed=tuple(self._names[camera] for camera in proposed),
        )
