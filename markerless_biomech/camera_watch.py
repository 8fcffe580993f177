"""Watches the cameras while a person is tracked: which is no longer what it was, what happened, where it is now.

Twenty times a second it looks at the points of all cameras (`camera_look.py`), compares each camera with its own habits
(`camera_habits.py`), lets hypotheses compete for the last second (`camera_hypotheses.py`), and finds the pose of a
camera that moved (`camera_resection.py`). The most suspicious camera is named first; then the others are judged anew
without it, since a wrong camera makes the others look wrong. C cameras.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from .camera_habits import Habits, Wandering
from .camera_hypotheses import AS_BEFORE, MOVED, SOMEBODY_ELSE, SWAPPED, Finding, Verdict, gather, judge
from .camera_resection import ANYWHERE, CALIBRATED, Resection
from .fitting.camera_look import Look

LOOK_EVERY_S = 0.039
"""At least so long from look to look: every third frame set at 60 Hz, every second at 50 and 30, each at 25."""

WINDOW_S = 1.2
"""Time for which the hypotheses compete."""

LOOKS_A_VERDICT, VERDICTS_A_WANDERING = 3, 2
"""How often it is judged, and how often what comes and goes is measured: both take longer than a look."""

FEWEST_LOOKS = 6

FRESH_S = 0.85
"""A camera is judged on so much, at least: left and right are exchanged for a third of a second now and then."""

LEARNING_S = 2.5
"""A camera is judged after it has been watched for so long, and again so long after a gap."""

SURE = 3.0
"""Natural logarithm of the odds at which something is said: 20 to 1."""

SUSPICION = -3.0
"""Log odds that anything has changed from which on nothing is learned; sound cameras stay below."""

DOUBT_S = 4.0
"""A camera that stays suspicious for longer without a verdict has new habits."""

SETTLED_S = 0.4
"""After a verdict, the fit needs so long to forget what the camera told it."""

FOLLOW_EVERY_S = 0.5
"""How often the camera that is looked through moves to where it was found."""

REACH_M = 0.7
"""A person whose points (median) are further from the subject, as a length at the subject, is not looked at."""

WELL_ENOUGH = np.array([0.005] * 3 + [np.radians(0.1)] * 3)
"""(6,) m, rad: standard deviations below which a pose is proposed."""

FARTHEST = np.array([0.3] * 3 + [np.radians(10.0)] * 3)
"""(6,) m, rad: no bump goes so far; somebody else's way through the picture may look like it."""


