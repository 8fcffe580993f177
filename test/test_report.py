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
from markerless_biomech.errors import InputError
from markerless_biomech.recording.plots import angle_curves, joint_words
from markerless_biomech.recording.report import write_report, write_session_report
from markerless_biomech.recording.report_tables import stage_table_ms, summary_tiles
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
    beside = {path.stem: path.read_bytes() for path in (page.parent / "report_pictures").glob("*.png")}
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


def test_a_report_touches_no_other_report_and_no_other_folder(page: Path, tmp_path: Path) -> None:
    session = made_session(frames=6, cameras=2)
    first = write_session_report(session, tmp_path / "a.html", "a")
    (tmp_path / "b_pictures").mkdir()
    (tmp_path / "b_pictures" / "holiday.jpg").write_text("a beach")
    before = {path.name: path.read_bytes() for path in (tmp_path / "a_pictures").iterdir()}
    with pytest.raises(InputError, match="--force"):
        write_session_report(session, first, "again")
    with pytest.raises(InputError, match="b_pictures holds more than a report's pictures"):
        write_session_report(session, tmp_path / "b.html", "b", force=True)
    with pytest.raises(InputError, match="is a folder"):
        write_session_report(session, tmp_path, "c", force=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "a_pictures").iterdir()} == before
    shorter = made_session(frames=4, cameras=2)
    write_session_report(shorter, first, "again", force=True)
    assert "<title>again</title>" in first.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a_pictures", "b_pictures"]


def test_the_lost_after_the_last_frame_set_is_no_frame_set() -> None:
    """A live node skips states while it is busy, and says LOST when nothing comes any more."""
    session = made_session(frames=30, cameras=2)
    assert session.live is not None and session.settled is not None
    stamps_ns, tracking = session.live.stamps_ns.copy(), session.live.tracking.copy()
    stamps_ns[-1] += 500_000_000
    tracking[-1] = Tracking.LOST
    live = dataclasses.replace(session.live, stamps_ns=stamps_ns, tracking=tracking).where(np.arange(30) % 3 > 0)
    tile = summary_tiles(dataclasses.replace(session, live=live), {})[2]
    assert (tile.value, tile.words) == ("100 %", "of the frame sets tracked")
    settled = session.settled.where(np.arange(30) < 24)
    tile = summary_tiles(dataclasses.replace(session, live=None, settled=settled), {})[2]
    assert (tile.value, tile.words) == ("80.0 %", "of the frame sets tracked; 0 predicted, 6 lost")


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
