"""READ FIRST. Heel strikes and toe offs as the samples of the feet come in: told early, revised, final, or withdrawn.

Each sample: smooth the newest instants, weigh how much each speaks for standing, find each foot's likeliest states and
read off where they switch. An event's time is the zero of the foot's log odds of standing, moved by the reference's
delay (`rules.py`); its std is the noise of the odds over their slope, and what remains between people. A pure function
of the sequence of samples: the same samples give the same events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .event_ledger import Candidate, EventLedger
from .evidence import Evidence, standing_evidence
from .foot_track import FootMotion, FootTrack
from .rules import GaitRule, stride_time_s
from .stance_chain import STANCE, SWING, best_path, probabilities
from .steps import SettledFeet, StepBook
from .surface import Belt, Floor
from .values import FootSample, Stance, StepEvent

_SURE = 0.999
_NEAR_S = 0.15
"""Within this of an event its foot must have stood, and swung, for the confidence to be high."""
_UNSETTLED_S = 0.5
"""Live samples decide when no settled ones have come for this long."""


@dataclass(frozen=True)
class _Decided:
    """What is final: everything up to this instant."""

    stamp_ns: int
    stance: tuple[float, float]
    """Probability that the left and the right foot stood then."""


class GaitDetector:
    """Steps of one person."""

    def __init__(self, rule: GaitRule | None = None) -> None:
        # read-only after construction
        self.rule = rule or GaitRule()
        # the walk so far
        self._track = FootTrack(self.rule.smoothing_s, self.rule.progress_s)
        self._ledger = EventLedger(self.rule.publish_confidence, self.rule.revise_s)
        self._begin()

    def _begin(self) -> None:
        """A new walk."""
        self._track.clear()
        self._floor, self._belt = Floor(), Belt(self.rule.belt_speed_m_s)
        self._steps = StepBook()
        self._decided: _Decided | None = None
        self._learned_ns: int | None = None
        self._looked_ns: int | None = None
        self._stance: Stance | None = None

    # ---------------------------------------------------------------- the method

    def update(self, sample: FootSample) -> list[StepEvent]:
        """Take in one sample; what is to be said about events now, in order of time.

        Give settled samples before the live one of the same moment: everything is looked at after a live one, a few
        dozen times a second.
        """
        told = self.reset() if self._is_another_walk(sample) else []
        if not self._track.add(sample):
            return told
        if self._decided is None:
            self._decided = _Decided(sample.stamp_ns - 1, (0.5, 0.5))
        newest_ns = self._track.stamps_ns[-1]
        if (sample.settled and sample.stamp_ns < newest_ns) or self._has_looked(newest_ns):
            return told
        self._looked_ns = newest_ns
        return told + self._look(self._decision_ns(newest_ns))

    def finish(self) -> list[StepEvent]:
        """The recording has ended: decide everything."""
        if self._decided is None:
            return []
        last_ns = self._track.stamps_ns[-1]
        self._track.settled_ns = last_ns
        told = self._look(last_ns) + self._steps.finish()
        return told + self._ledger.withdraw_all()

    def break_off(self) -> list[StepEvent]:
        """The track ended: decide what settled samples reach, withdraw the rest, forget the walk."""
        told = [] if self._decided is None else self._look(self._track.settled_ns)
        return told + self.reset()

    def abandon(self) -> list[StepEvent]:
        """Forget the walk without another look at it, for when that failed."""
        self._steps = StepBook()
        return self.reset()

    def reset(self) -> list[StepEvent]:
        """Forget the walk: what was told and is not final is withdrawn. Ids go on."""
        told = self._steps.finish() + self._ledger.withdraw_all()
        self._begin()
        return told

    def _is_another_walk(self, sample: FootSample) -> bool:
        """The samples broke off, or time went back."""
        if not self._track.stamps_ns:
            return False
        gap_ns = sample.stamp_ns - self._track.stamps_ns[-1]
        limit_ns = round(self.rule.break_s * 1e9)
        return gap_ns > limit_ns or (gap_ns < 0 and sample.stamp_ns < self._track.stamps_ns[0] - limit_ns)

    def _has_looked(self, newest_ns: int) -> bool:
        """The last look was at nearly the same samples."""
        return self._looked_ns is not None and newest_ns - self._looked_ns < self.rule.look_s * 1e9

    def _decision_ns(self, newest_ns: int) -> int:
        """Up to here events are final."""
        by_settled = self._track.settled_ns - round(self.rule.decide_s * 1e9)
        return max(by_settled, newest_ns - round((self.rule.decide_s + _UNSETTLED_S) * 1e9))

    def _look(self, decide_ns: int) -> list[StepEvent]:
        """Find the events after what is decided, and decide up to `decide_ns`."""
        assert self._decided is not None
        new_ns = 0 if self._learned_ns is None else self._learned_ns + 1
        motion = self._track.motion(min(self._decided.stamp_ns, new_ns))
        evidence = standing_evidence(self.rule, motion, self._floor, self._belt.velocity_m_s)
        if self._learn(motion, evidence):
            self._decided = _Decided(self._track.stamps_ns[0] - 1, (0.5, 0.5))
            motion = self._track.motion(0)
            evidence = standing_evidence(self.rule, motion, self._floor, self._belt.velocity_m_s)
        stamps_ns = np.array(self._track.stamps_ns[-len(motion.times_s) :])
        later = int(np.searchsorted(stamps_ns, self._decided.stamp_ns, side="right"))
        feet = [_FootStates.of(self.rule, motion, evidence, foot, later, self._decided) for foot in (0, 1)]
        view = _View(feet, motion, evidence, stamps_ns, later)
        candidates = [one for foot in feet for one in self._candidates(foot, view, decide_ns)]
        self._stance = self._standing(view)
        self._decide(view, decide_ns)
        told = self._ledger.take(candidates)
        return self._steps.measured(told, self._settled_s())

    def stance(self) -> Stance | None:
        """How likely feet and points stood at the newest instants, up to the last look; None before the first."""
        return self._stance

    # ---------------------------------------------------------------- what lasts

    def _settled_s(self) -> float:
        """Settled samples with others on both sides reach to here."""
        return float(self._track.seconds(self._track.settled_ns)) - 3.0 * self.rule.smoothing_s

    def _learn(self, motion: FootMotion, evidence: Evidence) -> bool:
        """Learn floor and belt from what has settled; True when the belt turned out to be another one."""
        stamps_ns = self._track.stamps_ns[-len(motion.times_s) :]
        changed, learned_ns = False, self._learned_ns
        begin = 0 if learned_ns is None else int(np.searchsorted(stamps_ns, learned_ns, side="right"))
        for row in range(begin, int(np.searchsorted(motion.times_s, self._settled_s(), side="right"))):
            self._floor.learn(motion.position_m[row], np.where(motion.known[row], evidence.still[row], 0.0))
            changed |= self._belt.learn(
                motion.times_s[row], motion.velocity_m_s[row], motion.known[row], motion.progress_m_s[row]
            )
            self._steps.settle(
                SettledFeet(
                    float(motion.times_s[row]),
                    motion.position_m[row],
                    evidence.still[row],
                    motion.sample_std_m[row],
                    self._belt.velocity_m_s,
                    motion.progress_m_s[row] - self._belt.velocity_m_s,
                    self._track.origin_ns,
                )
            )
            self._learned_ns = stamps_ns[row]
        return changed

    def _decide(self, view: _View, decide_ns: int) -> None:
        """What lies before `decide_ns` is final from now on."""
        last = int(np.searchsorted(view.stamps_ns, decide_ns, side="right")) - 1 - view.later
        if last >= 0:
            left, right = (_SURE if foot.path[last] == STANCE else 1.0 - _SURE for foot in view.feet)
            self._decided = _Decided(int(view.stamps_ns[view.later + last]), (left, right))
        keep_s = Belt.MEMORY_S if np.isnan(self.rule.belt_speed_m_s) else 3.0 * self.rule.progress_s
        assert self._decided is not None
        self._track.forget_before(self._decided.stamp_ns - round(keep_s * 1e9))

    # ---------------------------------------------------------------- events

    def _candidates(self, foot: _FootStates, view: _View, decide_ns: int) -> list[Candidate]:
        """The foot's switches as events."""
        found = []
        motion, evidence = view.motion, view.evidence
        odds, noise = evidence.foot[:, foot.foot], evidence.foot_std[:, foot.foot]
        for index, state in foot.switches():
            after = _crossing(odds, index, rising=state == STANCE)
            hop_s = motion.times_s[after] - motion.times_s[after - 1]
            rise = odds[after] - odds[after - 1]
            share = float(np.clip(-odds[after - 1] / rise, 0.0, 1.0)) if rise else 0.5
            slope = max(abs(rise) / hop_s, 1.0)
            speed = float(np.linalg.norm(motion.progress_m_s[after] - self._belt.velocity_m_s))
            delay, spread_s = self._reference(state)
            stride_s = self._steps.stride_time_s(motion.times_s[after]) or float(stride_time_s(speed))
            time_s = motion.times_s[after - 1] + share * hop_s + delay * stride_s
            point = foot.foot if state == STANCE else 2 + foot.foot
            found.append(
                Candidate(
                    stamp_ns=self._track.origin_ns + round(time_s * 1e9),
                    foot=foot.foot,
                    type=0 if state == STANCE else 1,
                    time_std_s=float(np.hypot(noise[after] / slope, spread_s)),
                    confidence=foot.confidence(index, motion.times_s),
                    foot_position_m=_position_at(motion, point, time_s),
                    final=bool(view.stamps_ns[index] <= decide_ns),
                )
            )
        return found

    def _standing(self, view: _View) -> Stance:
        """Of the instants that are not decided."""
        stands = np.stack([foot.stance for foot in view.feet], -1)
        return Stance(
            stamps_ns=view.stamps_ns[view.later :],
            foot=stands,
            still=view.evidence.still[view.later :] * np.tile(stands, 2),
            floor_m=self._floor.height_m(view.motion.position_m[view.later :]),
            surface_m_s=self._belt.velocity_m_s,
        )

    def _reference(self, state: int) -> tuple[float, float]:
        """(delay in strides, std) of the event that begins `state`."""
        reference = self.rule.reference
        if state == STANCE:
            return reference.heel_strike, reference.heel_strike_std_s
        return reference.toe_off, reference.toe_off_std_s


