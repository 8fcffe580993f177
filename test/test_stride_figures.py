"""Figures of strides and walks for `export` and `report`: the same over ground, on a belt and in any direction."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from made_steps import START_NS

from markerless_biomech.body.subject import Subject
from markerless_biomech.gait.foot_figures import FeetPath
from markerless_biomech.gait.values import StepEvent
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.export_gait import PARAMETER_COLUMNS, STRIDE_COLUMNS, gait_tables
from markerless_biomech.recording.stride_figures import (
    FIGURES,
    StrideFigures,
    Walker,
    pelvis_along_progress_deg,
    sides_of_walks,
    stride_figures,
    walker,
)
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.person import person_subject
from markerless_biomech.simulation.walker import walk

KEYPOINTS = load_keypoint_set("bml_movi_87")
SPEED_M_S, STEP_S = 1.2, 0.55


@cache
def treadmill_walk() -> tuple[Subject, np.ndarray, np.ndarray, tuple[StepEvent, ...]]:
    """Subject, stamps (F,), poses (F, 41) and true events of 5 s on a belt; every step is said to be 0.7 m long."""
    asked = SimulationSettings(path="treadmill", speed_m_s=SPEED_M_S, seconds=5.0)
    subject = person_subject(asked)
    motion = walk(asked, subject)
    stamps_ns = START_NS + np.round(motion.stamps_s * 1e9).astype(np.int64)
    sizes: dict[str, Any] = {"step_length_m": 0.7, "step_width_m": 0.1, "stride_length_m": 1.4, "step_time_s": STEP_S}
    events = tuple(
        StepEvent(START_NS + round(event.time_s * 1e9), event.side, event.type, np.zeros(3), number, **sizes)
        for number, event in enumerate(motion.events)
    )
    return subject, stamps_ns, motion.qpos, events


def carried(qpos: np.ndarray, velocity_m_s: float, turn_deg: float) -> np.ndarray:
    """The poses (F, 41) moved along x and then turned about z."""
    _, stamps_ns, _, _ = treadmill_walk()
    moved, half = qpos.copy(), np.radians(turn_deg) / 2.0
    x, y = qpos[:, 0] + velocity_m_s * (stamps_ns - stamps_ns[0]) * 1e-9, qpos[:, 1]
    moved[:, 0], moved[:, 1] = np.cos(2 * half) * x - np.sin(2 * half) * y, np.sin(2 * half) * x + np.cos(2 * half) * y
    (c, s), (qw, qx, qy, qz) = (np.cos(half), np.sin(half)), qpos[:, 3:7].T
    moved[:, 3:7] = np.stack([c * qw - s * qz, c * qx - s * qy, c * qy + s * qx, c * qz + s * qw], axis=-1)
    return moved


@cache
def walked(velocity_m_s: float = 0.0, turn_deg: float = 0.0) -> Walker:
    """The walker on the belt, or over ground at the belt's speed."""
    subject, stamps_ns, qpos, events = treadmill_walk()
    found = walker(subject, KEYPOINTS, stamps_ns, carried(qpos, velocity_m_s, turn_deg), events)
    assert found is not None
    return found


def figures(walking: Walker) -> np.ndarray:
    """(S, J) of strides away from the ends, where the direction of progress is known from both sides."""
    every = stride_figures(walking)
    first_ns, last_ns = walking.stamps_ns[[0, -1]] + [600_000_000, -600_000_000]
    return np.array([list(one.values.values()) for one in every if first_ns < one.start_ns and one.end_ns < last_ns])


def test_a_belt_is_found_from_the_standing_feet_and_a_floor_stands_still() -> None:
    # heels roll a little over foot flat
    np.testing.assert_allclose(walked().path.surface_m_s, [-SPEED_M_S, 0.0], atol=0.02)
    assert np.all(walked(SPEED_M_S).path.surface_m_s == 0.0)


def test_figures_are_the_same_over_ground_on_a_belt_and_in_any_direction() -> None:
    """float32 kinematics up to 6 m from the origin: 1e-5 m; angles through a foot of 0.2 m: 0.01 degrees."""
    over_ground = figures(walked(SPEED_M_S))
    assert len(over_ground) >= 3 and np.isfinite(over_ground).all()
    np.testing.assert_allclose(figures(walked(SPEED_M_S, 70.0)), over_ground, atol=0.01)
    np.testing.assert_allclose(figures(walked(SPEED_M_S, 180.0)), over_ground, atol=0.01)
    # the belt's velocity is found to 0.02 m/s: its direction to half a degree, the extrapolated centre to 7 mm
    tolerance = np.array([0.5 if figure.unit == "deg" else 0.01 for figure in FIGURES])
    assert np.all(np.abs(figures(walked()) - over_ground) < tolerance)


def test_backwards_pelvis_and_feet_point_as_they_do_forwards() -> None:
    """Time reversed by a belt that runs the other way twice as fast: progress is backwards, the pose is the same."""
    forwards = walked(SPEED_M_S)
    backwards = replace(forwards.path, surface_m_s=np.array([2.0 * SPEED_M_S, 0.0]))
    found = stride_figures(replace(forwards, path=backwards))
    for one, same in zip(found, stride_figures(forwards), strict=True):
        turn = one.values["foot_progression_deg"] - same.values["foot_progression_deg"]
        assert abs(turn) < 5.0  # the way of the hips is not quite straight


def test_list_and_rotation_are_those_of_the_strides_own_side() -> None:
    walking = walked(SPEED_M_S)
    leaning = replace(walking, pelvis_deg=np.tile([-5.0, 3.0, 2.0], (len(walking.stamps_ns), 1)))
    for one in stride_figures(leaning):
        sign = 1.0 if one.side == "right" else -1.0
        found = [one.values[f"pelvis_{name}_deg"] for name in ("tilt", "list", "rotation")]
        np.testing.assert_allclose(found, [-5.0, 3.0 * sign, 2.0 * sign])


