"""The prior over people: what population.yaml says is what its sources say, and a measured stature is believed."""

import dataclasses
from importlib import resources

import numpy as np
import pytest

from markerless_biomech.body.names import SCALE_NAMES
from markerless_biomech.body.population import (
    offset_rule_from_dict,
    offset_std_m,
    population_from_text,
    population_prior,
    scale_prior_from_dict,
    standing_height_gradient,
)
from markerless_biomech.body.scaling import standing_height_m
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import SHIPPED_KEYPOINT_SETS, load_keypoint_set

TEXT = (resources.files("markerless_biomech") / "body" / "population.yaml").read_text()
INDEX = {name: i for i, name in enumerate(SCALE_NAMES)}
MIRROR = [INDEX[name[:-1] + {"r": "l", "l": "r"}[name[-1]]] if name[-2] == "_" else i for name, i in INDEX.items()]


def height_m(scales: np.ndarray) -> float:
    return standing_height_m(dataclasses.replace(subject_from_height(1.75, ""), scales=scales))


def std(covariance: np.ndarray, *weights: tuple[str, float]) -> float:
    """SD of a weighted sum of factors."""
    sum_of = sum(weight * np.eye(len(SCALE_NAMES))[INDEX[name]] for name, weight in weights)
    return float(np.sqrt(sum_of @ covariance @ sum_of))


def test_mean_proportions_keep_the_base_models_stature():
    scales = population_prior().mean.copy()
    scales[INDEX["overall"]] = 0.0
    assert height_m(scales) == pytest.approx(1.75, abs=2e-4)  # four digits in the file


def test_mean_person_is_as_tall_as_men_and_women_of_the_survey():
    # Gordon et al. 2014: stature 1756.2 +- 68.6 mm (men), 1628.5 +- 64.2 mm (women)
    assert height_m(population_prior().mean) == pytest.approx((1.7562 + 1.6285) / 2, abs=1e-3)
    between, within = (1.7562 - 1.6285) / 2, (0.0686**2 + 0.0642**2) / 2
    std_m = 1.75 * population_from_text(TEXT, "file")["sd"]["overall"]
    assert std_m == pytest.approx(np.sqrt(between**2 + within), abs=5e-4)


def test_mean_leg_joints_lie_at_the_published_heights():
    # Gordon et al. 2014, by stature: trochanterion 0.5128 (men) and 0.5190, lateral epicondyle 0.2799 and 0.2860
    mean = population_prior().mean
    knee = 0.502 * (1 + mean[INDEX["leg_r"]]) / 1.75
    hip = knee + 0.414 * (1 + mean[INDEX["thigh_r"]]) / 1.75
    assert knee == pytest.approx((0.2799 + 0.2860) / 2, abs=2e-4)
    assert hip == pytest.approx((0.5128 + 0.5190) / 2, abs=2e-4)


@pytest.mark.parametrize(
    "factor, men, women",  # mean and SD of the distance by stature, Gordon et al. 2014
    [
        ("pelvis", (0.1569, 0.0086), (0.1679, 0.0127)),
        ("leg_r", (0.2799, 0.0080), (0.2860, 0.0102)),
        ("shoulder_width", (0.2368, 0.0098), (0.2244, 0.0096)),
    ],
)
def test_spread_of_proportions_is_that_of_the_survey(factor, men, women):
    mean = (men[0] + women[0]) / 2
    expected = np.sqrt((men[1] ** 2 + women[1] ** 2) / 2 + ((men[0] - women[0]) / 2) ** 2) / mean
    assert std(population_prior().covariance, (factor, 1.0)) == pytest.approx(expected, rel=0.02)


def test_left_and_right_are_alike():
    prior = population_prior()
    np.testing.assert_array_equal(prior.mean, prior.mean[MIRROR])
    np.testing.assert_allclose(prior.covariance, prior.covariance[np.ix_(MIRROR, MIRROR)], atol=1e-12)


def test_sides_of_a_person_differ_by_what_bones_differ():
    covariance = population_prior().covariance
    thigh_m = 0.414 * std(covariance, ("thigh_r", 1), ("thigh_l", -1))
    leg_m = 0.422 * std(covariance, ("leg_r", 1), ("leg_l", -1))
    # Knutson 2005, X-ray: |difference| 5.2 +- 4.1 mm, 6.6 mm r.m.s. with the foot and the pelvis
    assert 0.004 < np.hypot(thigh_m, leg_m) < 0.0066
    assert std(covariance, ("arm_r", 1), ("arm_l", -1)) == pytest.approx(0.0153, abs=1e-6)


def test_covariance_is_positive_definite_and_cannot_be_changed():
    prior = population_prior()
    np.testing.assert_array_equal(prior.covariance, prior.covariance.T)
    assert np.linalg.eigvalsh(prior.covariance)[0] > 1e-6
    assert population_prior() is prior
    for values in (prior.mean, prior.covariance, prior.conditional(1.8).mean, standing_height_gradient()[1]):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1.0


