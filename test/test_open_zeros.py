"""Zeros at the ends of chains: as unsure as the offsets beyond them, together with what goes with them."""

import numpy as np
import pytest

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.shape import shape_model
from markerless_biomech.fitting.judgement import not_surer
from markerless_biomech.fitting.shape_prior import open_zeros_std_rad
from markerless_biomech.keypoints import load_keypoint_set

FOREARM, ELBOW, KNEE = (JOINT_NAMES.index(name) for name in ("pro_sup_r", "elbow_flex_r", "knee_angle_r"))


def zeros_deg(keypoint_set_name: str) -> dict[str, float]:
    """Of the base model standing upright."""
    keypoint_set = load_keypoint_set(keypoint_set_name)
    model, qpos = shape_model(keypoint_set), np.zeros(41)
    qpos[3] = 1.0
    shape = np.zeros(10 + 3 * len(keypoint_set))
    return dict(zip(JOINT_NAMES, np.degrees(open_zeros_std_rad(keypoint_set, model, shape, qpos)), strict=True))


def test_forearm_and_wrist_trade_so_that_they_are_known_worse_than_the_neck_and_better_than_toes():
    found = zeros_deg("bml_movi_87")
    assert found["neck_bending"] < found["wrist_flex_r"] < found["pro_sup_r"] < found["mtp_angle_r"]
    assert found["knee_angle_r"] == 0.0
    assert found["pro_sup_r"] == pytest.approx(found["pro_sup_l"], rel=1e-4)  # the body is mirrored exactly


def test_where_nothing_is_seen_beyond_a_joint_it_is_known_to_a_radian():
    found = zeros_deg("coco_17")
    assert found["wrist_flex_r"] == pytest.approx(np.degrees(1.0))


def test_a_covariance_that_claims_less_is_widened_along_its_own_regression():
    rng = np.random.default_rng(0)
    covariance = np.tile(np.eye(40), (3, 1, 1)) * 0.01
    forearm, elbow, knee = 6 + FOREARM, 6 + ELBOW, 6 + KNEE
    covariance[:, forearm, elbow] = covariance[:, elbow, forearm] = 0.005
    zeros = np.zeros(34)
    zeros[FOREARM] = 0.3
    wide = not_surer(covariance.astype(np.float32), zeros)
    np.testing.assert_allclose(wide[:, forearm, forearm], 0.09, rtol=1e-5)
    # The elbow moves by half of what the forearm does, so it gets a quarter of the added variance.
    np.testing.assert_allclose(wide[:, elbow, elbow], 0.01 + 0.25 * 0.08, rtol=1e-5)
    np.testing.assert_allclose(wide[:, knee, knee], 0.01, rtol=1e-5)
    some = rng.standard_normal((40,))
    assert np.all(np.einsum("i,fij,j->f", some, wide - covariance, some) >= -1e-6)


def test_a_covariance_that_claims_no_more_stays():
    covariance = np.tile(np.eye(40, dtype=np.float32), (2, 1, 1))
    zeros = np.full(34, 0.5)
    np.testing.assert_array_equal(not_surer(covariance, zeros), covariance)
