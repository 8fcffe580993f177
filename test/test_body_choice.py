"""Joints of one's own and skin that slides: the fit finds them as surely as it says, and they are kept only where
cameras that were left out are foretold better."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from virtual import circle_rig, images_of, sites_of, swinging

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.personal import PERSONAL, PERSONAL_NAMES
from markerless_biomech.body.population import personal_std, slide_std_m_per_rad
from markerless_biomech.body.shape import SCALES, shape_model, shape_names, shape_vector, with_shape
from markerless_biomech.body.soft_tissue import slides_at_zero, sliding_keypoints
from markerless_biomech.body.subject import Subject, subject_from_height
from markerless_biomech.cameras.frame_set import FrameSet
from markerless_biomech.cameras.rig import camera_arrays
from markerless_biomech.errors import InputError
from markerless_biomech.fitting.bundle import Bundle, Piece
from markerless_biomech.fitting.judgement import Fitted, judge, measure
from markerless_biomech.fitting.offline import Objective
from markerless_biomech.fitting.residuals import Observations
from markerless_biomech.fitting.shape_prior import shape_prior
from markerless_biomech.fitting.soft_tissue_prior import with_soft_tissue
from markerless_biomech.keypoints import KeypointFrame, load_keypoint_set
from markerless_biomech.recording import body_choice
from markerless_biomech.recording.body_choice import GAIN, chosen, left_out_cameras
from markerless_biomech.session import Determined, SessionFit, Trial
from markerless_biomech.settings import SessionSettings

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


@dataclasses.dataclass
class Found:
    """What a fit found."""

    shape: np.ndarray
    std: np.ndarray
    qpos: np.ndarray


def fitted(piece: Piece, personal: bool = False, slides: bool = False) -> Found:
    """From the base model's joints and skin that stays."""
    prior, model = shape_prior(KEYPOINTS, 1.75, 0.01, personal), shape_model(KEYPOINTS)
    start = subject_from_height(1.75, KEYPOINTS)
    start = dataclasses.replace(start, personal=np.zeros(PERSONAL)) if personal else start
    if slides:
        start = dataclasses.replace(start, soft_tissue_m_per_rad=slides_at_zero(KEYPOINTS))
        prior = with_soft_tissue(prior, KEYPOINTS)
    objective, correlation = Objective(model, prior, FRAMES), 1.0
    bundle = Bundle((piece,), shape_vector(start, KEYPOINTS))
    for _ in range(3):
        descent = objective.descend(bundle, correlation, 4)
        bundle, correlation = measure(model, descent.bundle)
    covariance, _, _ = judge(model, Fitted(bundle, correlation, descent.terms), prior, None)
    return Found(bundle.shape, np.sqrt(np.diagonal(covariance)), bundle.pieces[0].qpos)


@pytest.fixture(scope="module")
def qpos() -> np.ndarray:
    return squatting()


@pytest.fixture(scope="module")
def true_numbers() -> np.ndarray:
    return np.array([TRUE.get(name, 0.0) for name in PERSONAL_NAMES])


def test_the_fit_finds_joints_as_surely_as_it_says_and_angles_gain(qpos, true_numbers):
    person = dataclasses.replace(subject_from_height(1.75, KEYPOINTS), personal=true_numbers)
    piece = seen(person, qpos)
    own, base = fitted(piece, personal=True), fitted(piece)
    found, sure = own.shape[SCALES : SCALES + PERSONAL], own.std[SCALES : SCALES + PERSONAL]
    standard = (found - true_numbers) / sure
    assert (sure < personal_std()).all()
    assert np.abs(standard).max() < 3.0 and np.sqrt(np.mean(standard**2)) < 1.5
    knees = [PERSONAL_NAMES.index(f"knee_axis_frontal_{side}_rad") for side in "rl"]
    assert (sure[knees] < np.radians(2.0)).all()
    errors = [np.degrees(fit.qpos[:, 7:] - qpos[:, 7:])[:, LEGS] for fit in (base, own)]
    varying = [np.sqrt(np.mean((error - error.mean(0)) ** 2, 0)).mean() for error in errors]
    assert varying[1] < 0.8 * varying[0]


def test_a_person_without_them_keeps_the_base_models_angles(qpos):
    piece = seen(subject_from_height(1.75, KEYPOINTS), qpos)
    own = fitted(piece, personal=True)
    standard = (own.shape / own.std)[SCALES : SCALES + PERSONAL]
    assert np.abs(standard).max() < 3.0
    error = np.degrees(own.qpos[:, 7:] - qpos[:, 7:])[:, LEGS]
    # what two pixels leave of these angles, with or without joints of one's own
    assert np.sqrt(np.mean((error - error.mean(0)) ** 2, 0)).mean() < 1.0


SLIDES = slice(SCALES, SCALES + 3 * len(sliding_keypoints(KEYPOINTS)))


def left_out_px(piece: Piece, shape: np.ndarray, camera: int) -> float:
    """Mean distance of a camera's points from the sites of a body that the others follow."""
    observed = piece.observed
    weight = observed.weight.copy()
    weight[:, camera] = 0.0
    blind = dataclasses.replace(piece, observed=dataclasses.replace(observed, weight=weight))
    poses = Objective(shape_model(KEYPOINTS), None, FRAMES).descend(Bundle((blind,), shape), 1.0, 6).bundle
    person = with_shape(subject_from_height(1.75, KEYPOINTS), KEYPOINTS, shape)
    images = images_of(circle_rig(CAMERAS), sites_of(person, KEYPOINTS, poses.pieces[0].qpos), 0.0)
    return float(np.linalg.norm(images[f"cam{camera}"][..., :2] - observed.image_px[:, camera], axis=-1).mean())