@pytest.mark.parametrize("height, deviations", [(1.10, 2.5), (1.45, 1.5), (2.05, 1.5)])
def test_children_and_giants_are_possible(height, deviations):
    prior = population_prior()
    away = height / 1.75 - 1 - prior.mean[INDEX["overall"]]
    assert abs(away) < deviations * std(prior.covariance, ("overall", 1))


@pytest.mark.parametrize("height", [1.10, 1.60, 1.90])
def test_a_measured_stature_is_believed(height):
    given = population_prior().conditional(height)
    assert height_m(given.mean) == pytest.approx(height, abs=0.01)
    assert given.mean[INDEX["overall"]] == pytest.approx(height / 1.75 - 1, abs=0.01)
    _, gradient = standing_height_gradient()
    assert np.sqrt(gradient @ given.covariance @ gradient) < 0.01
    assert np.linalg.eigvalsh(given.covariance)[0] > 0


def test_a_stature_tells_little_of_proportions():
    free, given = population_prior(), population_prior().conditional(1.90)
    proportions = [i for name, i in INDEX.items() if name != "overall"]
    before, after = (np.sqrt(np.diag(prior.covariance))[proportions] for prior in (free, given))
    assert np.all(after > 0.8 * before) and np.all(after <= before)
    assert np.all(np.abs(given.mean - free.mean)[proportions] < 0.3 * before)


def test_a_vague_stature_changes_nothing():
    given = population_prior().conditional(1.90, height_std_m=1e4)
    np.testing.assert_allclose(given.mean, population_prior().mean, atol=1e-6)
    np.testing.assert_allclose(given.covariance, population_prior().covariance, atol=1e-6)


def test_height_gradient_gives_the_stature_of_people_with_equal_legs():
    base_m, gradient = standing_height_gradient()
    assert base_m == pytest.approx(1.75)
    assert gradient[INDEX["overall"]] == pytest.approx(1.75)
    rng = np.random.default_rng(3)
    for scales in 0.1 * rng.standard_normal((5, len(SCALE_NAMES))):
        scales = 0.5 * (scales + scales[MIRROR])
        assert base_m + gradient @ scales == pytest.approx(height_m(scales), abs=1e-9)


@pytest.mark.parametrize("name", SHIPPED_KEYPOINT_SETS)
def test_offsets_spread_between_one_and_two_centimetres(name):
    keypoint_set = load_keypoint_set(name)
    used = np.array([bool(body) for body in keypoint_set.bodies])
    std_m = offset_std_m(keypoint_set)
    assert np.all((std_m[used] >= 0.010) & (std_m[used] <= 0.020)) and np.all(std_m[~used] == 0)
    np.testing.assert_array_equal(std_m, std_m[keypoint_set.partners])


def test_joint_centres_are_surer_than_bone_beside_them_and_that_than_soft_tissue():
    keypoint_set = load_keypoint_set("bml_movi_87")
    std_m = offset_std_m(keypoint_set)
    knee, epicondyle, thigh = (std_m[keypoint_set.site_from_keypoint[name]] for name in ("RKnee", "rknem", "rthigh"))
    assert knee < epicondyle < thigh
    assert std_m.mean() == pytest.approx(0.015, abs=5e-4)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("{overall: -0.0329", "{overall: tall", "'mean'"),
        ("pelvis: 0.075", "hips: 0.075", "'sd'"),
        ("shoulder_width: 0.05}", "shoulder_width: .nan}", "'sd'"),
        ("thigh: [0.09, -0.14]", "thigh: [0.09]", "'correlation.thigh'"),
        ("leg: [-0.07, 0.03, 0.02]", "leg: [-0.07, 0.03, 1.02]", "'correlation.leg'"),
        ("trunk_length: [0.3, -0.37, -0.6", "trunk_length: [0.9, 0.9, -0.9", "positive definite"),
        ("size_sd:", "sizes:", "'size_sd' is missing"),
        ("thigh: 0.0096, ", "", "'side_difference_sd'"),
        ("near_origin:", "near:", "'site_offsets'"),
        ("within_m: 0.065", "within: 0.065", "'near_origin'"),
        ("femur: 0.018, ", "", "'segment_std_m'"),
        ("{overall: -0.0329", "[overall: -0.0329", "not valid YAML"),
    ],
)
def test_a_damaged_file_is_refused_by_field(old, new, words):
    assert old in TEXT
    with pytest.raises(InputError, match=f"^lab.yaml: .*{words}"):
        content = population_from_text(TEXT.replace(old, new), "lab.yaml")
        scale_prior_from_dict(content, "lab.yaml")
        offset_rule_from_dict(content, "lab.yaml")


def test_a_file_that_is_no_map_is_refused():
    with pytest.raises(InputError, match="expected a map"):
        population_from_text("- 1", "lab.yaml")
