"""The report says how sure a subject is, where the keypoints sit, who disagrees, and which frames to look at."""

from __future__ import annotations

import base64
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from made_results import made_fit, made_session, with_calibrated_subject

from markerless_biomech.body.population import personal_std, population_prior
from markerless_biomech.body.scaling import neutral_qpos
from markerless_biomech.body.soft_tissue import slides_at_zero
from markerless_biomech.recording.knowledge import (
    in_words,
    known_personal,
    known_scales,
    known_segments,
    known_slides,
    scale_prior,
    undetermined,
)
from markerless_biomech.recording.report import write_session_report
from markerless_biomech.recording.report_subject import evidence_of_bag, subject_figures, write_subject_report
from markerless_biomech.recording.result_bag import ResultBag
from markerless_biomech.recording.worst_frames import TrialResiduals, worst_frames
from markerless_biomech.results import Tracking

PICTURES = ["subject_offsets", "subject_residuals", "subject_scales"]


@pytest.fixture(scope="module")
def session() -> ResultBag:
    return with_calibrated_subject(made_session(frames=40, cameras=3))


def test_what_calibrate_found_is_a_page_of_its_own(session: ResultBag, tmp_path: Path) -> None:
    path = write_subject_report(made_fit(session), session.keypoint_set, tmp_path / "anna.html")
    text = re.sub(r"base64,[^']+", "", path.read_text())
    assert sorted(one.stem for one in (tmp_path / "anna_pictures").iterdir()) == PICTURES
    for words in (
        "Subject",
        "Worst frames",
        "the subject was lost",
        "camera cam1: 3",
        "determined the length of every",
    ):
        assert words in text, words
    assert "nan" not in text and "None" not in text


