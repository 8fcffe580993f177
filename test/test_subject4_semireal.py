"""The script that turns recorded markers into keypoints, on markers made here and, where they are, on the recording."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_results import made_motion

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.bags import BagWriter
from markerless_biomech.recording.imports import read_session_npz
from markerless_biomech.recording.oracle import BodyOracle, project_px
from markerless_biomech.recording.reference import read_joints_csv
from markerless_biomech.recording.result_messages import body_to_message
from markerless_biomech.recording.session_bag import write_inputs
from markerless_biomech.results import BodyEstimate, Tracking

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import subject4_semireal as semireal  # noqa: E402

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "subject4_walks"
FRAMES = 40


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Markers of our own swinging body in the recording's format: y up, z right, one marker missing for a while."""
    keypoint_set = load_keypoint_set(semireal.MARKERS)
    qpos = made_motion(FRAMES, 100.0)
    markers_m = BodyOracle(subject_from_height(1.70, keypoint_set), keypoint_set).sites_m(qpos)
    y_up = (markers_m * [1.0, -1.0, 1.0])[..., [0, 2, 1]].astype(np.float32)
    y_up[5:9, 3] = np.nan
    time_s = 2.0 + np.arange(FRAMES) / 100.0
    path = tmp_path_factory.mktemp("markers") / "made.npz"
    np.savez(
        path, markers=y_up, marker_names=np.array(keypoint_set.names), marker_t=time_s, rate=100.0, up="y",
        ik=np.column_stack([time_s, np.degrees(qpos[:, 7 + 3])]), ik_cols=np.array(["time", "knee_angle_r"]),
    )  # fmt: skip
    return path


def _made(recording: Path, out: Path, *options: str) -> Path:
    result = CliRunner().invoke(semireal.main, ["make", str(recording), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    return out


def test_the_session_imports_and_reprojects_where_the_markers_are(recording: Path, tmp_path: Path) -> None:
    path = _made(recording, tmp_path / "session.npz", "--noise-px", "0")
    session = read_session_npz(path, semireal.MARKERS)
    markers_m = np.load(path)["markers_m"]
    frame = session.frames[0]
    seen = frame.points[0, :, 2] > 0
    expected = project_px(session.rig.cameras[frame.camera], markers_m[0])
    # pixels are float32
    np.testing.assert_allclose(frame.points[0, seen, :2], expected[seen], atol=1e-3)
    assert seen.all() and len(session.rig.cameras) == 8


def test_a_missing_marker_is_not_seen(recording: Path, tmp_path: Path) -> None:
    keypoints = np.load(_made(recording, tmp_path / "session.npz"))["keypoints"]
    assert np.isfinite(keypoints).all()
    assert (keypoints[:, 5:9, 3, 2] == 0).all() and (keypoints[:, 9:, 3, 2] == 1).all()


def test_the_reference_starts_with_the_session(recording: Path, tmp_path: Path) -> None:
    _made(recording, tmp_path / "session.npz")
    times_s, angles_deg = read_joints_csv(tmp_path / "session_reference.csv")
    assert times_s[0] == 0.0 and list(angles_deg) == ["knee_angle_r"]


def test_judging_finds_a_known_error_of_the_sites(recording: Path, tmp_path: Path) -> None:
    npz = _made(recording, tmp_path / "session.npz")
    session = read_session_npz(npz, semireal.MARKERS)
    content = np.load(npz)
    write_inputs(tmp_path / "in", session.keypoint_set, session.rig, session.frames)
    with BagWriter(tmp_path / "bag") as writer:
        from markerless_biomech.recording.bags import open_bag

        with open_bag(tmp_path / "in") as bag:
            for connection, time_ns, data in bag.raw_messages():
                writer.write_raw(connection.topic, connection.msgtype, data, time_ns, like=connection)
        for row in range(FRAMES - 2):
            sites_m = np.nan_to_num(content["markers_m"][row]) + [0.0, 0.0, 0.02]
            stamp_ns = round(content["stamps_s"][0, row] * 1e9)
            writer.write("/body_state", body_to_message(writer.types, _estimate(stamp_ns, sites_m)), stamp_ns)
    result = CliRunner().invoke(semireal.main, ["judge", str(tmp_path / "bag"), str(npz), "--skip-s", "0.1"])
    live = json.loads(result.output.splitlines()[0])
    assert live["median_mm"] == pytest.approx(20.0, abs=0.1)
    assert live["frames"] == FRAMES - 12 and live["frames_not_tracked"] == 2


def _estimate(stamp_ns: int, sites_m: np.ndarray) -> BodyEstimate:
    return BodyEstimate(
        stamp_ns=stamp_ns,
        settled=False,
        tracking=Tracking.TRACKED,
        qpos=np.r_[np.zeros(3), 1.0, np.zeros(37)],
        qvel=np.zeros(40),
        covariance=np.eye(40),
        sites_m=sites_m,
        sites_std_m=np.ones(len(sites_m)),
        site_seen=np.ones(len(sites_m), dtype=bool),
    )


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of ../shared/data are not here")
def test_the_recorded_walk_becomes_a_session(tmp_path: Path) -> None:
    session = read_session_npz(_made(RECORDINGS / "walking1.npz", tmp_path / "session.npz"), semireal.MARKERS)
    assert len(session.frames) == 8 * 131 and len(session.keypoint_set) == 47
