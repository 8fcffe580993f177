"""What the page says in words and tables, as HTML: state of the track, gait, cameras, steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ..gait.parameters import GaitParameters
from ..gait.values import StepEvent
from ..recording.result_messages import FittedCameras
from ..results import Tracking
from ..scene.colours import CAMERA_COLOURS, CAMERA_STATUSES, SIDE_COLOURS, TRACKING_COLOURS
from .moment import Moment

WORDS = {Tracking.TRACKED: "TRACKING", Tracking.COASTING: "COASTING", Tracking.LOST: "LOST"}
WAITING, _WAITING_COLOUR = "WAITING", "#7A8288"
MEANING = {
    Tracking.TRACKED: "fitted to the images",
    Tracking.COASTING: "predicted: fewer than two usable views",
    Tracking.LOST: "nobody is followed",
}
STEPS_LISTED = 8
_SEEN_M, _SEEN_DEG = 5e-4, 0.05
"""Corrections below both are none."""
_QUIET = "color:#6b7680"
_TABLE = "width:100%;border-collapse:collapse;font-size:12px;line-height:1.65;font-variant-numeric:tabular-nums"
_NOTHING = "–"


def status_card(moment: Moment, where: str) -> str:
    """The state of the track, to be read from across the room; `where`: time, length."""
    tracking = moment.tracking
    word = WAITING if tracking is None else WORDS[tracking]
    colour = _WAITING_COLOUR if tracking is None else TRACKING_COLOURS[tracking]
    words = moment.words.removeprefix("LOST: ") or ("" if tracking is None else MEANING[tracking])
    return (
        f"<div style='margin:4px 10px 8px;padding:9px 12px;border-radius:8px;background:{colour}1f;"
        f"border-left:5px solid {colour}'>"
        f"<div style='display:flex;justify-content:space-between;align-items:baseline'>"
        f"<span style='font-weight:700;letter-spacing:.05em;font-size:17px;color:{colour}'>{word}</span>"
        f"<span style='font-size:13px;font-variant-numeric:tabular-nums'>{escape(where)}</span></div>"
        f"<div style='font-size:12px;{_QUIET};min-height:1.5em'>{escape(words)}</div></div>"
    )


def legend_card() -> str:
    """Which side has which colour."""
    return f"<div style='margin:4px 12px;font-size:12px'>{_sided('left', 'Left')} {_sided('right', 'Right')} " + (
        f"{_sided('', 'Trunk')} <span style='{_QUIET}'>over time, s</span></div>"
    )


def gait_card(gait: GaitParameters | None) -> str:
    """Speed and cadence, and per side length and width of steps and stance."""
    if gait is None:
        return _note("Figures appear with the first stride.")
    head = _tile("Speed", f"{gait.speed_mean_m_s:.2f}", "m/s") + _tile(
        "Cadence", f"{gait.cadence_mean:.0f}", "steps/min"
    )
    rows = [
        ["Step length, m", *(_number(x, 2) for x in gait.step_length_mean_m)],
        ["Step width, m", *(_number(x, 2) for x in gait.step_width_mean_m)],
        ["Stance, %", *(_number(x, 0) for x in gait.stance_mean_percent)],
    ]
    table = _table(["", _sided("left", "Left"), _sided("right", "Right")], rows)
    return f"<div style='display:flex;gap:8px;margin:4px 10px'>{head}</div>{table}"


def camera_card(cameras: FittedCameras | None) -> str:
    """One row a camera: status, residual, how far it is from where the calibration has it."""
    if cameras is None:
        return _note("Nothing is known of the cameras yet.")
    rows = []
    for row, name in enumerate(cameras.names):
        status = CAMERA_STATUSES[int(cameras.status[row])]
        rows.append(
            [
                escape(name),
                _pill(status, CAMERA_COLOURS[status]),
                _number(cameras.residual_px[row], 1),
                _number(100 * cameras.share_used[row], 0),
                _correction(cameras.correction_m[row], cameras.correction_deg[row]),
            ]
        )
    return _table(["Camera", "", "Residual, px", "Used, %", "Off by"], rows)


def _correction(away_m: float, turned_deg: float) -> str:
    """How far a camera is from its calibration."""
    if away_m < _SEEN_M and turned_deg < _SEEN_DEG:
        return _NOTHING
    return f"{1e3 * away_m:.0f} mm, {turned_deg:.1f}°"


def step_card(steps: Sequence[StepEvent], start_ns: int) -> str:
    """The newest events, the last one on top."""
    if not steps:
        return _note("Heel strikes and toe offs appear here.")
    rows = [
        [
            f"{(step.stamp_ns - start_ns) * 1e-9:.2f}",
            _sided(step.side, step.side.capitalize()),
            "Heel strike" if step.type == "heel_strike" else f"<span style='{_QUIET}'>Toe off</span>",
            _number(step.step_length_m, 2),
            _number(step.step_width_m, 2),
        ]
        for step in reversed(steps[-STEPS_LISTED:])
    ]
    return _table(["Time, s", "", "", "Length, m", "Width, m"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML; the first column to the left, the rest to the right."""
    top = "".join(
        f"<th style='font-weight:500;white-space:nowrap;{_QUIET};{_align(i)}'>{cell}</th>"
        for i, cell in enumerate(head)
    )
    body = "".join(
        "<tr style='border-top:1px solid #e6eaee'>"
        + "".join(f"<td style='{_align(i)};white-space:nowrap'>{cell}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<div style='margin:2px 10px 6px'><table style='{_TABLE}'><tr>{top}</tr>{body}</table></div>"


def _align(column: int) -> str:
    return "text-align:left;padding:0 4px 0 0" if column == 0 else "text-align:right;padding:0 0 0 7px"


def _tile(name: str, value: str, unit: str) -> str:
    return (
        "<div style='flex:1;padding:5px 10px;border-radius:6px;background:#f3f6f8'>"
        f"<div style='font-size:11px;{_QUIET}'>{name}</div>"
        f"<div style='font-size:18px;font-weight:600'>{value.replace('nan', _NOTHING)} "
        f"<span style='font-size:11px;font-weight:400;{_QUIET}'>{unit}</span></div></div>"
    )


def _pill(word: str, colour: str) -> str:
    return (
        f"<span style='padding:1px 7px;border-radius:8px;font-size:10.5px;font-weight:600;color:{colour};"
        f"background:{colour}22'>{word}</span>"
    )


def _sided(side: str, word: str) -> str:
    return f"<span style='color:{SIDE_COLOURS[side]};font-weight:600'>{word}</span>"


def _note(words: str) -> str:
    return f"<div style='margin:4px 12px;font-size:12px;{_QUIET}'>{words}</div>"


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else _NOTHING
