"""Trials marked in one bag are recordings of their own; pulses of a sync line come out on the exports' time axis."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from made_results import made_session, write_made_bag

from markerless_biomech import cli
from markerless_biomech.errors import InputError
from markerless_biomech.recording.bags import BagWriter, open_bag, types
from markerless_biomech.recording.message_types import header_to_message
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.trial_marks import END_OF_TIME_NS, marked_trials, named_trials, stretches
from markerless_biomech.recording.trials import read_trial
from markerless_biomech.simulation.virtual_rig import START_NS

FRAMES, FPS = 40, 60.0
SECOND_NS = 1_000_000_000
MARKS = {0.0: "", 0.1: "walk", 0.3: "", 0.4: "squat", 0.45: "squat", 0.5: "walk"}
"""Seconds after the start; frames are at k/60 s."""


def after_ns(seconds: float) -> int:
    return START_NS + round(seconds * SECOND_NS)


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """A session with a result, marks, two pulses of 'plate' and a settings text that changes while it is recorded."""
    folder = tmp_path_factory.mktemp("trials")
    plain = write_made_bag(made_session(frames=FRAMES, cameras=2, fps=FPS), folder / "plain")
    with open_bag(plain) as reader, BagWriter(folder / "session") as writer:
        for connection, time_ns, data in reader.raw_messages():
            writer.write_raw(connection.topic, connection.msgtype, data, time_ns, like=connection)
        for seconds, name in MARKS.items():
            writer.write_text("/trial", name, after_ns(seconds))
        for seconds in (-0.25, 0.2):
            pulse = header_to_message(types(), after_ns(seconds), "plate")
            writer.write("/sync_pulse", pulse, max(after_ns(seconds), START_NS))
        writer.write_text("/definitions/settings", "lag_s: 0.3", after_ns(0.05))
        writer.write_text("/definitions/settings", "lag_s: 0.4", after_ns(0.35))
    return folder / "session"


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def answer(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_a_trial_goes_from_its_mark_to_the_next(bag):
    with open_bag(bag) as reader:
        found = {trial.name: (trial.start_ns, trial.end_ns) for trial in marked_trials(reader)}
    assert found == {
        "walk": (after_ns(0.1), after_ns(0.3)),
        "squat": (after_ns(0.4), after_ns(0.5)),
        "walk#2": (after_ns(0.5), END_OF_TIME_NS),
    }


def test_a_mark_that_is_said_again_and_again_is_one_trial():
    assert [(one.start_ns, one.end_ns) for one in stretches([(1, "a"), (2, "a"), (3, "a"), (4, "")])] == [(1, 4)]
    assert stretches([]) == [] == stretches([(1, "")])


def test_a_trial_is_read_as_a_recording_of_its_own(bag):
    session = read_session(bag, trial="walk")
    # frames 6 to 17 are at 0.1 to 0.283 s
    assert [frame.stamp_ns for frame in session.frames] == [after_ns(k / FPS) for k in range(6, 18) for _ in range(2)]
    assert len(session.bodies("body_state_settled")) == 12 and session.name == "walk"
    assert list(session.rig.cameras) == ["cam0", "cam1"] and session.definitions["subject"]
    assert len(read_trial(bag, name="walk")[0].frame_sets) == 12


def test_what_was_defined_later_is_not_of_this_trial(bag):
    assert read_session(bag, trial="walk").definitions["settings"] == "lag_s: 0.3"
    assert read_session(bag, trial="squat").definitions["settings"] == "lag_s: 0.4"


def test_an_unknown_trial_is_answered_with_those_there_are(bag):
    with pytest.raises(InputError, match="no trial 'jump'; marked are walk, squat, walk#2"):
        read_session(bag, trial="jump")
    with pytest.raises(InputError, match="no trial 'walk', for none is marked"):
        read_session(bag.parent / "plain", trial="walk")


def test_calibration_takes_the_named_trials_of_each_bag(bag):
    plain = bag.parent / "plain"
    assert named_trials([bag, plain], ()) == [(bag, ""), (plain, "")]
    assert named_trials([bag, plain], ("squat", "walk")) == [(bag, "squat"), (bag, "walk")]
    with pytest.raises(InputError, match="no trial 'jump'; marked are .*session: walk, squat, walk#2; .*plain: none"):
        named_trials([bag, plain], ("jump",))


def test_export_and_report_take_one_trial(bag, tmp_path):
    assert answer("export", bag, "--trial", "walk", "--out", tmp_path / "joints.csv")["rows"] == 12
    assert answer("report", bag, "--trial", "walk", "--out", tmp_path / "walk.html")["out"]
    assert "session walk" in (tmp_path / "walk.html").read_text()
    refused = run("export", bag, "--trial", "jump", "--out", tmp_path / "jump.csv")
    assert refused.exit_code == 1 and "marked are walk, squat, walk#2" in refused.output


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_pulses_are_on_the_time_axis_of_the_export(bag, tmp_path):
    """time_s is that of joints.csv; offset_s counts from the first row, as mot, trc and c3d do."""
    found = answer("export", bag, "--out", tmp_path / "joints.csv")
    assert found["sync_pulses"] == 2 and found["sync"] == str(tmp_path / "sync.csv")
    pulses, first = rows(tmp_path / "sync.csv"), rows(tmp_path / "joints.csv")[0]
    assert [(one["pulse"], one["name"]) for one in pulses] == [("1", "plate"), ("2", "plate")]
    for pulse, expected_s in zip(pulses, (-0.25, 0.2), strict=True):
        # nanoseconds are exact in the file; a float holds 1.7e9 s to 0.2 us
        assert float(pulse["offset_s"]) == pytest.approx(expected_s, abs=1e-9)
        assert float(pulse["time_s"]) - float(first["time_s"]) == pytest.approx(expected_s, abs=1e-6)


def test_every_motion_format_has_its_pulses_beside_it(bag, tmp_path):
    found = answer("export", bag, "--format", "mot", "--out", tmp_path / "walk.mot")
    assert found["sync"] == str(tmp_path / "walk_sync.csv") and len(rows(tmp_path / "walk_sync.csv")) == 2
    again = answer("export", bag, "--format", "trc", "--out", tmp_path / "walk.trc")
    assert again["sync"] == found["sync"], "the same pulses serve both"
    other = run("export", bag, "--trial", "walk", "--format", "bvh", "--out", tmp_path / "walk.bvh")
    assert other.exit_code == 1 and "walk_sync.csv exists already" in other.output


def test_c3d_holds_the_pulses_of_its_time_as_events(bag, tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    answer("export", bag, "--format", "c3d", "--out", tmp_path / "walk.c3d")
    event = ezc3d.c3d(str(tmp_path / "walk.c3d"))["parameters"]["EVENT"]
    assert event["LABELS"]["value"] == ["plate"] and event["CONTEXTS"]["value"] == ["General"]
    assert np.allclose(event["TIMES"]["value"][:, 0], [0.0, 0.2], atol=1e-6)  # float32


def test_a_pulse_of_another_clock_is_noticed(bag, tmp_path):
    with open_bag(bag.parent / "plain") as reader, BagWriter(tmp_path / "other") as writer:
        for connection, time_ns, data in reader.raw_messages():
            writer.write_raw(connection.topic, connection.msgtype, data, time_ns, like=connection)
        writer.write("/sync_pulse", header_to_message(types(), 5 * SECOND_NS, ""), after_ns(0.1))
    said = run("export", tmp_path / "other", "--out", tmp_path / "joints.csv")
    assert said.exit_code == 0 and "sync_pulse is stamped by another clock than the keypoints" in said.output
