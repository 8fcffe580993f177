"""The report's HTML: tiles, pictures with captions, and the table of the evaluation. One file, no network."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from string import Template
from typing import Any

import numpy as np

from ..results import Tracking
from .plots import joint_words
from .result_bag import ResultBag

Results = dict[str, dict[str, Any] | None]
"""Answers of evaluate for 'live' and 'settled'; None: the bag has no such result."""


@dataclass(frozen=True)
class Picture:
    """A figure of the page."""

    name: str
    """File name without ending; the part before '_' names its section."""
    caption: str
    png: bytes


@dataclass(frozen=True)
class Tile:
    """One number at the head of the page."""

    value: str
    words: str


SECTIONS = {
    "skeleton": "The body in the cameras' images",
    "room": "The room",
    "angles": "Joint angles",
    "residuals": "Agreement with the keypoints",
}

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


def page(title: str, tiles: list[Tile], pictures: list[Picture], results: Results, session: ResultBag) -> str:
    """The whole HTML page."""
    sections = [_section(name, heading, pictures) for name, heading in SECTIONS.items()]
    if not pictures:
        sections = ["<section><p class='notice'>The subject was never tracked in this recording.</p></section>"]
    return _PAGE.substitute(
        title=escape(title),
        subtitle=escape(_subtitle(session)),
        tiles="".join(f"<li><b>{escape(tile.value)}</b><span>{escape(tile.words)}</span></li>" for tile in tiles),
        sections="".join(sections),
        evaluation=_evaluation(results),
        joints=_joint_table(results),
        latency=_latency_table(session),
        cameras=_camera_table(results, session),
    )


def summary_tiles(session: ResultBag, results: Results) -> list[Tile]:
    """What was captured and how it went."""
    sets_ns = session.frame_sets_ns()
    tiles = [
        Tile(str(len(session.rig)), "cameras"),
        Tile(f"{(sets_ns[-1] - sets_ns[0]) / 1e9:.1f} s", f"{len(sets_ns)} frame sets"),
        *_tracking_tiles(session),
    ]
    best = results.get("settled") or results.get("live")
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


def _tracking_tiles(session: ResultBag) -> list[Tile]:
    track = session.live if session.live is not None else session.settled
    if track is None:
        return [Tile("0 %", "tracked")]
    sets = max(len(session.frame_sets_ns()), 1)
    count = {state: int((track.tracking == state).sum()) for state in Tracking}
    share = min(100.0, 100.0 * count[Tracking.TRACKED] / sets)
    words = f"tracked; {count[Tracking.COASTING]} frames predicted, {count[Tracking.LOST]} lost"
    return [Tile(f"{share:.1f} %" if share < 100 else "100 %", words)]


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


def _subtitle(session: ResultBag) -> str:
    subject = session.subject
    return (
        f"Subject {subject.name or 'without a name'}, {subject.height_m:.2f} m. Keypoint set "
        f"{session.keypoint_set.name}, {len(session.keypoint_set)} points. Bag {session.path.name}."
    )


def _section(name: str, heading: str, pictures: list[Picture]) -> str:
    figures = "".join(
        f"<figure><img alt='{escape(picture.caption, quote=True)}' src='data:image/png;base64,"
        f"{base64.b64encode(picture.png).decode()}'><figcaption>{escape(picture.caption)}</figcaption></figure>"
        for picture in pictures
        if picture.name.split("_")[0] == name
    )
    return f"<section id='{name}'><h2>{escape(heading)}</h2>{figures}</section>" if figures else ""


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


def _table(head: list[str], rows: list[list[str]]) -> str:
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _evaluation(results: Results) -> str:
    rows = []
    for words, unit, keys in ROWS:
        values = [_find(results[name], keys) for name in ("live", "settled")]
        if any(value is not None for value in values):
            rows.append([words, *(_value(value, unit) for value in values), unit])
    if not rows:
        return ""
    note = (
        "<p>Points of confidence 0.5 or more. Judged with MuJoCo's C engine and OpenCV, "
        "not with the fit's own functions.</p>"
    )
    return (
        f"<section id='evaluation'><h2>Evaluation</h2>{_table(['', 'live', 'settled', 'unit'], rows)}{note}</section>"
    )


def _joint_table(results: Results) -> str:
    keys = ("truth", "joint_rmse_deg", "per_joint")
    live, settled = (_find(results[name], keys) for name in ("live", "settled"))
    names = list(settled or live or {})
    if not names:
        return ""
    rows = [[joint_words(name), _value(_find(live, (name,))), _value(_find(settled, (name,)))] for name in names]
    table = _table(["joint", "live", "settled"], rows)
    return f"<details><summary>Error of each joint, degrees RMSE</summary>{table}</details>"


def _latency_table(session: ResultBag) -> str:
    table = stage_table_ms(session)
    if not table:
        return ""
    rows = [[_STAGE_WORDS[stage], *(f"{value:.1f}" for value in values)] for stage, values in table.items()]
    head = ["", "median", "95 %", "99 %"]
    return f"<section id='latency'><h2>Time from stage to stage, milliseconds</h2>{_table(head, rows)}</section>"


def _camera_table(results: Results, session: ResultBag) -> str:
    best = results.get("settled") or results.get("live")
    per_camera = _find(best, ("reprojection_px", "per_camera")) or {}
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
    return f"<section id='cameras'><h2>Cameras</h2>{_table(head, rows)}</section>"


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { --ink: #1b2733; --quiet: #5f6b76; --line: #e3e8ec; --paper: #ffffff; --ground: #f5f7f9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 48px 28px 80px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 6px; }
h2 { font-size: 19px; letter-spacing: -0.005em; margin: 0 0 16px; }
header p { color: var(--quiet); margin: 0 0 28px; max-width: 80ch; }
ul.tiles { list-style: none; display: flex; flex-wrap: wrap; gap: 12px; padding: 0; margin: 0 0 28px; }
ul.tiles li { flex: 1 1 150px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px 18px; }
ul.tiles b { display: block; font-size: 26px; line-height: 1.15; font-weight: 650; font-variant-numeric: tabular-nums;
  letter-spacing: -0.02em; }
ul.tiles span { display: block; margin-top: 4px; font-size: 13px; line-height: 1.35; color: var(--quiet); }
section, details { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 24px;
  margin: 0 0 20px; }
figure { margin: 0 0 26px; }
figure:last-child { margin-bottom: 0; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption, section > p { color: var(--quiet); font-size: 14px; max-width: 88ch; margin: 10px 0 0; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: var(--quiet); font-size: 13px; padding: 0 12px 8px; }
td { text-align: right; padding: 7px 12px; border-top: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: 16px; }
.notice { font-size: 17px; color: var(--ink); margin: 0; }
@media print { body { background: none; } section, details { break-inside: avoid; border: none; padding: 0 0 20px; } }
</style>
</head>
<body>
<main>
<header><h1>$title</h1><p>$subtitle</p></header>
<ul class="tiles">$tiles</ul>
$sections
$evaluation
$joints
$latency
$cameras
</main>
</body>
</html>
""")
