"""Masses, centres of mass and inertias against numbers of de Leva's table worked out by hand."""

import numpy as np
import pytest
from body_oracle import random_subject

from markerless_biomech.body.inertias import (
    DE_LEVA,
    centres_of_mass_m,
    segment_inertias_kg_m2,
    segment_masses_kg,
)
from markerless_biomech.body.names import BODY_NAMES
from markerless_biomech.body.scaling import subject_positions
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set

KEYPOINTS = load_keypoint_set("coco_17")
BASE = subject_from_height(1.75, KEYPOINTS)


def _row(name: str) -> int:
    return BODY_NAMES.index(name)


def test_the_table_adds_up_to_a_whole_person():
    trunk = ("head", "upper_trunk", "middle_trunk", "lower_trunk")
    for sex in (0, 1):
        whole = sum(row.mass[sex] * (1 if name in trunk else 2) for name, row in DE_LEVA.items())
        assert whole == pytest.approx(100.0, abs=0.02), "the table is printed with two decimals"


def test_masses_add_up_and_sides_weigh_the_same():
    masses = segment_masses_kg(80.0)
    assert masses.sum() == pytest.approx(80.0, rel=1e-12)
    assert masses[_row("femur_r")] == masses[_row("femur_l")] == pytest.approx(0.1447 * 80.0, rel=1e-3)
    foot = sum(masses[_row(f"{part}_l")] for part in ("talus", "calcn", "toes"))
    assert foot == pytest.approx(0.0133 * 80.0, rel=1e-3)


def test_the_thighs_centre_lies_on_the_line_between_hip_and_knee():
    # Mean of 36.12 % and 40.95 % of the base model's 0.414 m.
    expected = [0.0, 0.0, -0.38535 * 0.414]
    np.testing.assert_allclose(centres_of_mass_m(BASE)[_row("femur_r")], expected, atol=1e-9)


def test_the_whole_trunks_centre_is_the_tables():
    """Its own row: 41.51 % of 529.3 mm (women of 1.735 m), 44.86 % of 531.9 mm (men of 1.741 m) below the
    suprasternale."""
    masses, centres = segment_masses_kg(75.0), centres_of_mass_m(BASE)
    torso_z = subject_positions(BASE)[1 + _row("torso"), 2]
    both = masses[[_row("torso"), _row("pelvis")]]
    found = both @ [centres[_row("torso"), 2] + torso_z, centres[_row("pelvis"), 2]] / both.sum()
    expected = 0.365 + torso_z - 0.5 * (0.4151 * 0.5293 / 1.735 + 0.4486 * 0.5319 / 1.741) * 1.75
    # The model's jugular notch is 15 mm nearer to its hips than the table's mean.
    assert found == pytest.approx(expected, abs=0.015)


def test_the_foots_centre_is_the_tables_share_of_its_length():
    masses, centres, places = segment_masses_kg(75.0), centres_of_mass_m(BASE), subject_positions(BASE)
    rows = [_row(f"{part}_r") for part in ("talus", "calcn", "toes")]
    in_calcn = [-places[1 + rows[1]], np.zeros(3), places[1 + rows[2]]]
    centre = masses[rows] @ (centres[rows] + in_calcn) / masses[rows].sum()
    heel_m, toe_m = -0.014, 0.178 + 0.056
    assert centre[0] == pytest.approx(heel_m + 0.42145 * (toe_m - heel_m), abs=1e-9)


def test_a_forearms_halves_have_one_centre():
    centres = centres_of_mass_m(BASE)
    radius = subject_positions(BASE)[1 + _row("radius_l")]
    np.testing.assert_allclose(centres[_row("ulna_l")], centres[_row("radius_l")] + radius, atol=1e-12)


def test_inertia_about_a_long_axis_follows_the_radius_of_gyration():
    # Thighs: 16.2 % of 368.5 mm at 1.735 m and 14.9 % of 422.2 mm at 1.741 m, both at 1.75 m.
    women, men = 0.162 * 0.3685 * 1.75 / 1.735, 0.149 * 0.4222 * 1.75 / 1.741
    expected = segment_masses_kg(BASE.mass_kg)[_row("femur_r")] * (women**2 + men**2) / 2
    assert segment_inertias_kg_m2(BASE)[_row("femur_r"), 2, 2] == pytest.approx(expected, rel=1e-9)


def test_every_inertia_is_that_of_a_body_in_space():
    """Symmetric, positive, and no principal moment above the sum of the two others."""
    for inertia in segment_inertias_kg_m2(random_subject(np.random.default_rng(0), KEYPOINTS)):
        np.testing.assert_allclose(inertia, inertia.T, atol=1e-15)
        principal = np.linalg.eigvalsh(inertia)
        assert principal[0] > 0 and principal[2] < principal[:2].sum()


def test_inertia_grows_with_the_square_of_length_and_with_mass():
    small, large = (subject_from_height(height_m, KEYPOINTS) for height_m in (1.0, 2.0))
    np.testing.assert_allclose(segment_masses_kg(large.mass_kg), 4 * segment_masses_kg(small.mass_kg))
    np.testing.assert_allclose(centres_of_mass_m(large), 2 * centres_of_mass_m(small), atol=1e-12)
    np.testing.assert_allclose(segment_inertias_kg_m2(large), 16 * segment_inertias_kg_m2(small), atol=1e-12)


def test_left_mirrors_right():
    masses, centres, inertias = segment_masses_kg(1.0), centres_of_mass_m(BASE), segment_inertias_kg_m2(BASE)
    mirror = np.array([1.0, -1.0, 1.0])
    for row, name in enumerate(BODY_NAMES):
        if name.endswith("_r"):
            other = _row(name[:-2] + "_l")
            assert masses[row] == masses[other]
            np.testing.assert_allclose(centres[row] * mirror, centres[other], atol=1e-12)
            np.testing.assert_allclose(inertias[row] * np.outer(mirror, mirror), inertias[other], atol=1e-12)
