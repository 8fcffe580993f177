"""Found steps against true ones, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from markerless_biomech.gait.values import StepEvent
from markerless_biomech.recording.step_evaluation import step_calibration, step_figures
from markerless_biomech.recording.step_judgement import compare_steps, last_revisions


def event(time_s: float, number: int, side: str = "left", **more) -> StepEvent:
    return StepEvent(round(time_s * 1e9), side, "heel_strike", np.zeros(3), number, time_std_s=0.01, **more)


def test_found_missed_and_false_events_are_counted() -> None:
    """True at 1, 2 and 3 s and one outside; found 10 ms late at 1 s, on the wrong foot at 2 s, and at 2.5 s."""
    true = [event(1.0, 1, step_length_m=0.6, step_width_m=0.1), event(2.0, 2), event(3.0, 3), event(9.0, 4)]
    found = [
        event(1.01, 1, step_length_m=0.61, step_width_m=0.08, step_length_std_m=0.01, step_width_std_m=0.01),
        event(2.0, 2, "right"),
        event(2.5, 3),
        event(3.0, 4),
    ]
    comparison = compare_steps(found, true, 0, round(8e9))
    assert (comparison.detected, len(comparison.missed), len(comparison.false)) == (2, 1, 2)
    figures = step_figures(comparison)
    assert figures["events"]["timing_ms"]["heel_strike"] == pytest.approx(5.0)
    assert figures["events"]["timing_ms"]["toe_off"] is None
    assert figures["step_length_mm"] == pytest.approx(10.0)
    assert figures["step_width_mm"] == pytest.approx(20.0)
    assert step_calibration(comparison)["events"] is not None


def test_without_truth_everything_is_null() -> None:
    assert step_figures(None)["events"]["detected"] is None
    assert step_calibration(None) == {"events": None, "steps": None}


def test_the_last_revision_counts_and_withdrawn_events_do_not() -> None:
    told = [event(1.0, 1), event(1.1, 1, revision=1), event(2.0, 2), event(2.0, 2, revision=1, withdrawn=True)]
    assert [(one.id, one.stamp_ns) for one in last_revisions(told)] == [(1, 1_100_000_000)]
