"""The report is one file that needs nothing else, and says what was captured in words."""

from __future__ import annotations

import base64
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from made_results import made_session, write_made_bag

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.recording.plots import angle_curves, joint_words
from markerless_biomech.recording.report import write_report, write_session_report
from markerless_biomech.recording.report_page import stage_table_ms
from markerless_biomech.results import Tracking


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    session = made_session(frames=30, cameras=3, bystander=True)
    return write_report(write_made_bag(session, folder / "bag"), folder / "report.html", "Trial <1>")


def test_the_page_needs_no_network_and_no_other_file(page: Path) -> None:
    text = page.read_text()
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", text)
    assert "http" not in text and "url(" not in text


def test_every_picture_is_in_the_page_and_beside_it(page: Path) -> None:
    inside = {base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^']+)'", page.read_text())}
    beside = {path.stem: path.read_bytes() for path in (page.parent / "pictures").glob("*.png")}
    assert set(beside) == {
        "skeleton_whole_images", "skeleton_1", "skeleton_2", "skeleton_3", "room", "angles", "residuals",
    }  # fmt: skip
    assert inside == set(beside.values())


def test_title_tiles_and_tables_are_in_words(page: Path) -> None:
    text = page.read_text()
    assert "<title>Trial &lt;1&gt;</title>" in text
    for words in (
        "cameras",
        "frame sets",
        "latency, 95th percentile",
        "Left knee flexion",
        "Reprojection error, median",
    ):
        assert words in text
    assert "None" not in text and "nan" not in re.sub(r"base64,[^']+", "", text)


def test_a_recording_without_truth_or_without_a_track_still_has_a_report(tmp_path: Path) -> None:
    session = made_session(frames=10, cameras=2)
    real = dataclasses.replace(session, truth=None, true_rig=None, true_subject=None, settled=None, records=())
    assert "truth" not in re.sub(r"base64,[^']+", "", write_session_report(real, tmp_path / "a.html", "t").read_text())
    never = dataclasses.replace(session, settled=None, live=None)
    assert "never tracked" in write_session_report(never, tmp_path / "b.html", "t").read_text()


def test_latency_is_from_the_last_keypoints_to_the_published_joints() -> None:
    # the made records: received last at 2 ms, published at 12 ms
    assert stage_table_ms(made_session(frames=5, cameras=2))["latency"][1] == pytest.approx(10.0)


def test_every_joint_has_words_with_its_side() -> None:
    words = [joint_words(name) for name in JOINT_NAMES]
    assert len(set(words)) == 34
    assert joint_words("knee_angle_l") == "Left knee flexion"
    assert all(("Left" in word) == name.endswith("_l") for word, name in zip(words, JOINT_NAMES, strict=True))


def test_curves_break_where_frames_are_missing_or_lost() -> None:
    session = made_session(frames=30, cameras=2)
    assert session.live is not None
    tracking = session.live.tracking.copy()
    tracking[5] = Tracking.LOST
    keep = np.ones(30, dtype=bool)
    keep[15:20] = False
    track = dataclasses.replace(session.live, tracking=tracking).where(keep)
    curves = angle_curves(track, int(track.stamps_ns[0]), session.half_frame_ns)
    assert curves is not None
    assert np.isnan(curves.angles_deg).all(axis=1).nonzero()[0].tolist() == [5, 15]
