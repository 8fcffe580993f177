"""A walk during which something goes wrong, through the live estimator: what is said of the cameras, and what it costs.

The simulator's faults against the estimator, without ROS and without waiting; same arguments, same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.spatial.transform import Rotation

from ..capture import Capture
from ..devices import enable_compile_cache
from ..errors import InputError
from ..results import MotionEstimate, Tracking
from ..settings import EstimatorSettings, SimulationSettings
from ..simulation.faulted_frames import sent_in_order
from ..simulation.faults import KINDS, Fault, parse_fault
from ..simulation.virtual_rig import START_NS, SimulatedSession, simulate
from .plots import GRID, LEFT, MIDDLE, RIGHT, STYLE

FAULT_S = 5.0
"""When it happens, unless the fault's text says otherwise."""

AFTER_S = 10.0
"""By then, after it happened, everything should be as before."""

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class FaultRun:
    """What came of it, frame set by frame set. F frame sets, C cameras."""

    fault: Fault
    cameras: tuple[str, ...]
    time_s: np.ndarray
    """(F,) since the start."""
    error_deg: np.ndarray
    """(F,) root mean square over the joints of the live result; NaN: no result."""
    words: tuple[tuple[str, ...], ...]
    """(F, C) what is said of each camera; empty: nothing."""
    moved: np.ndarray
    """(F, C) bool"""
    version: np.ndarray
    """(F,) calibration in use."""
    camera_deg: np.ndarray
    """(F, C) rotation of the calibration in use from the nominal one."""


def run_fault(
    text: str, settings: SimulationSettings, refinement: str, progress: Progress = lambda _: None
) -> FaultRun:
    """Simulate a walk with one fault and fit it live; `refinement` as the setting camera_refinement."""
    names = tuple(f"cam{index}" for index in range(settings.cameras))
    fault = parse_fault(text, names)
    if not fault.start_s:
        fault = Fault(fault.kind, fault.cameras or _one_of(names, fault), FAULT_S, fault.end_s, fault.sizes)
    if settings.seconds <= fault.start_s:
        raise InputError(
            f"the walk lasts {settings.seconds:g} s and the fault begins at {fault.start_s:g} s; make it longer"
        )
    enable_compile_cache()
    session = simulate(settings)
    estimator_settings = EstimatorSettings(
        cameras=names, keypoint_set=settings.keypoint_set, camera_refinement=refinement
    )
    capture = Capture(estimator_settings, session.keypoint_set, session.subject)
    capture.estimator.set_rig(session.rig_nominal)
    capture.estimator.compile()
    rows: list[dict[str, Any]] = []
    frames = len(session.stamps_ns)
    for count, sent in enumerate(sent_in_order(session, lambda: (fault,), range(frames))):
        for estimate in capture.push(sent.frame):
            rows.append(_row(estimate, session, capture))
        progress(min(1.0, (count + 1) / (frames * len(names))))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    words = tuple(columns.pop("words"))
    return FaultRun(fault, names, words=words, **{name: np.array(values) for name, values in columns.items()})


def _one_of(names: tuple[str, ...], fault: Fault) -> tuple[str, ...]:
    """A fault of cameras that names none happens to the fourth, or the last."""
    return (names[min(3, len(names) - 1)],) if KINDS[fault.kind].of_cameras else ()


def _row(estimate: MotionEstimate, session: SimulatedSession, capture: Capture) -> dict[str, Any]:
    """What there is to say after one frame set."""
    estimator = capture.estimator
    estimator.look_after_cameras()
    time_s = (estimate.report.stamp_ns - START_NS) * 1e-9
    frame = min(round(time_s * session.settings.fps), len(session.motion.qpos) - 1)
    live, standing, count = estimate.live, estimator.care.standing, len(estimator.camera_names)
    error_deg = np.nan
    if live is not None and live.tracking is not Tracking.LOST:
        error_deg = np.degrees(np.sqrt(np.mean((live.qpos[7:] - session.motion.qpos[frame, 7:]) ** 2)))
    assert estimator.rig is not None
    turns = [
        Rotation.from_quat(estimator.rig.cameras[name].orientation_xyzw)
        * Rotation.from_quat(camera.orientation_xyzw).inv()
        for name, camera in session.rig_nominal.cameras.items()
    ]
    return {
        "time_s": time_s,
        "error_deg": error_deg,
        "words": standing.words if standing is not None else ("",) * count,
        "moved": standing.moved if standing is not None else np.zeros(count, bool),
        "version": estimator.calibration_version,
        "camera_deg": np.degrees([turn.magnitude() for turn in turns]),
    }


