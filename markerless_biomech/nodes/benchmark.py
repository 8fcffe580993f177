"""`markerless-biomech benchmark`: latency by stage, drops and memory of the live system on this machine.

Three processes: load_generator sends, motion_estimator fits, this one receives. `in_process` leaves ROS out and times
the fit alone.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body.subject import subject_from_height
from ..capture import Capture
from ..devices import enable_compile_cache
from ..errors import InputError
from ..keypoints import load_keypoint_set
from ..recording.message_types import stamp_from_message
from ..settings import EstimatorSettings, SimulationSettings
from ..simulation.virtual_rig import seamless, simulate
from .load_generator import WALK_S
from .memory import resident_mb
from .monitor import Monitor
from .processes import Processes, private_domain

START_LIMIT_S = 600.0
"""Compiling for many cameras for the first time on a slow machine."""
SETTLED_AFTER_S = 10.0
"""Memory is compared from here on."""
WARM_AFTER_S = 1.0
"""The cold start and its queue are not what latency means."""
SWEEP = ((4, 60.0), (8, 60.0), (16, 60.0), (8, 120.0))
STAGES = {
    "receive": ("received_first_s", "received_last_s"),
    "assemble": ("received_last_s", "assembled_s"),
    "wait": ("assembled_s", "solve_start_s"),
    "solve": ("solve_start_s", "solve_end_s"),
    "publish": ("solve_end_s", "published_s"),
}
"""Name and the fit report's times between which it lies."""

Progress = Callable[[float], None]