def test_the_walkers_pelvis_turns_forward_with_the_leg_that_lands_and_the_trunk_rises_by_centimetres() -> None:
    """Healthy adults: own side 3 to 10 degrees forward at heel strike, centre of mass 2 to 6 cm up and down a stride
    (Perry & Burnfield 2010); the margin sideways is positive."""
    for one in sides_of_walks(stride_figures(walked(SPEED_M_S))):
        assert 2.0 < one.mean["pelvis_rotation_deg"] < 10.0
        assert 0.02 < one.mean["centre_of_mass_rise_m"] < 0.06
        assert 0.0 < one.mean["margin_sideways_m"] < 0.2


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_tables_have_a_row_a_stride_a_row_a_walk_and_side_and_a_row_a_state() -> None:
    walking = walked(SPEED_M_S)
    tables, every = gait_tables(walking), stride_figures(walking)
    strides, sides, centre = (rows(tables[name]) for name in ("strides", "gait_parameters", "centre_of_mass"))
    assert len(strides) == len(every) and tuple(strides[0]) == STRIDE_COLUMNS
    assert [row["side"] for row in sides] == ["left", "right"] and tuple(sides[0]) == PARAMETER_COLUMNS
    for row in sides:
        own = [one.values["stance_percent"] for one in every if one.side == row["side"]]
        assert row["walk"] == "1" and row["stance_n"] == str(len(own))
        assert float(row["stance_mean_percent"]) == pytest.approx(np.mean(own), abs=1e-6)
        assert float(row["stance_std_percent"]) == pytest.approx(np.std(own, ddof=1), abs=1e-6)
        assert float(row["cadence_mean_per_min"]) == pytest.approx(60.0 / STEP_S, abs=1e-5)
        assert float(row["step_length_symmetry"]) == pytest.approx(0.0)
        parts = [float(row[f"{name}_mean_percent"]) for name in ("single_support", "double_support", "swing")]
        assert sum(parts) == pytest.approx(100.0, abs=1e-5)
    assert len(centre) == len(walking.stamps_ns)
    assert np.mean([float(row["vx_m_s"]) for row in centre]) == pytest.approx(SPEED_M_S, abs=0.05)


def test_a_pause_begins_the_next_walk() -> None:
    subject, stamps_ns, qpos, events = treadmill_walk()
    first_ns, last_ns = (stamps_ns[0] + round(share * 5e9) for share in (0.45, 0.55))
    apart = tuple(event for event in events if not first_ns < event.stamp_ns < last_ns)
    cut = tuple(  # as the detector states it: no stride ends at the first strikes of a walk
        replace(event, stride_time_s=np.nan if 0 <= event.stamp_ns - last_ns < 1_100_000_000 else 1.1)
        for event in apart
    )
    walking = walker(subject, KEYPOINTS, stamps_ns, qpos, cut)
    assert walking is not None
    found = sides_of_walks(stride_figures(walking))
    assert [(one.walk, one.side) for one in found] == [(1, "left"), (1, "right"), (2, "left"), (2, "right")]


def broken(one: StrideFigures, from_ns: int, until_ns: int) -> bool:
    return one.start_ns < until_ns and one.end_ns > from_ns


def test_strides_over_a_gap_have_what_the_events_tell_and_nothing_of_the_body() -> None:
    subject, stamps_ns, qpos, events = treadmill_walk()
    from_ns, until_ns = (int(stamps_ns[0]) + round(seconds * 1e9) for seconds in (2.0, 2.5))
    keep = (stamps_ns <= from_ns) | (stamps_ns >= until_ns)
    walking = walker(subject, KEYPOINTS, stamps_ns[keep], carried(qpos, SPEED_M_S, 0.0)[keep], events)
    assert walking is not None
    every = [one for one in stride_figures(walking) if one.start_ns > stamps_ns[0] + 100_000_000]
    assert any(broken(one, from_ns, until_ns) for one in every)
    for one in every:
        assert np.isfinite(one.values["stride_time_s"])
        assert np.isnan(one.values["centre_of_mass_rise_m"]) == broken(one, from_ns, until_ns)
        assert np.isnan(one.values["pelvis_tilt_deg"]) == broken(one, from_ns, until_ns)


def test_the_direction_of_progress_is_that_of_the_walk_after_a_gap_not_of_the_way_there() -> None:
    """Along x, lost for 3 s, along x again beside the first way: the pelvis looks ahead all the time."""
    seen_s = np.arange(0.0, 4.0, 1 / 60)
    times_s = np.concatenate([seen_s, 7.0 + seen_s])
    hips_m = np.zeros((len(times_s), 3))
    hips_m[:, 0], hips_m[len(seen_s) :, 1] = SPEED_M_S * np.tile(seen_s, 2), 2.0
    stamps_ns = START_NS + np.round(times_s * 1e9).astype(np.int64)
    nothing = np.zeros((len(times_s), 2, 3))
    path = FeetPath(stamps_ns, nothing, nothing, hips_m, np.zeros(2))
    looking_ahead = np.tile([1.0, 0.0, 0.0, 0.0], (len(times_s), 1))
    rotation_deg = pelvis_along_progress_deg(path, looking_ahead, 550_000_000)[:, 2]
    np.testing.assert_allclose(rotation_deg, 0.0, atol=1e-3)


def test_nobody_who_took_a_stride_has_no_tables() -> None:
    subject, stamps_ns, qpos, events = treadmill_walk()
    assert walker(subject, KEYPOINTS, stamps_ns, qpos, events[:2]) is None
    assert len(FIGURES) == len({figure.column for figure in FIGURES})
