"""base_model.xml: order, ranges, signs, neutral pose, exact mirror, masses, and its sites in the keypoint sets."""

import re
from pathlib import Path

import mujoco
import numpy as np
import pytest

from markerless_biomech.body.base import ASIS_PSIS_TILT_DEG, BASE_MODEL_VERSION, CARRIED_BY_JOINT, base_sites
from markerless_biomech.body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD, NEUTRAL_QPOS, base_mujoco_model
from markerless_biomech.body.names import BODY_NAMES, JOINT_NAMES
from markerless_biomech.keypoints import SHIPPED_KEYPOINT_SETS, load_keypoint_set

MODEL = base_mujoco_model()
MIRROR = np.array([1.0, -1.0, 1.0])

# Method's table of ranges, one side (deg).
RANGES_DEG = {
    "hip_flexion": (-45, 120),
    "hip_adduction": (-30, 30),
    "hip_rotation": (-60, 60),
    "knee_angle": (-10, 160),
    "ankle_angle": (-60, 60),
    "subtalar_angle": (-45, 45),
    "mtp_angle": (-60, 60),
    "lumbar_extension": (-90, 22),
    "lumbar_bending": (-43, 43),
    "lumbar_rotation": (-43, 43),
    "neck_extension": (-90, 22),
    "neck_bending": (-43, 43),
    "neck_rotation": (-43, 43),
    "arm_flex": (-90, 180),
    "arm_add": (-180, 90),
    "arm_rot": (-90, 90),
    "elbow_flex": (0, 150),
    "pro_sup": (0, 180),
    "wrist_flex": (-70, 70),
    "wrist_dev": (-25, 35),
}

# Joint turned by +20 deg from neutral: which site moves, along which axis of world, which way (right side; on the left
# what goes to the left goes to the right).
SIGNS = {
    "hip_flexion": ("knee", "x", 1),  # thigh forward
    "hip_adduction": ("knee", "y", 1),  # towards the midline
    "hip_rotation": ("big_toe", "y", 1),  # toes inward
    "knee_angle": ("ankle", "x", -1),  # flexion: shank backward
    "ankle_angle": ("big_toe", "z", 1),  # dorsiflexion
    "subtalar_angle": ("fifth_metatarsal", "z", -1),  # inversion: outer edge down
    "mtp_angle": ("big_toe", "z", 1),  # toes up
    "lumbar_extension": ("vertex", "x", -1),  # backward
    "lumbar_bending": ("vertex", "y", -1),  # to the right
    "lumbar_rotation": ("nose", "y", 1),  # to the left
    "neck_extension": ("nose", "z", 1),  # looking up
    "neck_bending": ("vertex", "y", -1),  # to the right
    "neck_rotation": ("nose", "y", 1),  # to the left
    "arm_flex": ("elbow", "x", 1),  # forward
    "arm_add": ("elbow", "y", 1),  # towards the midline
    "arm_rot": ("wrist_radial", "x", 1),  # inward: thumb forward
    "elbow_flex": ("wrist", "x", 1),  # hand forward
    "pro_sup": ("wrist_radial", "x", 1),  # pronation: thumb forward, then inward
    "wrist_flex": ("knuckle", "x", 1),  # towards the palm, which faces forward
    "wrist_dev": ("knuckle", "y", 1),  # ulnar: little finger, which is inside
}


def _sites(qpos: np.ndarray) -> dict[str, np.ndarray]:
    data = mujoco.MjData(MODEL)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(MODEL, data)
    return {MODEL.site(i).name: data.site_xpos[i].copy() for i in range(MODEL.nsite)}


def _other_side(name: str) -> str:
    return name[:-1] + {"r": "l", "l": "r"}[name[-1]] if name[-2:] in ("_r", "_l") else name


def _motion(joint: str) -> str:
    return joint[:-2] if joint[-2:] in ("_r", "_l") else joint


def test_the_body_has_40_degrees_of_freedom_21_bodies_and_34_hinges_in_our_order():
    assert (MODEL.nq, MODEL.nv, MODEL.nbody, MODEL.njnt) == (41, 40, 22, 35)
    assert tuple(MODEL.body(i).name for i in range(1, 22)) == BODY_NAMES
    assert tuple(MODEL.joint(i).name for i in range(1, 35)) == JOINT_NAMES
    assert BASE_MODEL_VERSION.count(".") == 2


@pytest.mark.parametrize("joint", JOINT_NAMES)
def test_ranges_are_the_methods_on_both_sides(joint):
    index = JOINT_NAMES.index(joint)
    found = np.rad2deg([JOINT_LOWER_RAD[index], JOINT_UPPER_RAD[index]])
    np.testing.assert_allclose(found, RANGES_DEG[_motion(joint)], atol=1e-9)


