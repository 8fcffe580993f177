"""What a live calibration asks of its process, and what that process makes of it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from virtual import circle_rig, frame_set

from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.nodes.calibration_messages import CalibrationRequest, Refusal, Stretch
from markerless_biomech.nodes.calibration_process import calibrate, corrected, figures
from markerless_biomech.nodes.configured import calibration_path, measured_height_m
from markerless_biomech.session import Determined, SessionFit
from markerless_biomech.settings import EstimatorSettings, SessionSettings

KEYPOINTS = load_keypoint_set("coco_17")
RIG = circle_rig(3)


def seen(index):
    return frame_set({name: np.ones((1, 17, 3), np.float32) for name in RIG.cameras}, index)


def test_the_process_adds_each_camera_s_offset_to_its_stamps_alone():
    one = seen(3)
    moved = corrected(one, {"cam1": -0.002})
    shifts_ns = {name: frame.stamp_ns - one.stamp_ns for name, frame in moved.frames.items()}
    assert shifts_ns == {"cam0": 0, "cam1": -2_000_000, "cam2": 0} and moved.stamp_ns == one.stamp_ns


def test_frame_sets_without_a_person_are_answered_by_a_refusal_in_words():
    empty = [replace(seen(index), frames={}) for index in range(20)]
    request = CalibrationRequest(
        KEYPOINTS, None, "person", SessionSettings(device="cpu"), stretches=(Stretch(RIG, tuple(empty)),)
    )
    said = []
    calibrate(request, said.append)
    assert isinstance(said[-1], Refusal) and "nobody could be followed" in said[-1].sentence


def test_figures_tell_scales_and_what_the_data_could_not_tell():
    known = Determined("thigh_r", "1", 0.05, 0.0, 0.04, 0.01)
    unseen = Determined("offset left_ear x", "m", 0.0, 0.0, 0.01, 0.0099)
    fit = SessionFit(None, (), (), (known, unseen), {}, 1.0, 3.456)
    assert figures(fit) == {
        "reprojection error [px]": "3.46",
        "scale thigh_r": "1.050 +- 0.010 (known before to 0.040)",
        "not determined by the data": "offset left_ear x",
    }


@pytest.mark.parametrize(
    ("given", "height_m"),
    [({}, None), ({"height_m": 1.6}, 1.6), ({"height_m": 1.6, "subject_file": "x.yaml"}, None)],
)
def test_only_a_height_that_somebody_gave_is_a_measurement(given, height_m):
    assert measured_height_m(EstimatorSettings(**given)) == height_m


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({}, Path("subjects").absolute()),
        ({"subject_file": "/lab/people/ann.yaml"}, Path("/lab/people")),
        ({"subject_file": "/lab/people/ann.yaml", "calibration_folder": "/new"}, Path("/new")),
    ],
)
def test_a_calibration_is_a_new_file_beside_the_old_one(given, folder):
    path = calibration_path(EstimatorSettings(**given), "Ann / left", datetime(2026, 1, 2, 3, 4, 5))
    assert path == folder / "Ann_left_2026-01-02_03-04-05.yaml"
