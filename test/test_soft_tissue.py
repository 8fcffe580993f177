"""Skin that slides: one body in the fit, in MuJoCo's engine, in the simulator and in the file."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from body_oracle import oracle_sites, random_qpos, random_subject, scaled_model, with_own_joints

from markerless_biomech.body.model import body_parameters, integrate, sites, sites_with_jacobian
from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.personal import PERSONAL
from markerless_biomech.body.population import slide_std_m_per_rad
from markerless_biomech.body.shape import (
    SCALES,
    shape_covariance,
    shape_layout,
    shape_model,
    shape_names,
    shape_parameters,
    shape_vector,
    site_derivatives,
    with_shape,
)
from markerless_biomech.body.soft_tissue import slides_at_zero, sliding_keypoints
from markerless_biomech.body.subject import Subject, load_subject, save_subject, subject_from_height, subject_to_dict
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import KeypointSet, keypoint_set_from_text, load_keypoint_set
from markerless_biomech.recording.oracle import BodyOracle
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.person import person_subject
from markerless_biomech.simulation.skeleton import build_skeleton
from markerless_biomech.simulation.virtual_rig import simulate

BML = load_keypoint_set("bml_movi_87")
COCO = load_keypoint_set("coco_17")
RNG = np.random.default_rng(31)
SLIDING = sliding_keypoints(BML)
USED = [index for index, body in enumerate(BML.bodies) if body]
# float32 positions up to about 5 m from the origin carry 5 m * 6e-8 = 3e-7 m a step, over at most seven bodies.
POSITION_M = 4e-6


def with_slides(subject: Subject, keypoint_set: KeypointSet) -> Subject:
    """SD of 2 cm for each radian: further than skin slides."""
    slides = {name: RNG.normal(0.0, 0.02, 3) for name in slides_at_zero(keypoint_set)}
    return dataclasses.replace(subject, soft_tissue_m_per_rad=slides)


SOMEBODY = with_slides(random_subject(RNG, BML), BML)
DRIVER = {"femur": ("hip_flexion", 0.15), "tibia": ("knee_angle", 0.4)}


def as_offsets(subject: Subject, qpos: np.ndarray) -> Subject:
    """The same at one pose (41,), by offsets alone: the definition, written anew."""
    offsets_m = dict(subject.offsets_m)
    for name, slide in subject.soft_tissue_m_per_rad.items():
        segment, side = BML.bodies[BML.site_from_keypoint[name]].split("_")
        joint, usual_rad = DRIVER[segment]
        past_rad = qpos[7 + JOINT_NAMES.index(f"{joint}_{side}")] - usual_rad
        offsets_m[name] = offsets_m.get(name, np.zeros(3)) + slide * past_rad
    return dataclasses.replace(subject, offsets_m=offsets_m, soft_tissue_m_per_rad={})


def slid_sites(subject: Subject, qpos: np.ndarray) -> np.ndarray:
    """(K, 3) at one pose by MuJoCo's C engine."""
    return oracle_sites(scaled_model(as_offsets(subject, qpos), BML), BML, qpos)


def test_sites_of_all_engines_slide_as_defined():
    qpos = random_qpos(RNG, 3)
    expected = np.array([slid_sites(SOMEBODY, pose) for pose in qpos])
    stays = dataclasses.replace(SOMEBODY, soft_tissue_m_per_rad={})
    moved_m = np.linalg.norm(expected - [slid_sites(stays, pose) for pose in qpos], axis=-1)
    assert (moved_m[:, SLIDING] > 1e-5).all() and not np.delete(moved_m, SLIDING, axis=1).any()
    np.testing.assert_allclose(
        sites(body_parameters(SOMEBODY, BML), qpos.astype(np.float32)), expected, atol=POSITION_M
    )
    for found in (build_skeleton(SOMEBODY, BML).sites_m(qpos), BodyOracle(SOMEBODY, BML).sites_m(qpos)):
        # the usual angles are float32
        np.testing.assert_allclose(found[:, USED], expected[:, USED], atol=1e-8)


