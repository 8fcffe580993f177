"""`markerless-biomech demo`: the whole live system as processes over DDS, a bag, a report with pictures."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording.definitions import DEFINITION_NAMES
from ..recording.evaluation import evaluate_bag
from ..recording.imports import import_recording
from ..recording.real_recording import HEIGHT_M, fetch_pose2sim_recording
from ..recording.report import write_session_report
from ..recording.result_bag import ResultBag, matched, read_result_bag
from .monitor import Monitor
from .processes import Processes, private_domain

CAMERAS = 4
FPS = 60.0
HEIGHT_OF_WALKER_M = 1.75
START_LIMIT_S = 300.0
"""Compiling for the first time on a slow machine."""
LIVE_SHARE = 0.8
"""Of the progress bar; the rest is the report."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Source:
    """Where the keypoints come from: a node and its parameters, and what the estimator must know."""

    node: str
    parameters: dict[str, Any]
    cameras: tuple[str, ...]
    keypoint_set: str
    height_m: float
    seconds: float


def run_demo(
    real: bool = False,
    seconds: float = 10.0,
    out: Path = Path("out/demo"),
    force: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Run, record, judge; everything is in `out` afterwards. Raises InputError when a process fails."""
    out = prepared_folder(Path(out), force)
    bag = out / "bag"
    source = _real_source(out) if real else _simulated_source(seconds)
    say(f"starting {source.node}, motion_estimator and recorder as processes; their words are in {out / 'logs'}")
    environment = private_domain()
    os.environ.update(environment)
    with Processes(out / "logs", environment) as processes, Monitor(environment) as monitor:
        start_system(processes, source, bag)
        follow(processes, monitor, source, lambda share: progress(LIVE_SHARE * share))
        processes.stop("recorder")
    say("drawing the report")
    answer = judged(bag, out / "report.html", "real cameras" if real else "virtual walker")
    progress(1.0)
    return {"out": out, "bag": bag, "report": out / "report.html", **answer}


def prepared_folder(out: Path, force: bool) -> Path:
    """An empty folder; with `force`, one whose earlier demo is removed. Raises InputError for anything else."""
    if out.exists() and any(out.iterdir()):
        if not force:
            raise InputError(f"{out} exists already; choose another --out, or give --force to replace it")
        if not (out / "logs").is_dir():
            raise InputError(f"{out} is not the folder of an earlier demo, so --force does not replace it")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    return out


def _simulated_source(seconds: float) -> Source:
    """A walk that is shown once."""
    parameters = {
        "cameras": CAMERAS,
        "fps": FPS,
        "seconds": float(seconds),
        "height_m": HEIGHT_OF_WALKER_M,
        "passes": 1,
        "wait_for_subscribers_s": START_LIMIT_S,
    }
    names = tuple(f"cam{index}" for index in range(CAMERAS))
    return Source("rig_simulator", parameters, names, "bml_movi_87", HEIGHT_OF_WALKER_M, seconds)


def _real_source(out: Path) -> Source:
    """The registry's recording, played once."""
    say("fetching a recording of four real cameras (40 MB, the first time only)")
    bag = out / "input"
    session = import_recording(fetch_pose2sim_recording(), bag)
    stamps_ns = [frame.stamp_ns for frame in session.frames]
    parameters = {"bag": str(bag), "wait_for_subscribers_s": START_LIMIT_S}
    cameras = tuple(session.rig.cameras)
    seconds = (max(stamps_ns) - min(stamps_ns)) * 1e-9
    return Source("keypoint_player", parameters, cameras, session.keypoint_set.name, HEIGHT_M, seconds)


def start_system(processes: Processes, source: Source, bag: Path) -> None:
    """Recorder first, so that it misses nothing; the source waits until somebody listens."""
    processes.start("recorder", {"bag": str(bag), "topics": recorded_topics(source.cameras)})
    estimator = {"cameras": source.cameras, "keypoint_set": source.keypoint_set, "height_m": source.height_m}
    processes.start("motion_estimator", estimator)
    processes.start(source.node, source.parameters)


def recorded_topics(cameras: tuple[str, ...]) -> list[str]:
    """Inputs, results and truth."""
    inputs = [f"/{camera}/{topic}" for camera in cameras for topic in ("keypoints", "camera_info")]
    results = ["joint_states", "body_state", "body_state_settled", "step_events", "gait_parameters", "fit_report"]
    results += ["fitted_cameras", "robot_description"]
    definitions = [f"/definitions/{name}" for name in DEFINITION_NAMES]
    truth = ["body_state", "fitted_cameras", "step_events", "definitions/model", "definitions/subject"]
    named = [f"/{name}" for name in results] + [f"/truth/{name}" for name in truth]
    return ["/tf", "/tf_static", *inputs, *named, *definitions]


def follow(processes: Processes, monitor: Monitor, source: Source, progress: Progress) -> None:
    """Return when the source has ended and the last results are in; tell what is going on meanwhile."""
    said, start = "", time.monotonic()
    limit_s = START_LIMIT_S + 3.0 * source.seconds
    while processes.running(source.node):
        processes.check()
        if monitor.diagnosis not in ("", said):
            said = monitor.diagnosis
            say(f"motion_estimator: {said}")
        if time.monotonic() - start > limit_s:
            raise InputError(f"nothing was captured in {limit_s:.0f} s: {processes.last_words('motion_estimator')}")
        progress(min(1.0, monitor.captured_s / source.seconds))
        time.sleep(0.1)
    processes.check()
    if not monitor.reports:
        raise InputError(f"the estimator fitted nothing: {processes.last_words('motion_estimator')}")


def judged(bag: Path, report: Path, title: str) -> dict[str, Any]:
    """Write the report; the figures that a person looks for first."""
    session = read_result_bag(bag)
    write_session_report(session, report, f"Live demo: {title}")
    settled = evaluate_bag(session, "settled", skip_s=0.5)
    truth = settled.get("truth") or {}
    return {
        "frame_sets": fitted_frame_sets(session),
        "frames_lost": settled["frames_lost"],
        "reprojection_px": settled["reprojection_px"]["mean"],
        "joint_rmse_deg": (truth.get("joint_rmse_deg") or {}).get("mean"),
        "latency_ms": latency_ms(session),
    }


def fitted_frame_sets(session: ResultBag) -> int:
    """Frame sets that were fitted: the report that ends the track, when no more came, is of none."""
    stamps_ns = np.array([record.report.stamp_ns for record in session.records], dtype=np.int64)
    return len(matched(session.frame_sets_ns(), np.sort(stamps_ns), session.half_frame_ns)[0])


def latency_ms(session: ResultBag) -> dict[str, float | None]:
    """Percentiles of the time from a frame set's last message to its joint angles."""
    times = [record.times for record in session.records if record.times.published_s]
    if not times:
        return {"p50": None, "p95": None, "p99": None}
    latency = [1e3 * (time.published_s - time.received_last_s) for time in times]
    return {f"p{q}": float(np.percentile(latency, q)) for q in (50, 95, 99)}


def say(text: str) -> None:
    """A remark for the person who waits."""
    print(text, file=sys.stderr, flush=True)
