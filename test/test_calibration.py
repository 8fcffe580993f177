"""Live calibration without ROS: what is collected, and what becomes of a second process that may fail."""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from virtual import circle_rig, frame_set

from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.nodes.calibration import Collection, Phase, SubjectCalibration
from markerless_biomech.nodes.calibration_messages import CalibrationRequest
from markerless_biomech.nodes.second_process import SecondProcess
from markerless_biomech.nodes.worker import Outcome
from markerless_biomech.results import BodyEstimate, FitReport, MotionEstimate, Tracking
from markerless_biomech.settings import SessionSettings

KEYPOINTS = load_keypoint_set("coco_17")
RIG = circle_rig(3)
PATIENCE_S = 60.0
REQUEST = CalibrationRequest(KEYPOINTS, None, "person", SessionSettings())


@dataclass
class Logger:
    """Remembers what was said."""

    infos: list = field(default_factory=list)
    warnings: list = field(default_factory=list)

    def info(self, sentence):
        self.infos.append(sentence)

    def warning(self, sentence):
        self.warnings.append(sentence)


class Laboratory:
    """A calibration with a clock that stands, whose subjects are kept."""

    def __init__(self):
        self.now_s = 0.0
        self.used = []
        self.logger = Logger()
        self.calibration = SubjectCalibration(self._use, self.logger, "fake_calibration", lambda: self.now_s)

    def _use(self, result):
        self.used.append(result)
        return "subjects/person.yaml"

    def collect(self, name="person"):
        """From the call of the service to the second process."""
        self.calibration.start(replace(REQUEST, name=name), 0.5)
        for index in range(32):
            self.calibration.note(outcome(index), RIG)
        self.calibration.keep_house()
        assert self.calibration.phase is Phase.FITTING

    def keep_house_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            self.calibration.keep_house()
            time.sleep(0.01)


@pytest.fixture
def lab(monkeypatch):
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    lab = Laboratory()
    yield lab
    lab.calibration.stop("the test is over")


def outcome(index, tracking=Tracking.TRACKED, reset=False):
    """Frame set `index` at 60 Hz, and a live result that says `tracking` (None: none at all)."""
    one = frame_set({name: np.ones((1, 17, 3), np.float32) for name in RIG.cameras}, index)
    zero = np.zeros(0)
    live = None
    if tracking is not None:
        live = BodyEstimate(one.stamp_ns, False, tracking, zero, zero, zero, zero, zero, zero)
    estimate = MotionEstimate(live, (), FitReport(one.stamp_ns, "OK"), reset)
    return Outcome(one, estimate, 0, 0, 0, newest=True)


def collected(outcomes, rig=RIG, wanted_s=0.5):
    collection = Collection(wanted_s)
    for one in outcomes:
        collection.add(one, rig)
    return collection


def stamps(collection):
    return [[one.stamp_ns for one in stretch.frame_sets] for stretch in collection.stretches()]


def test_frame_sets_are_collected_until_their_stamps_span_the_time():
    outcomes = [outcome(index) for index in range(60)]
    collection = collected(outcomes)
    assert collection.complete
    # 0.5 s at 60 Hz: 30 steps.
    assert stamps(collection) == [[one.frame_set.stamp_ns for one in outcomes[:31]]]


@pytest.mark.parametrize(
    "interruption", [[outcome(20, Tracking.LOST)], [outcome(20, None)], [outcome(200, reset=True)], []]
)
def test_what_interrupts_the_track_begins_another_stretch_and_does_not_count(interruption):
    first, second = [outcome(i) for i in range(20)], [outcome(i) for i in range(80, 140)]
    collection = collected([*first, *interruption, *second])
    assert collection.complete and 0.5 <= collection.collected_s < 0.52
    lengths = [len(stretch) for stretch in stamps(collection)]
    assert lengths[0] == 20 and len(lengths) == 2


def test_a_camera_that_joins_begins_another_stretch_with_its_own_rig():
    collection, later = Collection(0.5), circle_rig(3)
    for index in range(60):
        collection.add(outcome(index), RIG if index < 10 else later)
    assert [stretch.rig for stretch in collection.stretches()] == [RIG, later]


def test_coasting_is_part_of_a_stretch_but_does_not_count():
    states = [Tracking.TRACKED] * 10 + [Tracking.COASTING] * 6 + [Tracking.TRACKED] * 50
    collection = collected([outcome(index, state) for index, state in enumerate(states)])
    assert [len(stretch) for stretch in stamps(collection)] == [37]


def test_glimpses_are_left_out_when_there_is_more():
    glimpse = [outcome(0), outcome(1), outcome(2, Tracking.LOST)]
    collection = collected(glimpse + [outcome(index) for index in range(3, 60)])
    assert len(stamps(collection)) == 1
    assert stamps(collected(glimpse)) == [[one.frame_set.stamp_ns for one in glimpse[:2]]]


