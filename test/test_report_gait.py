"""The report's section on gait: a table of both sides, and joint angles over the gait cycle where strides allow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_results import START_NS, made_session

from markerless_biomech.gait.parameters import strides
from markerless_biomech.gait.values import StepEvent
from markerless_biomech.recording.report import write_session_report
from markerless_biomech.recording.report_gait import cycle_figure, walk_parameters

STEP_S = 0.5


def walk(steps: int) -> tuple[StepEvent, ...]:
    """Left, right, left, ...: a strike every half second, each foot off 0.1 s after the other's strike."""
    events = []
    for k in range(steps):
        side, other = ("left", "right") if k % 2 == 0 else ("right", "left")
        strike_ns = START_NS + round(k * STEP_S * 1e9)
        strike = StepEvent(
            strike_ns,
            side,
            "heel_strike",
            np.zeros(3),
            2 * k,
            step_length_m=0.7,
            step_width_m=0.1,
            stride_length_m=1.4,
            step_time_s=STEP_S,
            stride_time_s=2.0 * STEP_S if k >= 2 else float("nan"),
        )
        events += [strike, StepEvent(strike_ns + 100_000_000, other, "toe_off", np.zeros(3), 2 * k + 1)]
    return tuple(events)


def session(steps: int):
    """One of 4 s at 30 Hz."""
    return dataclasses.replace(made_session(frames=120, fps=30.0, cameras=2), steps=walk(steps))


def test_figures_of_every_stride_are_in_the_table_and_the_picture_beside_the_page(tmp_path) -> None:
    page = write_session_report(session(8), tmp_path / "report.html", "Walk")
    text = page.read_text()
    assert "Step length" in text and "0.700 ± 0.000" in text and "60.0 ± 0.0" in text
    assert (tmp_path / "report_pictures" / "gait_cycle.png").is_file()


def test_a_side_with_one_stride_has_no_curves() -> None:
    assert cycle_figure(session(8), session(8).settled) is not None
    assert cycle_figure(session(4), session(4).settled) is None
    assert cycle_figure(session(8), None) is None


def test_nobody_who_walked_has_no_figures() -> None:
    assert walk_parameters(()) is None
    found = walk_parameters(walk(8))
    assert found is not None and found.strides == 6
    assert found.speed_mean_m_s == pytest.approx(1.4) and found.cadence_mean == pytest.approx(120.0)


def test_no_stride_spans_two_walks() -> None:
    """The second walk's first strikes state no stride time."""
    first = walk(4)
    later = [
        dataclasses.replace(event, stamp_ns=event.stamp_ns + 2_500_000_000, id=event.id + 100) for event in walk(4)
    ]
    assert len(strides([*first, *later])) == 4