def fault_answer(run: FaultRun) -> dict[str, Any]:
    """The figures: how soon it was named, the joints' error before, at once and later, whom else it touched."""
    since_s = run.time_s - run.fault.start_s
    guilty = np.array([run.fault.concerns(name) for name in run.cameras]) & KINDS[run.fault.kind].of_cameras
    named = np.array([[bool(word) for word in words] for words in run.words])
    first = np.flatnonzero((since_s >= 0) & named[:, guilty].any(1))
    before = _rms(run.error_deg[(since_s >= -3.0) & (since_s < 0)])
    after = _rms(run.error_deg[(since_s >= AFTER_S - 3.0) & (since_s < AFTER_S)])
    said = [word for words in run.words for word, is_guilty in zip(words, guilty, strict=True) if word and is_guilty]
    falsely = [word for index, words in enumerate(run.words) for row, word in enumerate(words)
               if word and (not guilty[row] or since_s[index] < 0)]  # fmt: skip
    accepted = np.flatnonzero(run.version > 1)
    return {
        "fault": str(run.fault),
        "named_s": float(since_s[first[0]]) if len(first) else None,
        "first_words": said[0] if said else "",
        "last_words": said[-1] if said else "",
        "false_words": sorted(set(falsely)),
        "accepted_s": float(since_s[accepted[0]]) if len(accepted) else None,
        "joint_error_deg": {
            "before": before,
            "worst_second": _worst_second(run, since_s),
            f"{AFTER_S - 3:.0f}_to_{AFTER_S:.0f}_s_after": after,
        },
        "joint_error_ratio": None if after is None or not before else after / before,
        "still_cameras_turned_deg": float(run.camera_deg[:, ~guilty].max(initial=0.0)),
    }


def _rms(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else None


def _worst_second(run: FaultRun, since_s: np.ndarray) -> float | None:
    """Largest root mean square of a second since it happened."""
    seconds = [
        _rms(run.error_deg[(since_s >= start) & (since_s < start + 1.0)]) for start in np.arange(0.0, AFTER_S, 0.25)
    ]
    return max((value for value in seconds if value is not None), default=None)


def fault_figure(run: FaultRun) -> Figure:
    """The joints' error against time, and below it what was said of the cameras."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 4.6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        smooth = _smoothed(run.error_deg, round(0.5 / max(np.median(np.diff(run.time_s)), 1e-3)))
        above.plot(run.time_s, run.error_deg, color=GRID, linewidth=0.8)
        above.plot(run.time_s, smooth, color=LEFT, linewidth=1.6, label="half a second's mean")
        above.set(title=f"Joint error while {run.fault}", ylabel="RMS over joints (deg)", ylim=(0.0, None))
        for axis in (above, below):
            axis.axvline(run.fault.start_s, color=RIGHT, linewidth=1.0)
        for time_s in run.time_s[1:][np.diff(run.version) > 0]:
            above.axvline(time_s, color=MIDDLE, linewidth=1.0, label="new pose taken into use")
        above.legend(loc="upper left")
        for row in range(len(run.cameras)):
            said = np.array([bool(words[row]) for words in run.words])
            below.plot(run.time_s[run.moved[:, row]], np.full(run.moved[:, row].sum(), row), "|", color=RIGHT)
            other = said & ~run.moved[:, row]
            below.plot(run.time_s[other], np.full(other.sum(), row), "|", color=MIDDLE)
        below.set(
            xlabel="time (s)", yticks=range(len(run.cameras)), yticklabels=run.cameras, ylim=(len(run.cameras), -1)
        )
        below.set_title("Red: MOVED; green: something else was found")
    return figure


def _smoothed(values: np.ndarray, frames: int) -> np.ndarray:
    """Running mean; not a number where any value is none."""
    kernel = np.ones(max(1, min(frames, len(values))))
    return np.convolve(values, kernel, mode="same") / np.convolve(np.ones_like(values), kernel, mode="same")