def test_the_jacobian_is_what_differences_say():
    qpos = random_qpos(RNG, 1)[0]
    qpos[:3] = 0.0
    _, jacobian = sites_with_jacobian(body_parameters(SOMEBODY, BML), jnp.asarray(qpos, jnp.float32))
    for column in range(6, 40):  # what moves the pelvis moves all alike
        high, low = (np.array(qpos), np.array(qpos))
        high[column + 1] += 1e-5
        low[column + 1] -= 1e-5
        difference = (slid_sites(SOMEBODY, high) - slid_sites(SOMEBODY, low)) / 2e-5
        # float32 kinematics: 1e-6 of lever arms of up to 1 m
        np.testing.assert_allclose(jacobian[:, :, column], difference, atol=1e-5)


def test_turning_the_pelvis_turns_skin_that_slid():
    parameters = body_parameters(SOMEBODY, BML)
    qpos = random_qpos(RNG, 1)[0].astype(np.float32)
    qpos[:3] = 0.0
    _, jacobian = sites_with_jacobian(parameters, qpos)
    for column in range(6):
        step = np.zeros(40, np.float32)
        step[column] = 1e-2
        difference = (sites(parameters, integrate(qpos, step)) - sites(parameters, integrate(qpos, -step))) / 2e-2
        # float32 of positions of 1 m over 0.02, and 1e-2 squared / 6 of the second order
        np.testing.assert_allclose(jacobian[:, :, column], difference, atol=1e-4)


def test_another_subject_compiles_nothing():
    plain = body_parameters(subject_from_height(1.75, BML), BML)
    qpos = random_qpos(RNG, 2).astype(np.float32)
    sites_with_jacobian(plain, qpos)
    compiled = sites_with_jacobian._cache_size()
    sites_with_jacobian(body_parameters(SOMEBODY, BML), qpos)
    assert sites_with_jacobian._cache_size() == compiled and not np.asarray(plain.site_slide).any()


def test_slides_of_another_keypoint_set_count_as_none():
    assert not np.asarray(body_parameters(SOMEBODY, COCO).site_slide).any()
    assert len(shape_vector(SOMEBODY, COCO)) == SCALES + 3 * len(COCO)


@pytest.mark.parametrize("personal", [False, True])
def test_a_shape_vector_makes_the_same_body_as_the_subject(personal):
    person = with_own_joints(RNG, SOMEBODY) if personal else SOMEBODY
    shape = shape_vector(person, BML)
    ours, theirs = shape_parameters(shape_model(BML), jnp.asarray(shape)), body_parameters(person, BML)
    for name in ("body_pos", "hinge_axis", "site_pos", "site_slide"):
        # float32 of lengths below 1 m
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=2e-7)
    back = with_shape(subject_from_height(1.75, BML), BML, shape)
    np.testing.assert_array_equal(shape_vector(back, BML), shape)
    assert (back.personal is None) is not personal and set(back.soft_tissue_m_per_rad) == set(slides_at_zero(BML))
    names = [name for _, name, _ in shape_names(BML, len(shape))]
    start = SCALES + PERSONAL * personal
    assert names[start] == f"soft tissue {BML.names[SLIDING[0]]} x"
    assert [row for row, _, _ in shape_names(BML, len(shape))][: start + 42] == list(range(start + 42))


def test_a_vectors_length_says_what_it_holds():
    for personal in (0, PERSONAL):
        for slides in (0, 42):
            layout = shape_layout(SCALES + personal + slides + 261, 87, 14)
            assert (layout.personal, layout.slides, layout.body) == (personal, slides, SCALES + personal + slides)
    with pytest.raises(ValueError, match="no shape vector of 87 keypoints, 14 of them sliding, has 300 numbers"):
        shape_layout(300, 87, 14)


def test_sites_move_with_slides_as_differences_say():
    person = with_own_joints(RNG, SOMEBODY)
    model, shape = shape_model(BML), shape_vector(person, BML).astype(np.float32)
    qpos = random_qpos(RNG, 2).astype(np.float32)
    qpos[:, :3] = 0.0
    found = site_derivatives(model, shape, qpos)
    start = SCALES + PERSONAL
    assert found.by_body.shape == (2, 87, 3, start + 42)
    for column in (start, start + 4, start + 20, start + 41):
        step = np.zeros_like(shape)
        step[column] = 0.05
        high, low = (sites(shape_parameters(model, shape + sign * step), qpos) for sign in (1, -1))
        # sites are linear in the slides: only float32 counts, 2e-7 m over 0.1
        np.testing.assert_allclose(found.by_body[..., column], (high - low) / 0.1, atol=1e-5)


