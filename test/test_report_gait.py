"""The report's section on gait: a table of both sides, and joint angles over the gait cycle where strides allow."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import pytest
from made_results import START_NS, made_session

from markerless_biomech.errors import InputError
from markerless_biomech.gait.norms import CYCLE_ANGLES, YOUNG_ADULTS, load_norms
from markerless_biomech.gait.parameters import strides
from markerless_biomech.gait.values import StepEvent
from markerless_biomech.recording.report import write_session_report
from markerless_biomech.recording.report_gait import cycle_figure, walk_parameters, walker_of
from markerless_biomech.recording.stride_figures import stride_figures

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


def norms_file(folder: Path) -> Path:
    """Of one joint, with a remark."""
    rows = ["# 20 adults of a made-up lab", "joint,percent,mean_deg,sd_deg"]
    rows += ["knee_angle,0,5,4", "knee_angle,72,60,5", "knee_angle,100,5,4"]
    (folder / "norms.csv").write_text("\n".join(rows) + "\n")
    return folder / "norms.csv"


def session(steps: int):
    """One of 4 s at 30 Hz."""
    return dataclasses.replace(made_session(frames=120, fps=30.0, cameras=2), steps=walk(steps))


def test_figures_of_every_stride_are_in_the_table_and_the_picture_beside_the_page(tmp_path) -> None:
    page = write_session_report(session(8), tmp_path / "report.html", "Walk")
    text = page.read_text()
    assert "Step length" in text and "0.700 ± 0.000" in text and "60.0 ± 0.0" in text
    assert (tmp_path / "report_pictures" / "gait_cycle.png").is_file()


def test_a_side_with_one_stride_has_no_curves() -> None:
    long, short = session(8), session(4)
    assert cycle_figure(walker_of(long, long.settled), long.settled) is not None
    assert cycle_figure(walker_of(short, short.settled), short.settled) is None
    assert cycle_figure(walker_of(long, None), None) is None


def test_norms_lie_behind_the_curves_and_the_caption_says_whose_they_are(tmp_path) -> None:
    walked = session(8)
    walking, norms = walker_of(walked, walked.settled), load_norms(norms_file(tmp_path))
    with_norms, without = (cycle_figure(walking, walked.settled, given) for given in (norms, None))
    assert with_norms is not None and without is not None
    assert "Grey" in with_norms[1] and "20 adults of a made-up lab" in with_norms[1] and "Grey" not in without[1]
    bands = [len(axis.collections) for axis in with_norms[2].axes]
    assert bands == [2 + (joint == "knee_angle") for joint in CYCLE_ANGLES]
    knee = with_norms[2].axes[CYCLE_ANGLES.index("knee_angle")].lines[0]
    np.testing.assert_allclose(np.array(knee.get_xydata(), float), [[0, 5], [72, 60], [100, 5]])


def test_the_norms_that_are_shipped_are_those_of_people_who_walk() -> None:
    norms = load_norms(YOUNG_ADULTS)
    assert "24 healthy young adults" in norms.source and "PeerJ 6:e4640" in norms.source
    hip, knee, ankle = (norms.norm_from_joint[name] for name in ("hip_flexion", "knee_angle", "ankle_angle"))
    # As in every textbook of gait: the knee bends to 60 degrees in early swing, the hip moves by 40, the ankle points
    # down at toe off.
    assert np.argmax(knee.mean_deg) == pytest.approx(73 / 2, abs=1.5) and knee.mean_deg.max() == pytest.approx(
        60, abs=5
    )
    assert np.ptp(hip.mean_deg) == pytest.approx(40, abs=5)
    assert 60 < ankle.percent[np.argmin(ankle.mean_deg)] < 68
    for norm in norms.norm_from_joint.values():
        assert len(norm.percent) == 51 and norm.std_deg.min() > 1.0
        assert norm.mean_deg[0] == pytest.approx(norm.mean_deg[-1], abs=0.05)  # a cycle, to two decimals


def test_every_stride_has_the_size_of_its_step_the_last_too() -> None:
    walked = session(8)
    walking = walker_of(walked, walked.settled)
    assert walking is not None
    sizes = [one.values["step_length_m"] for one in stride_figures(walking)]
    assert np.isfinite(sizes).tolist() == [True] * 6


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("joint,mean_deg\n", "joint,percent,mean_deg,sd_deg"),
        ("joint,percent,mean_deg,sd_deg\n", "no rows"),
        ("joint,percent,mean_deg,sd_deg\nnose,0,1,1\n", "line 2"),
        ("joint,percent,mean_deg,sd_deg\nknee_angle,0,one,1\n", "no number"),
        ("joint,percent,mean_deg,sd_deg\nknee_angle,0,1,-1\n", "standard deviation"),
        ("joint,percent,mean_deg,sd_deg\nknee_angle,0,1,1\nknee_angle,98,1,1\n", "from 0 to 100"),
    ],
)
def test_a_file_of_norms_that_cannot_be_used_says_where_and_what_was_expected(lines, said, tmp_path) -> None:
    (tmp_path / "norms.csv").write_text(lines)
    with pytest.raises(InputError, match="norms.csv") as failure:
        load_norms(tmp_path / "norms.csv")
    assert said in str(failure.value)


def test_public_recordings_become_norms_in_our_signs(tmp_path, monkeypatch) -> None:
    """Two people whose angles are 10 and 14 degrees everywhere: mean 12, SD 2 sqrt(2)."""
    columns = [f"{s}{joint}Angle{a}" for joint in ("Pelvis", "Hip", "Knee", "Ankle") for s in "RL" for a in "XYZ"]
    for number, angle in ((1, 10.0), (2, 14.0)):
        rows = ["\t".join(map(str, [percent, *[angle] * len(columns)])) for percent in range(101)]
        text = "\n".join(["\t".join(["Time", *columns]), *rows]) + "\n"
        (tmp_path / f"WBDS0{number}walkOCang.txt").write_text(text)
    out = tmp_path / "norms.csv"
    monkeypatch.setattr("sys.argv", ["norms_of_fukuchi", str(tmp_path), "--out", str(out)])
    runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "norms_of_fukuchi.py"), run_name="__main__")
    norms = load_norms(out)
    assert "2 healthy adults" in norms.source and "PeerJ" in norms.source
    for joint, mean_deg in {"pelvis_tilt": 0.0, "pelvis_list": -12.0, "hip_flexion": 0.0, "knee_angle": 12.0}.items():
        norm = norms.norm_from_joint[joint]
        assert len(norm.percent) == 51
        np.testing.assert_allclose(norm.mean_deg, mean_deg, atol=0.005)  # two decimals
        np.testing.assert_allclose(norm.std_deg, 2.0 * np.sqrt(2.0), atol=0.005)


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
