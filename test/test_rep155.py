"""The projection on REP-155's human: its own kinematics put the limbs where our model has them."""

from xml.etree import ElementTree

import numpy as np
import pytest
from body_oracle import oracle_poses, random_qpos, random_subject, scaled_model
from test_urdf import rodrigues

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.rep155 import HRI_JOINTS, HriBody, _arm
from markerless_biomech.keypoints import load_keypoint_set

KEYPOINTS = load_keypoint_set("coco_17")
SUBJECT = random_subject(np.random.default_rng(3), KEYPOINTS)
BODY = HriBody(SUBJECT)
ROBOT = ElementTree.fromstring(BODY.urdf("a1b2c"))


def numbers(text: str) -> np.ndarray:
    return np.array([float(x) for x in text.split()])


def hri_poses(root, angles) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Links of the URDF in world, by its XML alone."""
    angle_from_joint = dict(zip(HRI_JOINTS, angles, strict=True))
    pose = {"body": root}
    for joint in ROBOT.findall("joint"):
        parent, child = (joint.find(tag).attrib["link"].removesuffix("_a1b2c") for tag in ("parent", "child"))
        rotation, position = pose[parent]
        turn, axis = np.eye(3), joint.find("axis")
        if axis is not None:
            turn = rodrigues(numbers(axis.attrib["xyz"]), angle_from_joint[joint.attrib["name"].removesuffix("_a1b2c")])
        pose[child] = rotation @ turn, position + rotation @ numbers(joint.find("origin").attrib["xyz"])
    return pose


@pytest.mark.parametrize("seed", range(4))
def test_limbs_point_where_ours_do(seed):
    qpos = random_qpos(np.random.default_rng(seed), 1)[0]
    data = oracle_poses(scaled_model(SUBJECT, KEYPOINTS), qpos)
    found = hri_poses(BODY.root(qpos), BODY.angles(qpos))
    for side in "lr":
        for start, end, ours in (
            ("y_hip", "knee", ("femur", "tibia")),
            ("knee", "ankle", ("tibia", "talus")),
            ("y_shoulder", "elbow", ("humerus", "ulna")),
            ("elbow", "wrist", ("ulna", "hand")),
        ):
            direction = found[f"{side}_{end}"][1] - found[f"{side}_{start}"][1]
            wanted = data.body(f"{ours[1]}_{side}").xpos - data.body(f"{ours[0]}_{side}").xpos
            lengths = np.linalg.norm(direction), np.linalg.norm(wanted)
            # Six digits in the URDF; turning the forearm moves the hand nearer to the elbow by some millimetres.
            assert lengths[0] == pytest.approx(lengths[1], rel=0.03 if end == "wrist" else 1e-5)
            angle_deg = np.degrees(np.arccos(np.clip(direction @ wanted / np.prod(lengths), -1, 1)))
            # Exact but for the elbow's rotation near straight, and a knee that bends about one axis of the thigh.
            assert angle_deg < 1.0, (side, start, end)


@pytest.mark.parametrize(
    ("elbow_deg", "allowed_deg"), [(0.0, 1e-6), (5.0, 12.0), (11.0, 12.0), (11.6, 1e-5), (90.0, 1e-5)]
)
def test_forearms_point_where_ours_do_once_the_elbow_is_bent(elbow_deg, allowed_deg):
    """Against rodrigues' turns of REP-155's axes, for forearms to every side of an arm that hangs."""
    elbow, upper_m, off_deg = np.radians(elbow_deg), np.array([0.0, 0.0, -0.3]), []
    for towards in np.radians(np.arange(-180, 180, 15)):
        forearm = np.array([np.sin(elbow) * np.cos(towards), np.sin(elbow) * np.sin(towards), -np.cos(elbow)])
        places = {"humerus": np.zeros(3), "ulna": upper_m, "hand": upper_m + 0.25 * forearm}
        angles = _arm(np.eye(3), {f"{part}_l": (np.eye(3), place_m) for part, place_m in places.items()}, "l", 1)
        axes = np.array([[0, 0, -1], [1, 0, 0], [0, 0, 1], [0, -1, 0]])
        turns = [rodrigues(axis, angle) for axis, angle in zip(axes, angles, strict=True)]
        off_deg.append(np.degrees(np.arccos(np.clip(np.linalg.multi_dot(turns) @ [0, 0, -1] @ forearm, -1, 1))))
    assert max(off_deg) < allowed_deg


def test_the_frame_lies_between_the_hips_and_the_links_carry_the_identity():
    rotation, position = BODY.root(random_qpos(np.random.default_rng(9), 1)[0])
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    links = [link.attrib["name"] for link in ROBOT.findall("link")]
    assert all(name.endswith("_a1b2c") for name in links) and links[0] == "body_a1b2c" and len(HRI_JOINTS) == 20
    assert len(links) == len(set(links)) == len(ROBOT.findall("joint")) + 1


def test_signs_are_rep155s():
    """Knee bent is negative, elbow bent positive, thigh forward positive, trunk forward positive, head up positive."""
    qpos = np.eye(1, 41, 3)[0]
    for name, angle in (
        ("knee_angle_l", 0.5),
        ("elbow_flex_r", 0.7),
        ("hip_flexion_l", 0.4),
        ("lumbar_extension", -0.3),
    ):
        qpos[7 + JOINT_NAMES.index(name)] = angle
    qpos[7 + JOINT_NAMES.index("neck_extension")] = 0.2
    angles = dict(zip(HRI_JOINTS, BODY.angles(qpos), strict=True))
    assert angles["l_knee"] == pytest.approx(-0.5, abs=0.05) and angles["r_elbow"] == pytest.approx(0.7, abs=0.15)
    assert angles["l_r_hip"] == pytest.approx(0.4, abs=0.05) and angles["waist"] == pytest.approx(0.3, abs=0.05)
    assert angles["p_head"] == pytest.approx(0.2, abs=0.05) and abs(angles["r_knee"]) < 0.05
