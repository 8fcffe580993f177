"""A bag can be refitted years later: everything that is needed is in it, and it says what made its results."""

import dataclasses

import numpy as np
import pytest
import yaml

from markerless_biomech.errors import InputError
from markerless_biomech.recording.bags import BagWriter, open_bag
from markerless_biomech.recording.definitions import definition_texts
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.refit import refit
from markerless_biomech.recording.session_bag import write_definitions, write_frame
from markerless_biomech.recording.trials import trial_from_session
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import START_NS, simulate

LATE_NS = 40_000_000
"""By so much the clock of cam1 is ahead."""


@pytest.fixture(scope="module")
def session():
    return simulate(SimulationSettings(cameras=3, fps=30.0, seconds=1.0, keypoint_set="coco_17", path="treadmill"))


def recorded(session, path, *, with_subject=True, offsets=()):
    """What is left of a live recording when subject, keypoint set and rig files are gone: a lab's own keypoint set."""
    own_set = dataclasses.replace(session.keypoint_set, name="labs_own")
    subject = dataclasses.replace(session.subject, keypoint_set="labs_own") if with_subject else None
    cameras = tuple(session.rig_nominal.cameras)
    settings = EstimatorSettings(cameras=cameras, keypoint_set="gone/labs_own.yaml", camera_time_offsets_s=offsets)
    with BagWriter(path) as writer:
        texts = definition_texts(own_set, session.rig_nominal, subject, settings)
        write_definitions(writer, texts, START_NS, "lab/")
        for frame in session.frames(START_NS):
            shift_ns = LATE_NS if frame.camera == "cam1" and offsets else 0
            moved = dataclasses.replace(frame, stamp_ns=frame.stamp_ns + shift_ns)
            write_frame(writer, moved, own_set, session.rig_nominal)
    return path


def test_a_refit_needs_nothing_but_the_bag(session, tmp_path):
    bag = recorded(session, tmp_path / "bag")
    alone, given = tmp_path / "alone", tmp_path / "given"
    subject = dataclasses.replace(session.subject, keypoint_set="labs_own")
    assert refit(bag, None, alone).tracked == refit(bag, subject, given).tracked == 30
    bodies = [read_session(path).bodies("body_state_refit") for path in (alone, given)]
    # the subject's file holds nine digits
    assert np.abs(np.array([a.qpos - b.qpos for a, b in zip(*bodies, strict=True)])).max() < 1e-4
    settings = yaml.safe_load(read_session(alone).definitions["settings"])
    for versions in (settings["versions"], settings["refit"]["versions"]):
        assert {"markerless_biomech", "python", "jax", "mujoco", "numpy"} <= set(versions)


def test_a_bag_without_a_subject_asks_for_one(session, tmp_path):
    with pytest.raises(InputError, match="defines no subject; give --subject"):
        refit(recorded(session, tmp_path / "bag", with_subject=False), None, tmp_path / "out")


def test_clocks_that_were_known_to_be_off_are_put_right(session, tmp_path):
    offsets = (0.0, -LATE_NS * 1e-9, 0.0)
    trial = trial_from_session(read_session(recorded(session, tmp_path / "bag", offsets=offsets)))
    assert len(trial.frame_sets) == 30
    for frame_set in trial.frame_sets:
        assert len(frame_set.frames) == 3 and len({frame.stamp_ns for frame in frame_set.frames.values()}) == 1


def test_a_refit_of_one_trial_holds_that_trial(session, tmp_path):
    bag, marked = recorded(session, tmp_path / "bag"), tmp_path / "marked"
    with open_bag(bag) as reader, BagWriter(marked) as writer:
        for connection, time_ns, data in reader.raw_messages():
            writer.write_raw(connection.topic, connection.msgtype, data, time_ns, like=connection)
        writer.write_text("/lab/trial", "walk", START_NS + 400_000_000)
    summary = refit(marked, None, tmp_path / "out", trial="walk")
    # frames 12 to 29 are at 0.4 s and later
    assert summary.frames == summary.tracked == 18
    assert len(read_session(tmp_path / "out").frames) == 3 * 18
    assert len(read_session(tmp_path / "out", trial="walk").bodies("body_state_refit")) == 18