def test_the_fit_finds_skin_that_slides_as_surely_as_it_says_and_foretells_better(qpos):
    rng = np.random.default_rng(5)
    true = {name: 0.012 * rng.standard_normal(3) for name in slides_at_zero(KEYPOINTS)}
    person = dataclasses.replace(subject_from_height(1.75, KEYPOINTS), soft_tissue_m_per_rad=true)
    piece = seen(person, qpos)
    own, base = fitted(piece, slides=True), fitted(piece)
    found, expected = own.shape[SLIDES], np.array(list(true.values())).ravel()
    standard = (found - expected) / own.std[SLIDES]
    assert np.abs(standard).max() < 3.5 and np.sqrt(np.mean(standard**2)) < 1.5
    # 12 mm a radian in each of 42 numbers, known to 2 or 3
    assert np.corrcoef(found, expected)[0, 1] > 0.95
    assert (own.std[SLIDES] < 0.6 * slide_std_m_per_rad(KEYPOINTS).repeat(3)).all()
    for camera in (0, 3):
        # 2 px of noise alone are 2.5 px; what slid is more than a twentieth of a pixel on top
        assert left_out_px(piece, own.shape, camera) < left_out_px(piece, base.shape, camera) - 0.05


def test_skin_that_stays_is_found_to_stay(qpos):
    piece = seen(subject_from_height(1.75, KEYPOINTS), qpos)
    own, base = fitted(piece, slides=True), fitted(piece)
    standard = (own.shape / own.std)[SLIDES]
    assert np.abs(standard).max() < 3.5 and np.sqrt(np.mean(standard**2)) < 1.5
    difference_px = left_out_px(piece, own.shape, 0) - left_out_px(piece, base.shape, 0)
    assert abs(difference_px) < 0.02  # of 2.5 px


def test_something_is_kept_only_where_points_left_out_gain_more_than_noise_would():
    rng = np.random.default_rng(0)
    noise = np.hypot(*rng.normal(0.0, 3.0, (2, 20_000)))
    same = chosen(np.array([noise, noise]), 1.0, 15)
    assert not same.kept and same.gain == 0.0 and same.without_px == pytest.approx(3.76, rel=0.02)
    # one per mille shorter residuals: 2e-3 of 40 000 squares are 80 variances
    better = chosen(np.array([noise, 0.999 * noise]), 1.0, 15)
    assert (
        better.kept and better.gain == pytest.approx(80.0, rel=0.01) and better.gain > better.gain_needed == 15 * GAIN
    )
    assert not chosen(np.array([noise, 0.999 * noise]), 1.0, 42).kept
    assert not chosen(np.array([noise, 0.999 * noise]), 4.0, 15).kept
    assert not chosen(np.array([0.99 * noise, noise]), 1.0, 15).kept
    assert "skin that slides: kept; cameras left out are foretold to 3.7" in better.in_words("soft_tissue")


def trial(*cameras: str) -> Trial:
    frames = {name: KeypointFrame(name, 0, 0, np.ones((1, 87, 3), np.float32)) for name in cameras}
    return Trial("walk", circle_rig(7), (FrameSet(0, frames, "complete", 0, 0),))


def test_three_cameras_are_left_out_that_every_trial_has():
    everywhere = [f"cam{index}" for index in range(6)]
    assert left_out_cameras([trial(*everywhere), trial(*everywhere, "cam6")]) == ["cam0", "cam2", "cam4"]
    assert left_out_cameras([trial("cam0", "cam1", "cam2")]) == ["cam0", "cam1", "cam2"]
    with pytest.raises(InputError, match="--soft-tissue: 2 cameras sent keypoints in every trial; expected"):
        left_out_cameras([trial("cam0", "cam1", "cam2"), trial("cam1", "cam2")])


@pytest.mark.parametrize("joints_kept", [True, False])
def test_skin_is_tried_on_the_joints_that_are_kept(monkeypatch, joints_kept):
    asked = []

    def fit(trials, keypoint_set, height_m, name, settings, progress) -> SessionFit:
        asked.append((settings.personal_joints, settings.soft_tissue))
        personal = np.zeros(PERSONAL) if settings.personal_joints else None
        slides = slides_at_zero(KEYPOINTS) if settings.soft_tissue else {}
        person = dataclasses.replace(
            subject_from_height(1.75, KEYPOINTS), personal=personal, soft_tissue_m_per_rad=slides
        )
        numbers = shape_names(KEYPOINTS, len(shape_vector(person, KEYPOINTS)))
        determined = tuple(Determined(name, unit, 0.0, 0.0, 1.0, 1.0) for _, name, unit in numbers)
        return SessionFit(person, (), (), determined, {}, 1.0, 3.0)

    def foretold(trials, keypoint_set, candidates) -> np.ndarray:
        joints_alone = len(asked) == 2
        worse = 1.0 if joints_alone and not joints_kept else 2.0
        return np.array([np.full(1000, worse), np.full(1000, 1.0)])

    monkeypatch.setattr(body_choice, "fit_session", fit)
    monkeypatch.setattr(body_choice, "followed_without", lambda *_: {})
    monkeypatch.setattr(body_choice, "foretold_px", foretold)
    wanted = SessionSettings(personal_joints=True, soft_tissue=True)
    best, choices = body_choice.fit_best_body([trial("cam0", "cam1", "cam2")], KEYPOINTS, settings=wanted)
    assert asked == [(False, False), (True, False), (joints_kept, True)]
    assert (choices["personal_joints"].kept, choices["soft_tissue"].kept) == (joints_kept, True)
    assert (best.subject.personal is not None) is joints_kept and len(best.subject.soft_tissue_m_per_rad) == 14
    assert [choice.gain_needed for choice in choices.values()] == [15 * GAIN, 42 * GAIN]
