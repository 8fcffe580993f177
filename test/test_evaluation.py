"""What evaluation says, against closed forms and against results that were made with known errors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from made_results import START_NS, made_session, ring_of_cameras, write_made_bag

from markerless_biomech.errors import InputError
from markerless_biomech.recording import metrics
from markerless_biomech.recording.evaluation import evaluate, evaluate_bag
from markerless_biomech.recording.oracle import BodyOracle, project_px
from markerless_biomech.recording.result_bag import ResultBag, matched
from markerless_biomech.recording.result_messages import FitRecord
from markerless_biomech.recording.segments import (
    SEGMENTS,
    segment_errors_mm,
    segment_lengths_m,
    segment_slopes_m,
    segment_std_m,
)
from markerless_biomech.results import FitReport, Tracking

KEYS = {
    "frames", "frames_lost", "result", "reprojection_px", "reprojection_all_px", "gc", "pose_noise_deg", "truth",
    "coverage", "ece", "leave_one_out",
}  # fmt: skip
TRUTH_KEYS = {
    "joint_rmse_deg", "joint_rmse_debiased_deg", "max_jump_excess_deg", "gc", "segment_length_mm", "site_rmse_mm",
    "camera_deg", "camera_mm", "events", "step_length_mm", "step_width_mm",
}  # fmt: skip


@pytest.fixture(scope="module")
def session() -> ResultBag:
    return made_session(frames=90, cameras=4, bystander=True)


def test_rmse_is_the_root_of_the_mean_square_and_debiased_ignores_a_constant() -> None:
    true = np.zeros((4, 2))
    fitted = np.radians([[3.0, 1.0], [3.0, -1.0], [3.0, 1.0], [3.0, -1.0]])
    # first joint: constant 3; second: +-1 around 0
    np.testing.assert_allclose(metrics.joint_rmse_deg(fitted, true), [3.0, 1.0])
    np.testing.assert_allclose(metrics.joint_rmse_debiased_deg(fitted, true), [0.0, 1.0], atol=1e-12)


def test_a_jump_counts_only_beyond_what_the_truth_moved_and_between_neighbours() -> None:
    true = np.radians([[0.0], [5.0], [5.0], [5.0]])
    fitted = np.radians([[0.0], [12.0], [12.0], [90.0]])
    # 0 -> 12 while the truth moved 5: excess 7; the jump to 90 is across a gap
    consecutive = np.array([True, True, False])
    assert metrics.max_jump_excess_deg(fitted, true, consecutive) == pytest.approx(7.0)
    assert metrics.max_jump_excess_deg(true, fitted, consecutive) == 0.0
    assert metrics.max_jump_excess_deg(true[:1], true[:1], consecutive[:0]) is None


def test_pose_noise_is_the_rms_of_frame_to_frame_changes() -> None:
    angles = np.radians([[0.0, 0.0], [3.0, 4.0]])
    # sqrt((9 + 16) / 2)
    assert metrics.pose_noise_deg(angles, np.array([True])) == pytest.approx(np.sqrt(12.5))


def test_consistency_is_the_share_within_5_10_20_px_of_the_seen_points() -> None:
    assert metrics.geometric_consistency(np.array([1.0, 6.0, 15.0, 30.0, np.nan])) == {"5": 0.25, "10": 0.5, "20": 0.75}
    assert metrics.geometric_consistency(np.array([np.nan])) == {"5": None, "10": None, "20": None}


def test_normal_errors_are_covered_as_often_as_the_interval_says() -> None:
    rng = np.random.default_rng(0)
    error = rng.normal(0, 2.0, 40_000)
    covered = metrics.coverage(error, np.full(40_000, 2.0))
    for level, share in covered.items():
        # binomial SD at 40,000 draws is below 0.0025: four of them
        assert share == pytest.approx(int(level) / 100, abs=0.01)
    assert metrics.expected_calibration_error(error, np.full(40_000, 2.0)) == pytest.approx(0.0, abs=0.01)


def test_intervals_that_never_cover_have_the_mean_level_as_calibration_error() -> None:
    # |0 - level| averaged over 5, 10 .. 95 % = 0.5
    assert metrics.expected_calibration_error(np.full(10, 9.0), np.full(10, 1e-6)) == pytest.approx(0.5)
    assert metrics.expected_calibration_error(np.zeros(0), np.zeros(0)) is None


def test_a_rig_moved_turned_and_scaled_as_a_whole_has_no_camera_error() -> None:
    poses = [camera.world_from_camera for camera in ring_of_cameras(5).values()]
    rotation = np.array([r for r, _ in poses])
    position = np.array([p for _, p in poses]) + np.outer(np.arange(5), [0.0, 0.0, 0.1])
    turn = metrics.nearest_rotation(np.array([[0.9, -0.3, 0.1], [0.3, 0.9, 0.0], [-0.1, 0.05, 1.0]]))
    moved = 1.1 * position @ turn.T + [1.0, 2.0, 3.0]
    error_deg, error_mm = metrics.rig_errors(turn @ rotation, moved, rotation, position)
    # rounding of float64 through an SVD
    np.testing.assert_allclose(error_deg, 0.0, atol=1e-6)
    np.testing.assert_allclose(error_mm, 0.0, atol=1e-9)


def test_the_angle_between_rotations_is_exact_for_small_and_large_angles() -> None:
    for angle in (1e-7, 0.3, np.pi):
        c, s = np.cos(angle), np.sin(angle)
        turned = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        assert metrics.rotation_angle_deg(turned, np.eye(3)) == pytest.approx(np.degrees(angle), rel=1e-6)


def test_stamps_are_matched_to_the_nearest_within_the_limit() -> None:
    rows, others = matched(np.array([0, 10, 20, 39]), np.array([1, 19, 31]), 5)
    np.testing.assert_array_equal(rows, [0, 2])
    np.testing.assert_array_equal(others, [0, 1])
    assert matched(np.array([4]), np.array([2]), 5)[1].tolist() == [0]
    assert matched(np.zeros(0, int), np.array([2]), 5)[0].size == 0


def test_all_keys_are_there_and_the_answer_is_json(session: ResultBag) -> None:
    answer = evaluate_bag(session)
    assert set(answer) == KEYS
    assert set(answer["truth"]) == TRUTH_KEYS
    assert set(answer["truth"]["joint_rmse_deg"]) == {"mean", "per_joint"}
    assert len(answer["truth"]["joint_rmse_deg"]["per_joint"]) == 34
    json.dumps(answer, allow_nan=False)


def test_known_errors_come_back(session: ResultBag) -> None:
    settled, live = evaluate_bag(session, "settled"), evaluate_bag(session, "live")
    # 0.5 and 1 deg white error, 90 frames x 34 joints: SD of the estimate is 0.5 / sqrt(2 * 3060) < 0.01
    assert settled["truth"]["joint_rmse_deg"]["mean"] == pytest.approx(0.5, abs=0.03)
    assert live["truth"]["joint_rmse_deg"]["mean"] == pytest.approx(1.0, abs=0.06)
    assert settled["coverage"]["90"] == pytest.approx(0.9, abs=0.03)
    assert settled["truth"]["segment_length_mm"]["median"] == 0.0
    assert settled["truth"]["camera_mm"] == pytest.approx(0.0, abs=1e-6)
    assert settled["frames"] == 90 and settled["frames_lost"] == 0


def test_the_truth_itself_reprojects_with_the_detectors_noise() -> None:
    session = made_session(frames=40, noise_px=3.0)
    assert session.truth is not None
    answer = evaluate_bag(dataclasses.replace(session, settled=session.truth))
    # distance of white noise of 3 px per axis: Rayleigh, mean 3 sqrt(pi / 2), median 3 sqrt(2 ln 2)
    assert answer["reprojection_px"]["mean"] == pytest.approx(3 * np.sqrt(np.pi / 2), rel=0.02)
    assert answer["reprojection_px"]["median"] == pytest.approx(3 * np.sqrt(2 * np.log(2)), rel=0.02)
    assert answer["gc"] == answer["truth"]["gc"]
    assert answer["truth"]["site_rmse_mm"] == pytest.approx(0.0, abs=1e-9)


def test_the_nearest_person_counts(session: ResultBag) -> None:
    # the bystander, first in every message, stands 1 m (about 275 px) beside
    assert evaluate_bag(session)["reprojection_px"]["median"] < 10


def test_points_below_half_confidence_count_only_among_all() -> None:
    session = made_session(frames=20)
    for frames in session.keypoints.values():
        for frame in frames:
            frame.points[:, ::2, :2] += 500.0
            frame.points[:, ::2, 2] = 0.3
    answer = evaluate_bag(session)
    assert answer["reprojection_px"]["mean"] < 10 < answer["reprojection_all_px"]["mean"]


def test_a_frame_set_without_a_tracked_result_is_lost() -> None:
    session = made_session(frames=60)
    assert session.settled is not None and session.live is not None
    keep = np.ones(60, dtype=bool)
    keep[20:25] = False
    tracking = session.live.tracking.copy()
    tracking[10:13] = Tracking.COASTING
    live = dataclasses.replace(session.live, tracking=tracking).where(keep)
    answer = evaluate_bag(dataclasses.replace(session, live=live), "live")
    assert answer["frames"] == 55 and answer["frames_lost"] == 8


def test_the_last_lag_has_no_settled_result_and_is_not_lost() -> None:
    session = made_session(frames=60)
    assert session.settled is not None
    settled = session.settled.where(np.arange(60) < 54)  # 0.1 s at 60 Hz
    assert evaluate_bag(dataclasses.replace(session, settled=settled))["frames_lost"] == 0
    settled = session.settled.where(np.arange(60) < 50)
    assert evaluate_bag(dataclasses.replace(session, settled=settled))["frames_lost"] > 0


def test_skipping_counts_from_the_first_keypoints() -> None:
    assert evaluate_bag(made_session(frames=60), skip_s=0.5)["frames"] == 30


def test_without_truth_what_needs_it_is_null(session: ResultBag) -> None:
    answer = evaluate_bag(dataclasses.replace(session, truth=None))
    assert answer["truth"] is None and answer["ece"]["joints"] is None and answer["coverage"]["90"] is None


def test_a_longer_thigh_is_a_segment_error(session: ResultBag) -> None:
    scales = session.subject.scales.copy()
    scales[2] += 0.05  # thigh_r: the knee is 0.414 m below the hip in the base model
    longer = dataclasses.replace(session.subject, scales=scales)
    per_segment = segment_errors_mm(longer, session.subject)["per_segment"]
    assert per_segment["thigh_r"] == pytest.approx(0.05 * 414, rel=0.02)
    assert per_segment["thigh_l"] == 0.0


def test_staggered_cameras_still_make_one_set_a_frame() -> None:
    session = made_session(frames=30)
    for index, name in enumerate(list(session.keypoints)):
        session.keypoints[name] = [
            dataclasses.replace(frame, stamp_ns=frame.stamp_ns + index * 3_000_000) for frame in session.keypoints[name]
        ]
    assert len(session.frame_sets_ns()) == 30


def test_the_oracle_projects_distorted_and_rectified_images_as_opencv_does() -> None:
    camera = next(iter(ring_of_cameras(1).values()))
    point = np.array([[0.3, 0.4, 1.2], [9.0, 0.0, 1.8]])
    raw = project_px(dataclasses.replace(camera, d=np.array([-0.2, 0.05, 0.001, 0.002, 0.0])), point)
    rectified = project_px(dataclasses.replace(camera, d=np.array([-0.2, 0.05, 0.001, 0.002, 0.0])), point, True)
    np.testing.assert_allclose(rectified[0], project_px(camera, point)[0])
    assert np.linalg.norm(raw[0] - rectified[0]) > 0.1
    assert np.isnan(raw[1]).all(), "the second point is behind the camera"


def test_the_oracle_moves_sites_of_segment_origins_too(session: ResultBag) -> None:
    # the engine ignores a changed site_pos of a site at its body's origin unless the spec is recompiled
    keypoint_set = session.keypoint_set
    name = keypoint_set.names[int(np.argmin(np.linalg.norm(keypoint_set.positions_m, axis=1)))]
    shifted = dataclasses.replace(session.subject, offsets_m={name: np.array([0.0, 0.0, 0.05])})
    assert session.truth is not None
    index = keypoint_set.site_from_keypoint[name]
    before, after = (BodyOracle(s, keypoint_set).sites_m(session.truth.qpos[:1]) for s in (session.subject, shifted))
    assert np.linalg.norm(after[0, index] - before[0, index]) == pytest.approx(0.05)


def test_a_reference_is_compared_by_time_and_by_joint(session: ResultBag, tmp_path: Path) -> None:
    assert session.truth is not None
    knee = np.degrees(session.truth.qpos[:, 7 + 3])
    times = session.truth.stamps_ns / 1e9
    rows = [f"{t:.9f},{angle + 4.0:.6f}" for t, angle in zip(times, knee, strict=True)]
    path = tmp_path / "joints.csv"
    path.write_text("time_s,knee_angle_r\n" + "\n".join(rows) + "\n")
    answer = evaluate_bag(session, reference=path)["reference"]
    # the mean of 90 errors of SD 0.5 has an SD of 0.05: four of them
    assert answer["joint_rmse_deg"]["per_joint"]["knee_angle_r"] == pytest.approx(4.0, abs=0.2)
    assert answer["joint_rmse_debiased_deg"]["mean"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("knee_angle_r\n1\n", "time_s"),
        ("time_s,shoe_size\n0,1\n", "hip_flexion_r"),
        ("time_s,knee_angle_r\n0,1\n1,1\n", "do not meet"),
        ("time_s,knee_angle_r\n0,one\n", "one"),
    ],
)
def test_a_bad_reference_is_refused_in_words(session: ResultBag, tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "joints.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=names):
        evaluate_bag(session, reference=path)


def test_an_unknown_result_and_one_that_is_not_there_are_refused(session: ResultBag) -> None:
    with pytest.raises(InputError, match="refit, settled, live"):
        evaluate_bag(session, "smoothed")
    with pytest.raises(InputError, match="no refit result; run 'markerless-biomech refit'"):
        evaluate_bag(session, "refit")
    unfitted = dataclasses.replace(session, settled=None, live=None, records=())
    with pytest.raises(InputError, match="no live result; run 'markerless-biomech replay'"):
        evaluate_bag(unfitted)
    with pytest.raises(InputError, match="give --skip-s less than the 1.48 s"):
        evaluate_bag(session, skip_s=100.0)


def test_without_a_name_the_best_result_counts(session: ResultBag) -> None:
    assert session.live is not None
    refitted = dataclasses.replace(session, refit=session.truth)
    assert evaluate_bag(refitted)["result"] == "refit"
    assert evaluate_bag(refitted)["truth"]["joint_rmse_deg"]["mean"] == 0.0
    assert evaluate_bag(session)["result"] == "settled"
    assert evaluate_bag(dataclasses.replace(session, settled=None))["result"] == "live"
    lost = dataclasses.replace(session.live, tracking=np.full(90, int(Tracking.LOST)))
    assert evaluate_bag(dataclasses.replace(session, refit=lost))["result"] == "settled"


def test_a_bag_in_which_nobody_was_ever_tracked_says_so_and_why(session: ResultBag) -> None:
    assert session.live is not None
    report = FitReport(stamp_ns=0, result="fewer than 2 usable views")
    never = dataclasses.replace(session, live=None, settled=None, records=(FitRecord(report),))
    lost = dataclasses.replace(session.live, tracking=np.full(90, int(Tracking.LOST)))
    for bag in (never, dataclasses.replace(never, live=lost)):
        with pytest.raises(InputError, match="was never tracked .most often: fewer than 2 usable views.; check"):
            evaluate_bag(bag)


def test_a_segments_interval_follows_from_its_scales(session: ResultBag) -> None:
    """Lengths are linear in the scales, but for widths of several axes: slopes are exact to the step's rounding."""
    scales = session.subject.scales
    step = np.linspace(-0.01, 0.01, 10)
    before, after = (np.array(list(segment_lengths_m(s).values())) for s in (scales, scales + step))
    np.testing.assert_allclose(after - before, segment_slopes_m(scales) @ step, atol=2e-5)
    covariance = np.zeros((10, 10))
    covariance[2, 2] = 0.05**2  # thigh_r; the knee is 0.414 m below the hip in the base model
    std_m = segment_std_m(scales, covariance)
    assert std_m["thigh_r"] == pytest.approx(0.05 * 0.414, rel=0.02)
    assert [name for name in SEGMENTS if std_m[name] > 1e-9] == ["thigh_r"]


