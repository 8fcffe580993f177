"""Tiles and tables of a session's report: how the capture went, in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..results import Tracking
from .plots import joint_words
from .report_page import Tile, fold, paragraph, section, table
from .result_bag import RESULTS, ResultBag

Results = dict[str, dict[str, Any] | None]
"""Answers of evaluate by result; None: the bag has no such result."""

ROWS = (
    ("Frames with a result", "", ("frames",)),
    ("Frame sets without a tracked result", "", ("frames_lost",)),
    ("Reprojection error, median", "px", ("reprojection_px", "median")),
    ("Reprojection error, mean", "px", ("reprojection_px", "mean")),
    ("Keypoints within 5 px", "%", ("gc", "5")),
    ("Keypoints within 10 px", "%", ("gc", "10")),
    ("Keypoints within 20 px", "%", ("gc", "20")),
    ("Change of angle from frame to frame", "deg", ("pose_noise_deg",)),
    ("Joint angle error (RMSE), mean of 34 joints", "deg", ("truth", "joint_rmse_deg", "mean")),
    ("The same without each joint's mean difference", "deg", ("truth", "joint_rmse_debiased_deg", "mean")),
    ("Largest jump that is not in the truth", "deg", ("truth", "max_jump_excess_deg")),
    ("Position error of the keypoint sites (RMSE)", "mm", ("truth", "site_rmse_mm")),
    ("Segment length error, median", "mm", ("truth", "segment_length_mm", "median")),
    ("Keypoints of the truth itself within 5 px", "%", ("truth", "gc", "5")),
    ("Angles within their 90 % interval", "%", ("coverage", "90")),
    ("Calibration error of the angles' intervals", "", ("ece", "joints")),
)
"""Words, unit and keys of the evaluation's table; rows without any value are left out."""


def summary_tiles(session: ResultBag, results: Results) -> list[Tile]:
    """What was captured and how it went."""
    sets_ns = session.frame_sets_ns()
    tiles = [
        Tile(str(len(session.rig)), "cameras"),
        Tile(f"{(sets_ns[-1] - sets_ns[0]) / 1e9:.1f} s", f"{len(sets_ns)} frame sets"),
        _tracking_tile(session.frame_set_tracking()),
    ]
    best = _best(results)
    if best:
        tiles.append(Tile(f"{_value(best['reprojection_px']['median'])} px", "median reprojection error"))
        if best["truth"]:
            tiles.append(
                Tile(f"{best['truth']['joint_rmse_deg']['mean']:.2f}°", f"joint angle error, {best['result']}")
            )
    stages = stage_table_ms(session)
    for stage, words in (("latency", "latency"), ("fit", "time of one fit")):
        if stage in stages:
            tiles.append(Tile(f"{stages[stage][1]:.1f} ms", f"{words}, 95th percentile"))
            break
    return tiles


def _tracking_tile(tracking: np.ndarray) -> Tile:
    """How many of the frame sets have a state; `tracking` (N,) is that of each."""
    share = 100.0 * float(np.mean(tracking == Tracking.TRACKED))
    predicted, lost = (int((tracking == state).sum()) for state in (Tracking.COASTING, Tracking.LOST))
    words = f"; {predicted} predicted, {lost} lost" if share < 100 else ""
    return Tile(f"{share:.1f} %" if share < 100 else "100 %", f"of the frame sets tracked{words}")


def _best(results: Results) -> dict[str, Any] | None:
    """The answer for the best result that was held."""
    return next((results[name] for name in RESULTS if results.get(name)), None)


def stage_table_ms(session: ResultBag) -> dict[str, tuple[float, float, float]]:
    """Median, 95th and 99th percentile in ms of each stage that the fit reports timed."""
    times = {name: np.array([getattr(record.times, name) for record in session.records]) for name in _CLOCKS}
    table = {}
    for stage, (start, end) in _STAGES.items():
        timed = (times[start] > 0) & (times[end] > 0) if session.records else np.zeros(0, bool)
        if timed.any():
            p50, p95, p99 = np.percentile(1000 * (times[end] - times[start])[timed], [50, 95, 99])
            table[stage] = (float(p50), float(p95), float(p99))
    return table


_CLOCKS = ("received_first_s", "received_last_s", "assembled_s", "solve_start_s", "solve_end_s", "published_s")
_STAGES = {
    "gather": ("received_first_s", "received_last_s"),
    "assemble": ("received_last_s", "assembled_s"),
    "wait": ("assembled_s", "solve_start_s"),
    "fit": ("solve_start_s", "solve_end_s"),
    "publish": ("solve_end_s", "published_s"),
    "latency": ("received_last_s", "published_s"),
}
_STAGE_WORDS = {
    "gather": "First to last camera's keypoints",
    "assemble": "Closing the frame set",
    "wait": "Waiting for the fit before",
    "fit": "Fit",
    "publish": "Publishing joint_states",
    "latency": "Last keypoints in to joint_states out",
}


def _find(answer: dict[str, Any] | None, keys: tuple[str, ...]) -> Any:
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


def _value(number: Any, unit: str = "") -> str:
    if number is None:
        return "–"
    if isinstance(number, int):
        return str(number)
    return f"{100 * number:.1f}" if unit == "%" else f"{number:.2f}"


def evaluation_section(results: Results) -> str:
    """HTML of the judgement: a column for each result that the bag holds."""
    names = [name for name in reversed(RESULTS) if results.get(name)]
    rows = []
    for words, unit, keys in ROWS:
        values = [_find(results[name], keys) for name in names]
        if any(value is not None for value in values):
            rows.append([words, *(_value(value, unit) for value in values), unit])
    note = (
        "Points of confidence 0.5 or more. Judged with MuJoCo's C engine and OpenCV, not with the fit's own functions."
    )
    return section("evaluation", "Evaluation", table(["", *names, "unit"], rows) + paragraph(note)) if rows else ""


def joint_section(results: Results) -> str:
    """HTML of each joint's error, where the bag holds the truth."""
    keys = ("truth", "joint_rmse_deg", "per_joint")
    errors = {name: _find(results.get(name), keys) for name in reversed(RESULTS)}
    errors = {name: error for name, error in errors.items() if error}
    if not errors:
        return ""
    joints = next(iter(errors.values()))
    rows = [[joint_words(joint), *(_value(error.get(joint)) for error in errors.values())] for joint in joints]
    return fold("Error of each joint, degrees RMSE", table(["joint", *errors], rows))


def latency_section(session: ResultBag) -> str:
    """HTML of the times of each stage, where the bag holds them."""
    stages = stage_table_ms(session)
    if not stages:
        return ""
    rows = [[_STAGE_WORDS[stage], *(f"{value:.1f}" for value in values)] for stage, values in stages.items()]
    head = ["", "median", "95 %", "99 %"]
    return section("latency", "Time from stage to stage, milliseconds", table(head, rows))


def camera_section(results: Results, session: ResultBag) -> str:
    """HTML of the cameras and how well each agrees."""
    per_camera = _find(_best(results), ("reprojection_px", "per_camera")) or {}
    rows = []
    for name, camera in session.rig.items():
        x, y, z = camera.position_m
        error = per_camera.get(name, {})
        rows.append(
            [
                name,
                f"{camera.width} × {camera.height}",
                camera.distortion_model,
                f"{x:.2f}, {y:.2f}, {z:.2f}",
                str(len(session.keypoints.get(name, []))),
                _value(error.get("median")),
                _value(error.get("mean")),
            ]
        )
    head = ["camera", "image, px", "lens model", "position, m", "messages", "median error, px", "mean error, px"]
    return section("cameras", "Cameras", table(head, rows))