def test_a_calibration_runs_from_collecting_to_the_new_subject(lab):
    assert lab.calibration.status("generic").text == "generic"
    lab.collect()
    assert "31 frame sets" in lab.calibration.words()
    lab.keep_house_until(lambda: not lab.calibration.running)
    assert lab.calibration.phase is Phase.DONE and lab.calibration.words() == "done: subjects/person.yaml"
    [result] = lab.used
    assert result.subject.name == "person"
    status = lab.calibration.status("subject of x.yaml")
    assert status.well and status.text == "subject of x.yaml; calibration done: subjects/person.yaml"
    assert status.values["PJRT_NPROC"] == "1" and status.values["JAX_PLATFORMS"] == "cpu"
    assert int(status.values["nice"]) > os.nice(0)
    lab.collect()


def test_a_second_call_while_one_runs_is_refused_in_words(lab):
    lab.calibration.start(REQUEST, 0.5)
    lab.calibration.note(outcome(0), RIG)
    with pytest.raises(InputError, match=r"a calibration is running \(collecting: 0.0 of 0.5 s\); wait"):
        lab.calibration.start(REQUEST, 0.5)
    lab.calibration.stop("enough")
    lab.collect("hangs")
    with pytest.raises(InputError, match="a calibration is running"):
        lab.calibration.start(REQUEST, 0.5)


def test_progress_is_told_with_the_objective(lab):
    lab.collect("hangs")
    lab.keep_house_until(lambda: "objective" in lab.calibration.words())
    assert lab.calibration.words() == "fitting: 50%, objective 31"


def test_a_killed_process_is_a_failure_in_words_and_another_may_follow(lab):
    lab.collect("hangs")
    lab.keep_house_until(lambda: "objective" in lab.calibration.words())
    os.kill(lab.calibration.pid, signal.SIGKILL)
    lab.keep_house_until(lambda: not lab.calibration.running)
    assert lab.calibration.words().startswith("failed: the second process was ended by SIGKILL")
    assert not lab.calibration.status("generic").well and lab.logger.warnings and not lab.used
    lab.collect()


def test_a_crashed_process_is_quoted(lab):
    lab.collect("crashes")
    lab.keep_house_until(lambda: not lab.calibration.running)
    expected = "failed: the second process ended with code 1: RuntimeError: the fake fell over"
    assert lab.calibration.words() == expected


def test_a_fit_without_an_answer_fails_with_its_sentence(lab):
    lab.collect("refuses")
    lab.keep_house_until(lambda: not lab.calibration.running)
    assert lab.calibration.words() == "failed: nobody can be followed" and not lab.used


def test_a_subject_that_cannot_be_used_is_a_failure_in_words(lab):
    def refuse(_result):
        raise InputError("the disk is full")

    lab.calibration._use = refuse
    lab.collect()
    lab.keep_house_until(lambda: not lab.calibration.running)
    assert lab.calibration.words() == "failed: the disk is full"


def test_stopping_ends_the_second_process_at_once(lab):
    lab.collect("hangs")
    pid = lab.calibration.pid
    lab.calibration.stop("the node was deactivated")
    assert lab.calibration.words() == "failed: the node was deactivated"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_collecting_gives_up_when_nobody_is_tracked(lab):
    lab.calibration.start(REQUEST, 0.5)
    lab.calibration.note(outcome(0, Tracking.LOST), RIG)
    lab.now_s = 4.9
    lab.calibration.keep_house()
    assert lab.calibration.phase is Phase.COLLECTING
    lab.now_s = 5.1
    lab.calibration.keep_house()
    assert lab.calibration.words() == "failed: the subject was tracked for only 0.0 s in 5 s; expected 0.5 s"


def test_no_module_to_run_is_a_failure_in_words(lab):
    lab.calibration._module = "no_such_module"
    lab.collect()
    lab.keep_house_until(lambda: not lab.calibration.running)
    assert "No module named no_such_module" in lab.calibration.words()


def test_the_second_process_ends_with_a_node_that_is_killed(lab, tmp_path):
    code = (
        "import sys, time, pickle\n"
        "from markerless_biomech.nodes.second_process import SecondProcess\n"
        "second = SecondProcess('fake_calibration', pickle.load(sys.stdin.buffer))\n"
        "while not second.take(): time.sleep(0.01)\n"
        "print(second.pid, flush=True)\n"
        "time.sleep(3600)\n"
    )
    node = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    node.stdin.write(pickle.dumps(replace(REQUEST, name="hangs")))
    node.stdin.close()
    pid = int(node.stdout.readline())
    node.kill()
    node.wait()
    node.stdout.close()
    deadline = time.monotonic() + PATIENCE_S
    while _alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_that_has_not_read_its_request_can_be_stopped(lab):
    """The request is larger than what a pipe holds."""
    second = SecondProcess("fake_calibration", replace(REQUEST, name="x" * 1_000_000))
    assert second.stop() and second.ended


def _alive(pid):
    """Whether it runs; what has ended but was not waited for by its new parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