def run_benchmark(
    cameras: int = 8,
    fps: float = 60.0,
    keypoint_set: str = "bml_movi_87",
    seconds: float = 20.0,
    in_process: bool = False,
    sweep: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Measure; the keys are those of the command's documentation. `sweep`: one answer for each of several rigs."""
    measure = measure_in_process if in_process else measure_live
    if not sweep:
        return measure(cameras, fps, keypoint_set, seconds, progress)
    runs = []
    for index, (count, rate) in enumerate(SWEEP):
        runs.append(measure(count, rate, keypoint_set, seconds, lambda _: None))
        progress((index + 1) / len(SWEEP))
    return {"runs": runs}


def measure_live(cameras: int, fps: float, keypoint_set: str, seconds: float, progress: Progress) -> dict[str, Any]:
    """The three processes."""
    environment = private_domain()
    os.environ.update(environment)
    names = [f"cam{index}" for index in range(cameras)]
    load = {"cameras": cameras, "fps": fps, "keypoint_set": keypoint_set, "seconds": float(seconds)}
    with Monitor(environment) as monitor, Processes(environment=environment) as processes:
        processes.start("motion_estimator", {"cameras": names, "keypoint_set": keypoint_set})
        processes.start("load_generator", load)
        memory_mb = follow(processes, monitor, seconds, progress)
        answer = live_answer(monitor, fps, memory_mb)
    progress(1.0)
    return {"cameras": cameras, "keypoint_set": keypoint_set, "seconds": seconds, **answer}


def follow(processes: Processes, monitor: Monitor, seconds: float, progress: Progress) -> tuple[float, float]:
    """Wait until the generator has ended; the estimator's memory (MB) SETTLED_AFTER_S after its first fit and now."""
    start, settled_mb, memory_mb = time.monotonic(), float("nan"), float("nan")
    while processes.running("load_generator"):
        processes.check()
        if time.monotonic() - start > START_LIMIT_S + 2.0 * seconds:
            raise InputError(f"nothing was measured: {processes.last_words('motion_estimator')}")
        memory_mb = resident_mb(processes.pid("motion_estimator"))
        if np.isnan(settled_mb) and monitor.captured_s >= min(SETTLED_AFTER_S, 0.5 * seconds):
            settled_mb = memory_mb
        progress(min(1.0, monitor.captured_s / seconds))
        time.sleep(0.2)
    processes.check()
    if not monitor.reports:
        raise InputError(f"the estimator fitted nothing: {processes.last_words('motion_estimator')}")
    return settled_mb, memory_mb


def live_answer(monitor: Monitor, fps: float, memory_mb: tuple[float, float]) -> dict[str, Any]:
    """Figures from what the probe has received."""
    first_s = monitor.reports[0].received_first_s
    reports = [report for report in monitor.reports if report.published_s]
    warm = [report for report in reports if report.received_first_s - first_s >= WARM_AFTER_S] or reports
    if not warm:
        raise InputError(f"the subject was never tracked: {monitor.reports[-1].result}")
    late = {name: _between(warm, *edges) for name, edges in STAGES.items()}
    ages = [age for stamp_ns, age in monitor.ages_ms if stamp_ns >= monitor.first_stamp_ns + WARM_AFTER_S * 1e9]
    last = monitor.reports[-1]
    dropped = dict(zip(last.dropped_causes, map(int, last.dropped_counts), strict=True))
    return {
        "latency_ms": percentiles(_between(warm, "received_last_s", "published_s")),
        "end_to_end_ms": percentiles(ages),
        "stages_ms": {name: percentiles(values) for name, values in late.items()},
        "fps": frame_rate(monitor.reports),
        "fps_asked": fps,
        "dropped": sum(dropped.values()),
        "dropped_by_cause": dropped,
        "not_published": len(monitor.reports) - len(reports),
        "rss_mb_start": memory_mb[0],
        "rss_mb_end": memory_mb[1],
        "compile_s": float(monitor.figures.get("compiling took [s]", "nan")),
        "device": device(),
    }


def frame_rate(reports: Sequence[Any]) -> float | None:
    """Frame sets a second, by their stamps; what was reported after the last frame is left out."""
    stamps_ns = [stamp_from_message(report.header.stamp) for report in reports if report.cameras_used]
    if len(stamps_ns) < 2:
        return None
    return (len(stamps_ns) - 1) / ((stamps_ns[-1] - stamps_ns[0]) * 1e-9)


def measure_in_process(
    cameras: int, fps: float, keypoint_set: str, seconds: float, progress: Progress
) -> dict[str, Any]:
    """The fit alone, one frame set after the other as fast as it goes."""
    enable_compile_cache()
    settings = SimulationSettings(cameras=cameras, fps=fps, keypoint_set=keypoint_set, seconds=WALK_S)
    session = simulate(seamless(settings))
    names = tuple(session.rig_nominal.cameras)
    keypoints = load_keypoint_set(keypoint_set)
    capture = Capture(EstimatorSettings(cameras=names), keypoints, subject_from_height(settings.height_m, keypoints))
    capture.estimator.set_rig(session.rig_nominal)
    start = time.monotonic()
    capture.estimator.compile()
    compile_s, latency_ms = time.monotonic() - start, []
    rss_mb_start, count = float("nan"), round(seconds * fps)
    for index in range(count):
        *first, last = session.frame(index)
        for frame in first:
            list(capture.push(frame))  # fitted when it is asked for
        begin = time.monotonic()
        estimates = list(capture.push(replace(last)))
        if any(estimate.live is not None for estimate in estimates):
            latency_ms.append(1e3 * (time.monotonic() - begin))
        if index == count // 2:
            rss_mb_start = resident_mb(os.getpid())
        progress((index + 1) / count)
    return {
        "cameras": cameras,
        "keypoint_set": keypoint_set,
        "seconds": seconds,
        "latency_ms": percentiles(latency_ms),
        "end_to_end_ms": percentiles([]),
        "stages_ms": {"solve": percentiles(latency_ms)},
        "fps": 1e3 / float(np.mean(latency_ms)) if latency_ms else None,
        "dropped": 0,
        "rss_mb_start": rss_mb_start,
        "rss_mb_end": resident_mb(os.getpid()),
        "compile_s": compile_s,
        "device": device(),
    }


def _between(reports: Sequence[Any], begin: str, end: str) -> list[float]:
    """Milliseconds from one of the reports' times to another."""
    return [1e3 * (getattr(report, end) - getattr(report, begin)) for report in reports]


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p95, p99; None without values."""
    return {f"p{q}": float(np.percentile(values, q)) if len(values) else None for q in (50, 95, 99)}


def device() -> str:
    """What the fit ran on, and how many cores there were."""
    import jax

    kind = jax.devices()[0]
    name = kind.device_kind if kind.platform != "cpu" else _processor()
    return f"{kind.platform}: {name}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