def test_keypoints_that_the_set_does_not_use_count_nowhere(tmp_path: Path) -> None:
    whole = made_session(frames=20)
    bodies = ("",) + whole.keypoint_set.bodies[1:]
    session = dataclasses.replace(whole, keypoint_set=dataclasses.replace(whole.keypoint_set, bodies=bodies))
    for frames in session.keypoints.values():
        for frame in frames:
            frame.points[:, 0, :2] = 0.0
    truth = dataclasses.replace(session, live=session.truth, settled=session.truth)
    for track in (truth.live, truth.settled, truth.truth):
        assert track is not None
        track.sites_m[:, 0] = 0.0
    answer = evaluate(write_made_bag(truth, tmp_path / "bag"))
    assert answer["reprojection_px"]["mean"] < 5 and answer["truth"]["gc"]["20"] == 1.0
    assert answer["truth"]["site_rmse_mm"] < 0.01  # float32 in messages


def test_a_bag_gives_the_same_answer_as_the_values_it_was_made_of(session: ResultBag, tmp_path: Path) -> None:
    in_memory = evaluate_bag(session)
    answer = evaluate(write_made_bag(session, tmp_path / "bag"))
    assert answer["frames"] == 90 and answer["frames_lost"] == 0
    assert session.frame_sets_ns()[0] == START_NS
    # float32 angles and pixels in messages: 1e-7 rad, 1e-4 px
    assert answer["truth"]["joint_rmse_deg"]["mean"] == pytest.approx(
        in_memory["truth"]["joint_rmse_deg"]["mean"], abs=1e-4
    )
    assert answer["reprojection_px"]["mean"] == pytest.approx(in_memory["reprojection_px"]["mean"], abs=1e-3)
    assert answer["truth"]["segment_length_mm"]["median"] == pytest.approx(0.0, abs=1e-3)
    assert answer["truth"]["camera_mm"] == pytest.approx(0.0, abs=1e-3)
