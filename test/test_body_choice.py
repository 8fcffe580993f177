"""Joints of one's own: the fit finds them as surely as it says, and they are kept only where cameras are foretold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from virtual import circle_rig, images_of, sites_of, swinging

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.personal import PERSONAL, PERSONAL_NAMES
from markerless_biomech.body.population import personal_std
from markerless_biomech.body.shape import SCALES, shape_model, shape_vector
from markerless_biomech.body.subject import Subject, subject_from_height
from markerless_biomech.cameras.frame_set import FrameSet
from markerless_biomech.cameras.rig import camera_arrays
from markerless_biomech.errors import InputError
from markerless_biomech.fitting.judgement import Fitted, judge, measure
from markerless_biomech.fitting.offline import Bundle, Objective, Piece
from markerless_biomech.fitting.residuals import Observations
from markerless_biomech.fitting.shape_prior import shape_prior
from markerless_biomech.keypoints import KeypointFrame, load_keypoint_set
from markerless_biomech.recording.own_joints import GAIN, chosen, left_out_cameras
from markerless_biomech.session import Trial

KEYPOINTS = load_keypoint_set("bml_movi_87")
FRAMES, CAMERAS = 128, 6
TRUE = {
    "hip_centre_outward_r_m": 0.01,
    "hip_centre_outward_l_m": 0.01,
    "hip_centre_forward_r_m": -0.01,
    "knee_axis_frontal_r_rad": np.radians(5.0),
    "knee_axis_frontal_l_rad": np.radians(5.0),
}
LEGS = [JOINT_NAMES.index(f"{joint}_r") for joint in ("hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")]


def squatting() -> np.ndarray:
    """(F, 41) somebody who strides, then bends hips and knees far and turns the thighs out: axes show when used."""
    qpos = swinging(FRAMES, fps=30.0)
    phase = np.linspace(0.0, 4.0 * np.pi, FRAMES)
    far = {"hip_flexion": 30, "knee_angle": 40, "hip_adduction": -12, "hip_rotation": 10}
    for name, reach_deg in far.items():
        for side, shift in (("r", 0.0), ("l", 0.7)):
            column = 7 + JOINT_NAMES.index(f"{name}_{side}")
            qpos[:, column] += np.radians(reach_deg) * (1.0 - np.cos(phase + shift))
    return qpos


def seen(person: Subject, qpos: np.ndarray) -> Piece:
    """Two pixels of noise in six cameras, from the true poses."""
    rig = circle_rig(CAMERAS)
    points = np.stack(list(images_of(rig, sites_of(person, KEYPOINTS, qpos), 2.0).values()), 1)
    observed = Observations(points[..., :2], points[..., 2], np.zeros((FRAMES, CAMERAS), np.float32))
    arrays = camera_arrays(rig, tuple(rig.cameras))
    times_s, noise_m = np.arange(FRAMES) / 30.0, np.full(CAMERAS, 0.01, np.float32)
    return Piece(times_s, qpos.astype(np.float32), observed, arrays, noise_m)


def fitted(piece: Piece, personal: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape, its standard deviations, and poses, from the base model's joints."""
    prior, model = shape_prior(KEYPOINTS, 1.75, 0.01, personal), shape_model(KEYPOINTS)
    start = subject_from_height(1.75, KEYPOINTS)
    start = dataclasses.replace(start, personal=np.zeros(PERSONAL)) if personal else start
    objective, correlation = Objective(model, prior, FRAMES), 1.0
    bundle = Bundle((piece,), shape_vector(start, KEYPOINTS))
    for _ in range(3):
        descent = objective.descend(bundle, correlation, 4)
        bundle, correlation = measure(model, descent.bundle)
    covariance, _ = judge(model, Fitted(bundle, correlation, descent.terms), prior, None)
    return bundle.shape, np.sqrt(np.diagonal(covariance)), bundle.pieces[0].qpos


@pytest.fixture(scope="module")
def qpos() -> np.ndarray:
    return squatting()


@pytest.fixture(scope="module")
def true_numbers() -> np.ndarray:
    return np.array([TRUE.get(name, 0.0) for name in PERSONAL_NAMES])


def test_the_fit_finds_joints_as_surely_as_it_says_and_angles_gain(qpos, true_numbers):
    person = dataclasses.replace(subject_from_height(1.75, KEYPOINTS), personal=true_numbers)
    piece = seen(person, qpos)
    shape, std, own_qpos = fitted(piece, True)
    _, _, base_qpos = fitted(piece, False)
    found, sure = shape[SCALES : SCALES + PERSONAL], std[SCALES : SCALES + PERSONAL]
    standard = (found - true_numbers) / sure
    assert (sure < personal_std()).all()
    assert np.abs(standard).max() < 3.0 and np.sqrt(np.mean(standard**2)) < 1.5
    knees = [PERSONAL_NAMES.index(f"knee_axis_frontal_{side}_rad") for side in "rl"]
    assert (sure[knees] < np.radians(2.0)).all()
    errors = [np.degrees(fit[:, 7:] - qpos[:, 7:])[:, LEGS] for fit in (base_qpos, own_qpos)]
    varying = [np.sqrt(np.mean((error - error.mean(0)) ** 2, 0)).mean() for error in errors]
    assert varying[1] < 0.8 * varying[0]


def test_a_person_without_them_keeps_the_base_models_angles(qpos):
    piece = seen(subject_from_height(1.75, KEYPOINTS), qpos)
    shape, std, own_qpos = fitted(piece, True)
    standard = shape[SCALES : SCALES + PERSONAL] / std[SCALES : SCALES + PERSONAL]
    assert np.abs(standard).max() < 3.0
    error = np.degrees(own_qpos[:, 7:] - qpos[:, 7:])[:, LEGS]
    # what two pixels leave of these angles, with or without joints of one's own
    assert np.sqrt(np.mean((error - error.mean(0)) ** 2, 0)).mean() < 1.0


def test_joints_are_kept_only_where_points_left_out_gain_more_than_noise_would():
    rng = np.random.default_rng(0)
    noise = np.hypot(*rng.normal(0.0, 3.0, (2, 20_000)))
    same = chosen(np.array([noise, noise]), 1.0)
    assert same.kept == "base model" and same.gain == 0.0 and same.base_px == pytest.approx(3.76, rel=0.02)
    # one per mille shorter residuals: 2e-3 of 40 000 squares are 80 variances
    better = chosen(np.array([noise, 0.999 * noise]), 1.0)
    assert better.kept == "personal" and better.gain == pytest.approx(80.0, rel=0.01) and better.gain > GAIN
    assert chosen(np.array([noise, 0.999 * noise]), 4.0).kept == "base model"
    assert chosen(np.array([0.99 * noise, noise]), 1.0).kept == "base model"


def trial(*cameras: str) -> Trial:
    frames = {name: KeypointFrame(name, 0, 0, np.ones((1, 87, 3), np.float32)) for name in cameras}
    return Trial("walk", circle_rig(7), (FrameSet(0, frames, "complete", 0, 0),))


def test_three_cameras_are_left_out_that_every_trial_has():
    everywhere = [f"cam{index}" for index in range(6)]
    assert left_out_cameras([trial(*everywhere), trial(*everywhere, "cam6")]) == ["cam0", "cam2", "cam4"]
    assert left_out_cameras([trial("cam0", "cam1", "cam2")]) == ["cam0", "cam1", "cam2"]
    with pytest.raises(InputError, match="--personal-joints: 2 cameras sent keypoints in every trial; expected"):
        left_out_cameras([trial("cam0", "cam1", "cam2"), trial("cam1", "cam2")])