def test_the_file_keeps_slides_and_their_covariance(tmp_path):
    person = with_own_joints(RNG, SOMEBODY)
    size = len(shape_vector(person, BML))
    root = RNG.normal(size=(size, size)) / np.sqrt(size)
    known = with_shape(person, BML, shape_vector(person, BML), 1e-4 * root @ root.T)
    save_subject(known, tmp_path / "subject.yaml")
    found = load_subject(tmp_path / "subject.yaml")
    assert found.soft_tissue_m_per_rad.keys() == known.soft_tissue_m_per_rad.keys()
    np.testing.assert_array_equal(shape_vector(found, BML), shape_vector(known, BML))
    used = [row for row, _, _ in shape_names(BML, size)]
    expected = (1e-4 * root @ root.T)[np.ix_(used, used)]
    np.testing.assert_allclose(shape_covariance(found, BML)[np.ix_(used, used)], expected, rtol=1e-6, atol=1e-10)


def test_a_file_without_slides_has_none_and_one_may_name_some(tmp_path):
    content = subject_to_dict(subject_from_height(1.75, BML))
    assert "soft_tissue_m_per_rad" not in content
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content | {"soft_tissue_m_per_rad": {"rshin": [0.0, 0.0, 0.01]}}))
    found = load_subject(tmp_path / "a.yaml")
    assert list(found.soft_tissue_m_per_rad) == ["rshin"]
    shape = shape_vector(found, BML)
    assert len(shape) == SCALES + 42 + 261 and np.count_nonzero(shape[SCALES : SCALES + 42]) == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.0] * 3, "'soft_tissue_m_per_rad' is .* expected a map"),
        ({"rshin": [0.0, 0.0]}, "'soft_tissue_m_per_rad.rshin' is .*expected 3 numbers from -0.2 to 0.2"),
        ({"rshin": [0.0, 0.0, 9.0]}, "'soft_tissue_m_per_rad.rshin' is .*expected 3 numbers from -0.2 to 0.2"),
    ],
)
def test_wrong_slides_are_named(tmp_path, value, message):
    content = subject_to_dict(subject_from_height(1.75, BML)) | {"soft_tissue_m_per_rad": value}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=f"wrong.yaml: the field {message}"):
        load_subject(tmp_path / "wrong.yaml")


def set_of(bodies: list[str]) -> KeypointSet:
    """A lab's own keypoints on these bodies."""
    points = {
        f"point{index}": {"body": body, "position_m": [0.0, 0.0, 0.0], "partner": f"point{index}", "weight": 1.0}
        for index, body in enumerate(bodies)
    }
    return keypoint_set_from_text(yaml.safe_dump({"version": 1, "name": "own", "keypoints": points}), "own.yaml")


def test_sets_whose_slides_cannot_be_looked_for_are_refused_in_words():
    with pytest.raises(InputError, match="--soft-tissue: keypoint set 'own' has 0 keypoints on thighs and shanks"):
        slides_at_zero(set_of(["head", "torso"]))
    with pytest.raises(InputError, match="has 5 keypoints on thighs and shanks; expected some, and not 5"):
        slides_at_zero(set_of(["femur_r"] * 2 + ["tibia_l"] * 3))
    assert len(slides_at_zero(COCO)) == 2


def test_skin_slides_more_on_thighs():
    std = dict(zip([BML.bodies[index] for index in SLIDING], slide_std_m_per_rad(BML), strict=True))
    assert set(std) == {"femur_r", "femur_l", "tibia_r", "tibia_l"}
    assert std["femur_r"] == std["femur_l"] > std["tibia_r"] == std["tibia_l"] > 0.0


def test_a_simulated_persons_skin_slides_as_asked_and_changes_nothing_else():
    settings = SimulationSettings(seconds=0.5, cameras=2, soft_tissue_mm=10.0)
    stays = person_subject(dataclasses.replace(settings, soft_tissue_mm=0.0))
    slides = person_subject(settings)
    assert stays.soft_tissue_m_per_rad == {} and len(slides.soft_tissue_m_per_rad) == 14
    np.testing.assert_array_equal(stays.scales, slides.scales)
    # 42 numbers: their SD is known to a ninth
    assert np.std(list(slides.soft_tissue_m_per_rad.values())) == pytest.approx(0.01, rel=0.35)
    session = simulate(settings)
    np.testing.assert_allclose(session.sites_m[-1], slid_sites(slides, session.motion.qpos[-1]), atol=1e-9)
