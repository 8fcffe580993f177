"""The same bag, the same bytes: twice through replay, and through the nodes in replay_mode at any speed.

The recording has a bad day: a camera stops, messages come twice, late, in another order or spoilt, the person leaves.
"""

import pytest
from lab import CAMERAS, KEYPOINT_SET, PATIENCE_S

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.cli import main
from markerless_biomech.recording.bags import open_bag
from markerless_biomech.recording.replay import replay
from markerless_biomech.recording.simulated_bag import write_simulation
from markerless_biomech.settings import EstimatorSettings, SimulationSettings

FAULTS = (
    "camera-stop:cam1@0.8-1.2", "duplicate:cam0@1.2-1.6", "reorder:cam2@1.6-2", "jitter@2-2.5=100ms",
    "nan:cam1@2.6-2.8", "person-leaves@2.8-3.4",
)  # fmt: skip
WALK = SimulationSettings(cameras=3, fps=30.0, seconds=4.5, keypoint_set=KEYPOINT_SET, path="treadmill", faults=FAULTS)
HEIGHT_M = 1.75


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp("bags") / "session"
    write_simulation(WALK, path)
    return path


def exported(bag, folder):
    """Bytes of events.csv and joints.csv."""
    out = folder / "joints.csv"
    main(["export", str(bag), "--format", "csv", "--out", str(out)], standalone_mode=False)
    return [(folder / name).read_bytes() for name in ("events.csv", "joints.csv")]


@pytest.fixture(scope="module")
def expected(bag, tmp_path_factory):
    """Without ROS, frame sets closed by stamps alone, as the nodes do in replay_mode."""
    folder = tmp_path_factory.mktemp("offline")
    replay(bag, subject_from_height(HEIGHT_M, KEYPOINT_SET), folder / "bag", EstimatorSettings(replay_mode=True))
    (folder / "csv").mkdir()
    return exported(folder / "bag", folder / "csv")


def test_the_same_bag_twice_through_replay_gives_the_same_bytes(bag, expected, tmp_path):
    replay(bag, subject_from_height(HEIGHT_M, KEYPOINT_SET), tmp_path / "bag", EstimatorSettings(replay_mode=True))
    (tmp_path / "csv").mkdir()
    again = exported(tmp_path / "bag", tmp_path / "csv")
    assert again == expected
    assert len(again[0].splitlines()) > 3 and len(again[1].splitlines()) > 100


@pytest.mark.ros
@pytest.mark.parametrize("rate", [0.5, 4.0])
def test_the_nodes_in_replay_mode_give_the_same_bytes_at_any_speed(rate, bag, expected, tmp_path):
    from markerless_biomech.nodes.processes import Processes

    out = tmp_path / "bag"
    fitting = {"cameras": list(CAMERAS), "keypoint_set": KEYPOINT_SET, "height_m": HEIGHT_M, "replay_mode": True}
    playing = {"bag": str(bag), "mode": "refit", "rate": rate, "wait_for_subscribers_s": PATIENCE_S}
    with Processes(tmp_path / "logs") as processes:
        processes.start("recorder", {"bag": str(out)})
        processes.start("motion_estimator", fitting)
        processes.start("keypoint_player", playing)
        assert processes.wait("keypoint_player", PATIENCE_S)
        processes.check()
        # What was open is fitted and said when the estimator is stopped; then the recorder has all.
        processes.stop("motion_estimator")
        processes.stop("recorder")
        processes.check()
    with open_bag(out) as result:
        reports = [message for _, message, _ in result.messages({"/fit_report"})]
    dropped = dict(zip(reports[-1].dropped_causes, map(int, reports[-1].dropped_counts), strict=True))
    # Duplicates and spoilt messages are the recording's own; nothing else is lost.
    assert dropped["queue_full"] == dropped["late"] == 0 and dropped["refused"] > 0
    (tmp_path / "csv").mkdir()
    assert exported(out, tmp_path / "csv") == expected
