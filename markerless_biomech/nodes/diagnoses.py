"""What diagnostics say, a task at a time: values in, a level and a sentence out. `health.py` gathers and publishes.

Each sentence that is not OK says what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OK, WARN, ERROR, STALE = range(4)
"""As in diagnostic_msgs/DiagnosticStatus."""

OFF_CLOCK_S = 1.0
"""Stamps further from this machine's clock than this are of another clock."""
SETTLED_S = 300.0
"""Memory is compared from here on."""
GROWTH = 0.1
"""Share by which memory may grow after that."""

REMEDIES = {
    "duplicate": "see that only one detector publishes each camera",
    "out_of_order": "look at the network",
    "late": "raise frame_set_deadline_s, or synchronise the clocks",
    "future": "synchronise the clocks",
    "frozen": "look whether an image has stopped",
    "queue_full": "the fit is too slow for this rate: fewer cameras, or a faster machine",
    "no_rig": "cameras are not known yet",
    "refused": "see the log, or 'refused' below",
}
"""What to do when frames are dropped for that cause."""


@dataclass(frozen=True)
class Diagnosis:
    """One line of diagnostics."""

    name: str
    level: int
    text: str
    values: Mapping[str, str] = field(default_factory=dict)


def of_camera(name: str, status: str, complaint: str, found: str) -> Diagnosis:
    """`status` of its stream, what is wrong with that in words, and what was found of its calibration with the odds."""
    level = {"OK": OK, "LATE": WARN, "STALE": WARN}.get(status, ERROR)
    what, _, odds = found.partition("; ")
    text = status + (f": {complaint}" if complaint else "") + (f", but {what}" if what else "")
    level = max(level, WARN) if complaint or what else level
    return Diagnosis(f"camera {name}", level, text, {"found": odds} if odds else {})


def of_assembly(before: Mapping[str, int], now: Mapping[str, int], refusal: str) -> Diagnosis:
    """Camera frames and messages dropped by cause, at the last diagnostics and now; the newest refusal in words."""
    values = {f"dropped: {cause}": str(count) for cause, count in now.items()}
    new = {cause: count - before.get(cause, 0) for cause, count in now.items() if count > before.get(cause, 0)}
    if not new:
        return Diagnosis("assembly", OK, "every frame is used", values)
    cause = max(new, key=lambda name: new[name])
    told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(new.items()))
    remedy = refusal if cause == "refused" and refusal else REMEDIES.get(cause, "")
    return Diagnosis(
        "assembly", WARN, f"dropped since the last report: {told}" + (f"; {remedy}" if remedy else ""), values
    )


def of_events(final: int, withdrawn: int, last_stamp_ns: int, newest_stamp_ns: int) -> Diagnosis:
    """Steps told since the start; stamps of the last one and of the newest frame set, 0: none."""
    values = {"final": str(final), "withdrawn": str(withdrawn)}
    if not last_stamp_ns:
        return Diagnosis("events", OK, "no step yet", values)
    ago_s = max(0.0, (newest_stamp_ns - last_stamp_ns) * 1e-9)
    return Diagnosis("events", OK, f"{final} final events, the last {ago_s:.1f} s ago", values)


def of_memory(now_mb: float, settled_mb: float | None) -> Diagnosis:
    """Memory held now, and SETTLED_S after the start (None: it is not so long ago)."""
    values = {"memory [MB]": f"{now_mb:.0f}"}
    if settled_mb is None:
        return Diagnosis("memory", OK, f"{now_mb:.0f} MB", values)
    growth = now_mb / settled_mb - 1.0
    values["growth [%]"] = f"{100 * growth:.1f}"
    if growth < GROWTH:
        return Diagnosis("memory", OK, f"{now_mb:.0f} MB, {100 * growth:+.1f} % in the long run", values)
    words = f"{now_mb:.0f} MB, {settled_mb:.0f} MB after {SETTLED_S / 60:.0f} min; cleanup and configure free it"
    return Diagnosis("memory", WARN, words, values)


def of_clock(age_s: float | None, resets: int, simulated: bool, starting: bool) -> Diagnosis:
    """Newest stamp against the node's clock (positive: behind; None: not known), and how often time has jumped.

    simulated: the node's clock is /clock; starting: which nobody has published yet.
    """
    values = {"resets": str(resets)}
    if starting:
        return Diagnosis("clock", WARN, "no /clock yet; start what publishes it, or unset use_sim_time", values)
    kind = "/clock" if simulated else "this machine's clock"
    if age_s is None:
        return Diagnosis("clock", OK, "nothing to compare", values)
    values["stamps behind [s]"] = f"{age_s:.3f}"
    if abs(age_s) <= OFF_CLOCK_S:
        return Diagnosis("clock", OK, f"stamps follow {kind}", values)
    direction = "behind" if age_s > 0 else "ahead of"
    mend = "set use_sim_time where a bag is played with /clock, else synchronise the clocks"
    return Diagnosis("clock", WARN, f"stamps are {abs(age_s):.1f} s {direction} {kind}; {mend}", values)


def of_inputs(problems: Mapping[str, str]) -> Diagnosis:
    """What keeps messages from arriving although somebody publishes them, a sentence a topic."""
    if not problems:
        return Diagnosis("inputs", OK, "all publishers can be heard")
    return Diagnosis("inputs", ERROR, "; ".join(problems.values()), dict(problems))
