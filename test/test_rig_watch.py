"""The check at activation, without ROS: what is collected, and what becomes of what the second process says."""

import time
from dataclasses import dataclass, field, replace

import pytest

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.nodes.rig_check_process import RigCheckRequest, check
from markerless_biomech.nodes.rig_watch import WANTED_S, RigWatch, rig_check_request
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import simulate

PATIENCE_S = 120.0
"""Nothing is asserted about speed; this only ends a test that would wait for ever."""


@dataclass
class Logger:
    infos: list = field(default_factory=list)
    warnings: list = field(default_factory=list)

    def info(self, sentence):
        self.infos.append(sentence)

    def warning(self, sentence):
        self.warnings.append(sentence)


@pytest.fixture(scope="module")
def session():
    return simulate(SimulationSettings(cameras=3, fps=30.0, seconds=WANTED_S + 1.0, keypoint_set="coco_17"))


def watch_of(session, rig):
    logger = Logger()
    watch = RigWatch(logger)
    watch.begin(RigCheckRequest(rig, session.keypoint_set, ()))
    return watch, logger


def finish(watch):
    """Keep house until the second process has said what it has to say."""
    deadline = time.monotonic() + PATIENCE_S
    while "comparing" in watch.status().text:
        assert time.monotonic() < deadline
        watch.keep_house()
        time.sleep(0.05)


def test_a_sound_rig_is_said_to_be_one(session):
    watch, logger = watch_of(session, session.rig_nominal)
    assert "waiting" in watch.status().text
    for frame in session.frames():
        watch.note(frame)
    watch.keep_house()
    finish(watch)
    assert watch.status().well and "agrees" in watch.status().text
    assert logger.warnings == [] and len(logger.infos) == 1


def test_what_is_wrong_is_warned_of_and_stays_in_diagnostics(session):
    cameras = session.rig_nominal.cameras
    wrong = {name: replace(camera, position_m=100.0 * camera.position_m) for name, camera in cameras.items()}
    watch, logger = watch_of(session, Rig(wrong))
    for frame in session.frames():
        watch.note(frame)
    watch.keep_house()
    finish(watch)
    assert not watch.status().well and "centimetres" in watch.status().text
    assert len(logger.warnings) == 1 and list(watch.status().values) == ["all: units"]


def test_nothing_is_kept_before_somebody_is_seen_and_nothing_is_asked_before_it_is_enough(session):
    watch, _ = watch_of(session, session.rig_nominal)
    frames = list(session.frames())
    for frame in frames[:100]:
        watch.note(replace(frame, points=frame.points[:0]))
    watch.keep_house()
    assert watch.collecting and not watch._frames
    for frame in frames[:100]:
        watch.note(frame)
    watch.keep_house()
    assert watch.collecting and len(watch._frames) == 100


def test_a_new_rig_starts_anew_and_deactivation_ends_all(session):
    watch, _ = watch_of(session, session.rig_nominal)
    for frame in list(session.frames())[:50]:
        watch.note(frame)
    watch.begin(RigCheckRequest(session.rig_nominal, session.keypoint_set, ()))
    assert watch.collecting and not watch._frames
    watch.stop()
    assert not watch.collecting and watch.status().text == "not checked"


def test_the_request_holds_the_configured_cameras_and_their_offsets(session):
    settings = EstimatorSettings(cameras=("cam2", "cam0"), camera_time_offsets_s=(0.01, 0.0))
    request = rig_check_request(settings, session.rig_nominal, session.keypoint_set)
    assert set(request.rig.cameras) == {"cam0", "cam2"} and request.time_offsets_s["cam2"] == 0.01


def test_a_request_that_cannot_be_answered_is_refused_in_words(session):
    said = []
    check(RigCheckRequest(Rig({}), session.keypoint_set, tuple(session.frames())), said.append)
    assert "at least two" in said[0].sentence