def test_a_bags_report_has_the_section_where_the_subjects_spread_is_known(session: ResultBag, tmp_path: Path) -> None:
    page = write_session_report(session, tmp_path / "a.html", "t")
    inside = {base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^']+)'", page.read_text())}
    beside = {path.stem: path.read_bytes() for path in (tmp_path / "a_pictures").glob("*.png")}
    assert set(PICTURES) <= set(beside) and inside == set(beside.values())
    unknown = dataclasses.replace(session, subject=dataclasses.replace(session.subject, covariance=None))
    assert evidence_of_bag(unknown) is None
    assert evidence_of_bag(dataclasses.replace(session, live=None, settled=None)) is None


def test_joints_and_skin_of_ones_own_have_their_intervals_in_the_report(session: ResultBag, tmp_path: Path) -> None:
    keypoint_set, rng = session.keypoint_set, np.random.default_rng(4)
    slides = {name: rng.normal(0.0, 0.01, 3) for name in slides_at_zero(keypoint_set)}
    person = dataclasses.replace(
        session.subject, personal=rng.normal(0.0, 0.5 * personal_std()), soft_tissue_m_per_rad=slides
    )
    after = [np.full(10, 0.004), 0.3 * personal_std(), np.full(3 * len(slides), 0.002), np.full(3 * 87, 0.003)]
    person = dataclasses.replace(person, covariance=np.diag(np.concatenate(after) ** 2))
    own, skin = known_personal(person), known_slides(person, keypoint_set)
    np.testing.assert_allclose([one.posterior_std for one in own], 0.3 * personal_std())
    assert {one.posterior_std for one in skin} == {0.002} and len(skin) == 3 * len(slides)
    assert in_words(skin[0].name) == "lfrontthigh, forward" and skin[0].unit == "m/rad"
    assert undetermined(own) == [] == undetermined(skin)
    page = write_session_report(dataclasses.replace(session, subject=person), tmp_path / "own.html", "t")
    assert {"subject_joints", "subject_soft_tissue"} <= {one.stem for one in (tmp_path / "own_pictures").iterdir()}
    assert "slides for each radian" in page.read_text()
    assert known_personal(session.subject) == () == known_slides(session.subject, keypoint_set)


def test_a_bags_residuals_are_those_of_its_best_result(session: ResultBag) -> None:
    true = dataclasses.replace(made_session(frames=40, cameras=3, noise_px=3.0))
    assert true.truth is not None
    size = 10 + 3 * len(true.keypoint_set)
    offsets_m = {name: np.zeros(3) for name in true.keypoint_set.names}
    subject = dataclasses.replace(true.subject, covariance=np.eye(size), offsets_m=offsets_m)
    tracking = true.truth.tracking.copy()
    tracking[7] = Tracking.LOST
    refit = dataclasses.replace(true.truth, tracking=tracking)
    evidence = evidence_of_bag(dataclasses.replace(true, refit=refit, subject=subject))
    assert evidence is not None
    (trial,) = evidence.trials
    assert trial.residual_px.shape == (40, 3, len(true.keypoint_set))
    assert np.isnan(trial.residual_px[7]).all() and np.isfinite(trial.residual_px[8]).all()
    # distance of white noise of 3 px per axis: Rayleigh, median 3 sqrt(2 ln 2); 10,000 points
    assert np.nanmedian(trial.residual_px) == pytest.approx(3 * np.sqrt(2 * np.log(2)), rel=0.03)
    assert [name for name, _, _ in subject_figures(evidence)] == ["subject_scales", "subject_residuals"], "no offsets"


def test_a_wider_prior_is_less_determined(session: ResultBag) -> None:
    subject = session.subject
    assert subject.covariance is not None
    prior = scale_prior(1.75)
    assert undetermined(known_scales(subject, prior)) == [] == undetermined(known_segments(subject, prior))
    covariance = subject.covariance.copy()
    covariance[:10, :10] = prior.covariance
    unchanged = dataclasses.replace(subject, covariance=covariance)
    assert len(undetermined(known_scales(unchanged, prior))) == 10
    assert len(undetermined(known_segments(unchanged, prior))) == 13
    scales = {one.name: one for one in known_scales(subject, population_prior())}
    assert scales["overall"].prior_std > 3 * known_scales(subject, prior)[0].prior_std, "stature tells size"
    assert in_words("thigh_r") == "right thigh" and in_words("overall") == "overall size"


def test_a_length_stands_where_the_neutral_body_has_it(session: ResultBag) -> None:
    """The thigh, upright: hip and knee are one above the other."""
    from markerless_biomech.recording.oracle import BodyOracle

    landmarks = BodyOracle(session.subject, session.keypoint_set).landmarks_m(neutral_qpos(session.subject)[None])
    segments = {one.name: one.value for one in known_segments(session.subject, scale_prior(None))}
    thigh_m = np.linalg.norm(landmarks["femur_r"] - landmarks["tibia_r"])
    assert segments["thigh_r"] == pytest.approx(float(thigh_m), abs=1e-9)


def a_trial(**changes: np.ndarray) -> TrialResiduals:
    """40 frames at 20 Hz, 3 cameras, 5 keypoints, 2 px everywhere."""
    values = {"tracking": np.full(40, int(Tracking.TRACKED)), "residual_px": np.full((40, 3, 5), 2.0)}
    return TrialResiduals("walk", np.arange(40) / 20.0, **{**values, **changes})


CAMERAS, KEYPOINTS = ("left", "middle", "right"), ("nose", "hip", "knee", "heel", "toe")


def test_the_worst_frame_names_the_camera_or_the_keypoint_that_stands_out() -> None:
    residual_px = np.full((40, 3, 5), 2.0)
    residual_px[10, 1] = 30.0
    residual_px[30, :, 4] = 20.0
    worst = worst_frames([a_trial(residual_px=residual_px)], CAMERAS, KEYPOINTS)
    assert (worst[0].start_s, worst[0].reason) == (0.5, "camera middle: 30 px, the others 2 px")
    assert (worst[1].start_s, worst[1].reason) == (1.5, "keypoint toe: 20 px, the others 2 px")
    assert all(b.start_s - a.start_s >= 0.25 or a.start_s - b.start_s >= 0.25 for a in worst for b in worst if a != b)


def test_stretches_without_the_subject_come_first() -> None:
    tracking = np.full(40, int(Tracking.TRACKED))
    tracking[5:8], tracking[20:30] = Tracking.COASTING, Tracking.LOST
    residual_px = np.full((40, 3, 5), 2.0)
    residual_px[20:30] = np.nan
    worst = worst_frames([a_trial(tracking=tracking, residual_px=residual_px)], CAMERAS, KEYPOINTS)
    assert (worst[0].start_s, worst[0].end_s, worst[0].reason) == (1.0, 1.45, "the subject was lost")
    assert worst[1].reason.startswith("predicted")
    assert not any(1.0 <= one.start_s <= 1.45 for one in worst[1:])


def test_a_recording_without_any_point_has_no_worst_frame_but_its_gap() -> None:
    lost = a_trial(tracking=np.full(40, int(Tracking.LOST)), residual_px=np.full((40, 3, 5), np.nan))
    (gap,) = worst_frames([lost], CAMERAS, KEYPOINTS)
    assert (gap.start_s, gap.end_s) == (0.0, 1.95) and np.isnan(gap.residual_px)