@pytest.mark.parametrize("joint", JOINT_NAMES)
def test_each_joint_at_plus_20_deg_moves_the_right_thing_the_right_way(joint):
    site, axis, direction = SIGNS[_motion(joint)]
    side = joint[-2:] if joint[-2:] in ("_r", "_l") else ""
    turned = NEUTRAL_QPOS.copy()
    turned[7 + JOINT_NAMES.index(joint)] = np.deg2rad(20.0)
    before, after = _sites(NEUTRAL_QPOS), _sites(turned)
    landmark = site if site in before else site + side
    moved = (after[landmark] - before[landmark]) * (MIRROR if side == "_l" else 1.0)
    assert moved["xyz".index(axis)] * direction > 0.005
    still = [
        name for name, body in zip(base_sites().names, base_sites().bodies, strict=True) if not _carried(body, joint)
    ]
    assert all(np.array_equal(before[name], after[name]) for name in still)


def _carried(body: str, joint: str) -> bool:
    return bool(CARRIED_BY_JOINT[1 + BODY_NAMES.index(body), JOINT_NAMES.index(joint)])


def test_the_documented_table_has_every_joint_in_order_with_its_range():
    text = (Path(__file__).parents[1] / "docs" / "joints.md").read_text()
    rows = re.findall(r"^\| (`.*?`) \| (-?\d+) to (-?\d+) \|", text, re.MULTILINE)
    documented = {name: (int(low), int(high)) for names, low, high in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == {joint: RANGES_DEG[_motion(joint)] for joint in JOINT_NAMES}


def test_left_is_the_exact_mirror_of_right():
    for i, name in enumerate(BODY_NAMES, start=1):
        other = MODEL.body(_other_side(name)).id
        assert np.array_equal(MODEL.body_pos[other], MODEL.body_pos[i] * MIRROR)
        assert MODEL.body_mass[other] == pytest.approx(MODEL.body_mass[i], rel=1e-12)
    for name in JOINT_NAMES:
        if name.endswith("_r"):  # an axis of rotation mirrors with the opposite sign
            right, left = MODEL.joint(name), MODEL.joint(_other_side(name))
            assert np.array_equal(left.axis, -right.axis * MIRROR)
            assert np.array_equal(left.range, right.range)
    for i in range(MODEL.nsite):
        site = MODEL.site(i)
        other = MODEL.site(_other_side(site.name))
        assert np.array_equal(other.pos, site.pos * MIRROR)
        assert _other_side(MODEL.body(site.bodyid[0]).name) == MODEL.body(other.bodyid[0]).name


def test_a_mirrored_pose_has_mirrored_sites():
    rng = np.random.default_rng(6)
    joints = dict(zip(JOINT_NAMES, rng.uniform(JOINT_LOWER_RAD, JOINT_UPPER_RAD), strict=True))
    flipped = {name: -angle if name.endswith(("_bending", "_rotation")) else angle for name, angle in joints.items()}
    pose, mirrored = NEUTRAL_QPOS.copy(), NEUTRAL_QPOS.copy()
    pose[7:] = list(joints.values())
    mirrored[7:] = [flipped[_other_side(name)] for name in JOINT_NAMES]
    found, expected = _sites(mirrored), _sites(pose)
    for name, position in found.items():
        np.testing.assert_allclose(position, expected[_other_side(name)] * MIRROR, atol=1e-12, err_msg=name)


def test_neutral_stands_upright_soles_on_the_floor_vertex_at_1_75_m():
    sites = _sites(NEUTRAL_QPOS)
    soles = [position[2] for name, position in sites.items() if name.startswith("sole_")]
    np.testing.assert_allclose(soles, 0.0, atol=1e-9)
    assert sites["vertex"][2] == pytest.approx(1.75)
    assert not NEUTRAL_QPOS[7:].any()
    assert np.array_equal(NEUTRAL_QPOS[3:7], [1, 0, 0, 0])


def test_the_asis_psis_plane_is_tilted_12_deg_forward_in_neutral():
    sites = _sites(NEUTRAL_QPOS)
    forward = (sites["asis_r"] + sites["asis_l"] - sites["psis_r"] - sites["psis_l"]) / 2
    assert np.rad2deg(np.arctan2(-forward[2], forward[0])) == pytest.approx(ASIS_PSIS_TILT_DEG, abs=0.01)


def test_masses_are_de_levas_shares_of_75_kg():
    assert MODEL.body_mass.sum() == pytest.approx(75.0)
    # de Leva 1996, men: share of body mass (%)
    shares = {"femur_r": 14.16, "tibia_r": 4.33, "humerus_r": 2.71, "hand_r": 0.61, "head": 6.94}
    for body, share in shares.items():
        assert MODEL.body(body).mass[0] == pytest.approx(0.75 * share)
    assert (MODEL.body_inertia[1:] > 0).all()


@pytest.mark.parametrize("keypoint_set", SHIPPED_KEYPOINT_SETS)
def test_every_keypoint_of_a_shipped_set_is_a_site_of_the_base_model(keypoint_set):
    keypoints, base = load_keypoint_set(keypoint_set), base_sites()
    place_from_site = {(body, tuple(position)) for body, position in zip(base.bodies, base.positions_m, strict=True)}
    for name, body, position in zip(keypoints.names, keypoints.bodies, keypoints.positions_m, strict=True):
        assert not body or (body, tuple(position)) in place_from_site, name