class CameraWatch:
    """Owned by the estimator; `look` is called with every frame set that was fitted."""

    def __init__(self, cameras: int, keypoints: int):
        self._cameras = cameras
        self._habits = Habits(cameras, keypoints)
        self.resection = Resection(cameras)
        self.findings: tuple[Finding, ...] = (Finding(),) * cameras
        self._looks: deque[tuple[int, Look, np.ndarray]] = deque()
        self._wanderings: deque[tuple[int, Wandering]] = deque()
        self._stamp_ns: int | None = None
        self._fresh_ns = np.zeros(cameras, np.int64)
        """Looks before this say nothing of the camera as it is now."""
        self._doubted_s = np.zeros(cameras)
        self._count = 0
        self._quiet_s = 0.0
        self._verdict: Verdict | None = None
        self._followed_ns = 0

    # ---------------------------------------------------------------- what it says

    @property
    def well(self) -> np.ndarray:
        """(C,) bool: nothing has happened to it, as far as is known."""
        return np.array([finding.hypothesis == AS_BEFORE for finding in self.findings])

    @property
    def expected(self):
        """What the next look compares with."""
        return self._habits.expected

    def proposals(self) -> tuple[int, ...]:
        """Cameras that moved and whose new pose is known well enough, and confirmed by how they fare with it."""
        accused = np.count_nonzero(~self.well)
        if self._verdict is None or not 0 < 2 * accused < self._cameras:
            return ()
        if (self._verdict.against_none[self.well] > SUSPICION).any():
            return ()
        fresh = self._fresh(self._counted())
        std = np.sqrt(np.diagonal(self.resection.covariance(), axis1=1, axis2=2))
        near = np.all(np.abs(self.resection.increment) < FARTHEST, axis=1)
        return tuple(
            camera
            for camera, finding in enumerate(self.findings)
            if finding.hypothesis == MOVED
            and near[camera]
            and (std[camera] < WELL_ENOUGH).all()
            and self.resection.increment[camera].any()
            and self._verdict.winner[camera] == AS_BEFORE
            and fresh[camera]
        )

    # ---------------------------------------------------------------- what happens to it

    def accept(self, camera: int) -> None:
        """It stands where the calibration in use says: that was changed, or the camera was put back."""
        self.resection.settle(camera)
        self._find(camera, Finding())

    def pause(self) -> None:
        """The track, or the body, is another from now on: what was seen lately counts no more."""
        for camera, finding in enumerate(self.findings):
            if finding.hypothesis in (SOMEBODY_ELSE, SWAPPED):
                self._find(camera, Finding())
        self._looks.clear()
        self._wanderings.clear()
        self._verdict, self._stamp_ns, self._quiet_s = None, None, LEARNING_S

    def due(self, stamp_ns: int) -> bool:
        """Whether it is time to look again."""
        return self._stamp_ns is None or stamp_ns - self._stamp_ns >= LOOK_EVERY_S * 1e9

    def take(self, stamp_ns: int, look: Look) -> None:
        """Take in a look (in NumPy), and judge."""
        hop_s = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9
        if not 0.0 <= hop_s < WINDOW_S:
            self.pause()
            hop_s = 0.0
        self._stamp_ns = stamp_ns
        self._quiet_s = max(0.0, self._quiet_s - hop_s)
        self._looks.append((stamp_ns, look, self._checked(look)))
        self._learn(hop_s)
        self._resect(look, hop_s)
        self._count += 1
        if self._count % LOOKS_A_VERDICT == 0 and len(self._looks) >= FEWEST_LOOKS:
            self._judge(LOOKS_A_VERDICT * hop_s)

    def _checked(self, look: Look) -> np.ndarray:
        """(C,) bool: seen, and by two others that can be believed."""
        near = look.misfit_px < REACH_M * look.pixels_per_metre
        seen = (look.count > 0) & (near | ~self.well)
        believed = seen & self.well
        return seen & (believed.sum() - believed >= 2)

    def _counted(self) -> np.ndarray:
        """(N, C) bool: which looks say something of which camera as it is now."""
        return np.array([checked & (stamp_ns >= self._fresh_ns) for stamp_ns, _, checked in self._looks])

    def _fresh(self, counted: np.ndarray) -> np.ndarray:
        """(C,) bool: enough has been seen of the camera as it is now. counted (N, C)."""
        since_ns = np.maximum(self._fresh_ns, self._looks[0][0])
        return (counted.sum(0) >= FEWEST_LOOKS) & ((self._stamp_ns or 0) - since_ns >= FRESH_S * 1e9)

    # ---------------------------------------------------------------- learning

    def _learn(self, hop_s: float) -> None:
        """From what is older than the window: a bump must not become a habit before it is seen."""
        assert self._stamp_ns is not None
        learnt = self.well & ((self._doubted_s == 0.0) | (self._doubted_s > DOUBT_S))
        oldest_ns = self._stamp_ns - round(WINDOW_S * 1e9)
        while self._looks and self._looks[0][0] < oldest_ns:
            _, look, checked = self._looks.popleft()
            self._habits.learn(look, hop_s, learnt & checked)
            still = (checked & learnt) / self._habits.repeats
            self.resection.add(look, hop_s, still, np.ones(self._cameras, bool))
        known = learnt & (self._habits.known_s > 0.5 * LEARNING_S)
        while self._wanderings and self._wanderings[0][0] < oldest_ns:
            self._habits.learn_wandering(
                self._wanderings.popleft()[1], LOOKS_A_VERDICT * VERDICTS_A_WANDERING * hop_s, known
            )

    # ---------------------------------------------------------------- judging

    def _judge(self, hop_s: float) -> None:
        assert self._stamp_ns is not None
        looks, counted, habits = tuple(look for _, look, _ in self._looks), self._counted(), self._habits
        evidence = gather(looks, counted, habits.repeats, self._usual(), habits.expected.noise_m)
        verdict = self._verdict = judge(evidence)
        if self._count % (LOOKS_A_VERDICT * VERDICTS_A_WANDERING) == 0:
            self._wanderings.append((self._stamp_ns, habits.wandering(looks, verdict.usual)))
        ready = (habits.known_s > LEARNING_S) & self._fresh(counted) & (self._quiet_s == 0.0)
        suspicious = ready & (verdict.against_none > SUSPICION)
        self._doubted_s = np.where(suspicious, self._doubted_s + hop_s, 0.0)
        sure = ready & (verdict.log_odds > SURE)
        self._name_the_worst(verdict, sure & self.well & (verdict.winner != AS_BEFORE))
        for camera in np.flatnonzero(sure & ~self.well):
            self._think_again(int(camera), verdict)

    def _usual(self) -> np.ndarray:
        """(C, 8, 8) covariance of changes that are none; of a camera that is followed, also of where it was found."""
        usual = self._habits.usual
        followed = self.resection.increment.any(1)
        if followed.any():
            usual[followed, :6, :6] += self.resection.covariance()[followed]
        return usual

    def _name_the_worst(self, verdict: Verdict, guilty: np.ndarray) -> None:
        """Say what happened to the camera with the strongest evidence; the others are looked at anew without it."""
        if not guilty.any():
            return
        worst = int(np.argmax(np.where(guilty, verdict.against_none, -np.inf)))
        self._find(worst, self._finding(worst, verdict))
        others = self.well
        self._fresh_ns[others] = self._stamp_ns or 0
        self._wanderings.clear()

    def _finding(self, camera: int, verdict: Verdict) -> Finding:
        change = tuple(map(float, verdict.change[camera]))
        return Finding(int(verdict.winner[camera]), float(verdict.log_odds[camera]), change, self._stamp_ns or 0)

    def _find(self, camera: int, finding: Finding) -> None:
        """Believe this of the camera from now on."""
        self.findings = tuple(finding if index == camera else old for index, old in enumerate(self.findings))
        self._habits.trust[camera] = finding.hypothesis == AS_BEFORE
        self._doubted_s[camera] = 0.0
        if finding.hypothesis == MOVED:
            self.resection.forget(camera, ANYWHERE)
        elif finding.hypothesis == AS_BEFORE:
            self.resection.forget(camera, CALIBRATED)
            self._fresh_ns[camera] = self._stamp_ns or 0

    def _think_again(self, camera: int, verdict: Verdict) -> None:
        """A camera that something happened to: still that, something else, or well again?"""
        finding, winner = self.findings[camera], int(verdict.winner[camera])
        followed = bool(self.resection.increment[camera].any())
        if winner == finding.hypothesis and not (followed and winner == MOVED):
            new = self._finding(camera, verdict)
            keep = Finding(winner, max(new.log_odds, finding.log_odds), new.change, finding.since_ns)
            self.findings = tuple(keep if i == camera else old for i, old in enumerate(self.findings))
        elif winner == AS_BEFORE:
            if self._window_is_new(finding) and (not followed or self._is_back(camera)):
                self.accept(camera)
        else:
            self._find(camera, self._finding(camera, verdict))
            self._fresh_ns[camera] = self._stamp_ns or 0

    def _is_back(self, camera: int) -> bool:
        """Whether a camera that moved has been put back."""
        increment, covariance = self.resection.estimate()
        std = np.sqrt(np.diagonal(covariance[camera]))
        return bool((np.maximum(std, np.abs(increment[camera])) < WELL_ENOUGH).all())

    def _window_is_new(self, finding: Finding) -> bool:
        """Whether everything in the window was seen since the finding."""
        return (self._stamp_ns or 0) - finding.since_ns > WINDOW_S * 1e9

    # ---------------------------------------------------------------- the pose of a camera that moved

    def _resect(self, look: Look, hop_s: float) -> None:
        now_ns = self._stamp_ns or 0
        moved = np.array([f.hypothesis == MOVED and now_ns - f.since_ns > SETTLED_S * 1e9 for f in self.findings])
        if not moved.any():
            return
        share = (moved & self._looks[-1][2]) / self._habits.repeats
        self.resection.add(look, hop_s, share, np.zeros(self._cameras, bool))
        if now_ns - self._followed_ns < FOLLOW_EVERY_S * 1e9:
            return
        self._followed_ns = now_ns
        for camera in np.flatnonzero(moved):
            if self._window_is_new(self.findings[camera]):
                first = not self.resection.increment[camera].any()
                self.resection.follow(int(camera))
                # Looks through the old pose are of another camera.
                self._fresh_ns[camera] = now_ns + 1 if first else self._fresh_ns[camera]
                self._tell_place(int(camera))

    def _tell_place(self, camera: int) -> None:
        """The finding tells where the camera was found, now that this is known better than at first sight."""
        finding, place = self.findings[camera], self.resection.increment[camera]
        told = replace(finding, change=(*map(float, place), 0.0, 0.0))
        self.findings = tuple(told if index == camera else old for index, old in enumerate(self.findings))
