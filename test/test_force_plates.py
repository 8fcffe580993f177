"""Events from 3-D markers against force plates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from markerless_biomech.errors import InputError
from markerless_biomech.gait.rules import FORCE_PLATE
from markerless_biomech.recording import force_plates
from markerless_biomech.recording.force_plates import (
    fit_reference,
    leave_one_out,
    mean_absolute_ms,
    plate_table,
    read_plate_walk,
    threshold_crossings,
)

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data"
WALKS = sorted([*RECORDED.glob("moco_walk/*.npz"), *RECORDED.glob("subject4_walks/*.npz")])
recorded = pytest.mark.skipif(not WALKS, reason="the recorded walks with force plates are not here (../shared/data)")


def test_a_threshold_is_crossed_between_samples() -> None:
    """0, 10, 40 N at 0, 10, 20 ms: 20 N after a third of the second interval; down from 50 to 0: after 3/5."""
    times_s, force_n = np.arange(5) * 0.01, np.array([0.0, 10.0, 40.0, 50.0, 0.0])
    (on_s, loading), (off_s, still) = threshold_crossings(times_s, force_n)
    assert loading and not still
    assert on_s == pytest.approx(0.01 + 0.01 / 3.0)
    assert off_s == pytest.approx(0.03 + 0.01 * 0.6)


def test_a_file_without_plates_is_refused_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", markers=np.zeros((2, 1, 3)))
    with pytest.raises(InputError, match="'marker_names' is missing"):
        read_plate_walk(tmp_path / "bare.npz")


@recorded
def test_plate_instants_are_those_of_the_recordings() -> None:
    """The files hold another program's 20 N crossings; interpolation agrees within a tenth of a sample."""
    for path in WALKS:
        content = np.load(path)
        theirs = sorted(zip(content["ev_t"], content["ev_side"], strict=True))
        ours = [(event.stamp_ns * 1e-9, event.side[0].upper()) for event in read_plate_walk(path).events]
        np.testing.assert_allclose([t for t, _ in ours], [float(t) for t, _ in theirs], atol=1e-3)
        assert [side for _, side in ours] == [str(side) for _, side in theirs]


@recorded
def test_events_agree_with_plates_that_the_rule_has_not_seen() -> None:
    """Every counted event found; mean |error| at most 13 ms for heel strikes and 12 ms for toe offs."""
    rows = plate_table(leave_one_out([read_plate_walk(path) for path in WALKS]))
    assert sum(row["missed"] for row in rows) == 0
    assert sum(row["plate_events"] for row in rows) >= 20
    error_ms = mean_absolute_ms(rows)
    assert error_ms["heel_strike"] < 13.0
    assert error_ms["toe_off"] < 12.0


@recorded
def test_the_shipped_reference_is_the_fitted_one() -> None:
    """Within 0.1 % of a stride, 1 ms."""
    fitted = fit_reference([read_plate_walk(path) for path in WALKS])
    assert fitted.name == force_plates.FORCE_PLATE.name
    assert fitted.heel_strike == pytest.approx(FORCE_PLATE.heel_strike, abs=1e-3)
    assert fitted.toe_off == pytest.approx(FORCE_PLATE.toe_off, abs=1e-3)