@dataclass(frozen=True, eq=False)
class _FootStates:
    """One foot after what is decided."""

    foot: int
    later: int
    """Index of the first instant that is not decided."""
    before: float
    """Probability of stance at the decided instant; 0.5: nothing is known."""
    path: np.ndarray
    """(M,) states."""
    stance: np.ndarray
    """(M,) probability."""

    @staticmethod
    def of(
        rule: GaitRule, motion: FootMotion, evidence: Evidence, foot: int, later: int, decided: _Decided
    ) -> _FootStates:
        """States of foot 0 (left) or 1 (right)."""
        times_s = motion.times_s
        hops_s = np.diff(times_s, prepend=times_s[0] - 1e-3)[later:]
        odds = evidence.foot[later:, foot] * np.minimum(hops_s / rule.independent_s, 1.0)
        before = decided.stance[foot]
        chain = (odds, hops_s, rule.switches_per_s, before)
        return _FootStates(foot, later, before, best_path(*chain), probabilities(*chain))

    def switches(self) -> list[tuple[int, int]]:
        """(index into the motion, state that begins there)."""
        first = self.path[0] if self.before == 0.5 or not len(self.path) else STANCE if self.before > 0.5 else SWING
        states = np.concatenate([[first], self.path])
        changed = np.flatnonzero(np.diff(states))
        return [(self.later + int(row), int(self.path[row])) for row in changed if self.later + row > 0]

    def confidence(self, index: int, times_s: np.ndarray) -> float:
        """That the foot was in one state shortly before and in the other shortly after the switch at `index`."""
        row = index - self.later
        state_after = self.path[row]
        after = self.stance if state_after == STANCE else 1.0 - self.stance
        here_s = times_s[index]
        near = np.abs(times_s[self.later :] - here_s) <= _NEAR_S
        then = near & (times_s[self.later :] >= here_s)
        earlier = near & (times_s[self.later :] < here_s)
        known_before = 1.0 - after[earlier] if earlier.any() else np.zeros(0)
        decided = self.before if state_after == SWING else 1.0 - self.before
        return float(np.max(after[then]) * max(np.max(known_before, initial=0.0), decided if row < 3 else 0.0))


@dataclass(frozen=True, eq=False)
class _View:
    """Everything about the newest instants."""

    feet: list[_FootStates]
    motion: FootMotion
    evidence: Evidence
    stamps_ns: np.ndarray
    """(N,)"""
    later: int
    """Index of the first instant that is not decided."""


def _crossing(odds: np.ndarray, index: int, rising: bool) -> int:
    """Index after the zero crossing of that direction nearest to `index`; `index` itself where there is none."""
    positive = odds > 0.0
    crossings = 1 + np.flatnonzero((positive[1:] == rising) & (positive[:-1] != rising))
    near = crossings[np.abs(crossings - index) <= 6]
    return int(near[np.argmin(np.abs(near - index))]) if near.size else max(index, 1)


def _position_at(motion: FootMotion, point: int, time_s: float) -> np.ndarray:
    """(3,) position of one point at any time within the motion."""
    return np.array([np.interp(time_s, motion.times_s, motion.position_m[:, point, axis]) for axis in range(3)])
