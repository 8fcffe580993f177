"""People in all kinds of postures: known ones varied, lying, upside down, and any within the joints' ranges."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from markerless_biomech.body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD, NEUTRAL_QPOS, body_parameters, body_poses
from markerless_biomech.body.names import BODY_NAMES, JOINT_NAMES
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.rotations import wxyz_from_xyzw, xyzw_from_wxyz

_ARMS = {"elbow_flex": 20.0, "pro_sup": 70.0, "arm_add": -8.0}

POSTURES = {
    # joint angles (deg; both sides where no side is named), pitch forward and roll of the whole body (deg)
    "standing": (_ARMS, 0, 0),
    "mid-stride": (_ARMS | {"hip_flexion_r": 25, "hip_flexion_l": -15, "knee_angle_l": 25}, 0, 0),
    "deep squat": (_ARMS | {"hip_flexion": 110, "knee_angle": 120, "ankle_angle": 25, "arm_flex": 70}, 25, 0),
    "sitting": (_ARMS | {"hip_flexion": 85, "knee_angle": 90, "elbow_flex": 60}, 0, 0),
    "bent forward": (_ARMS | {"hip_flexion": 70, "arm_flex": 70, "lumbar_extension": -25}, 65, 0),
    "T-pose": ({"arm_add": -88, "elbow_flex": 5, "pro_sup": 80}, 0, 0),
    "arms up": ({"arm_flex": 165, "elbow_flex": 10, "pro_sup": 70}, 0, 0),
    "supine": (_ARMS, -90, 0),
    "prone": ({"arm_flex": 100, "elbow_flex": 80, "pro_sup": 70, "ankle_angle": -40}, 90, 0),
    "on the side": (_ARMS | {"hip_flexion": 20, "knee_angle": 30, "arm_flex": 40}, 0, 90),
    "curled": (
        {"hip_flexion": 110, "knee_angle": 125, "lumbar_extension": -35, "arm_flex": 60, "elbow_flex": 110},
        0,
        90,
    ),
    "leg forward": (_ARMS | {"hip_flexion_r": 85, "knee_angle_r": 10}, 0, 0),
    "leg back": (_ARMS | {"hip_flexion_l": -25, "knee_angle_l": 60}, 15, 0),
    "on hands and knees": ({"hip_flexion": 90, "knee_angle": 90, "arm_flex": 85, "pro_sup": 70}, 85, 0),
    "headstand": ({"arm_flex": 150, "elbow_flex": 60, "pro_sup": 70}, 175, 0),
}

JOINT_SD_DEG, TILT_SD_DEG = 8.0, 8.0


def posture(name: str, rng: np.random.Generator) -> np.ndarray:
    """(41,) one of POSTURES, every joint varied within its range, facing anywhere, the body's middle near 0.5 m."""
    angles, pitch, roll = POSTURES[name]
    usual = np.array([angles.get(j, angles.get(j.removesuffix("_r").removesuffix("_l"), 0.0)) for j in JOINT_NAMES])
    varied = np.radians(usual + JOINT_SD_DEG * rng.standard_normal(len(JOINT_NAMES)))
    tilt = np.array([pitch, roll]) + TILT_SD_DEG * rng.standard_normal(2)
    turn = Rotation.from_euler("zyx", [rng.uniform(-180.0, 180.0), *tilt], degrees=True)
    qpos = np.array(NEUTRAL_QPOS, dtype=float)
    qpos[:3] = [*rng.uniform(-0.4, 0.4, 2), 0.9]
    qpos[3:7] = wxyz_from_xyzw(turn.as_quat())
    qpos[7:] = np.clip(varied, JOINT_LOWER_RAD, JOINT_UPPER_RAD)
    return qpos


def postures(each: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Names and poses (N, 41), `each` of every posture."""
    rng = np.random.default_rng(seed)
    names = [name for name in POSTURES for _ in range(each)]
    return names, np.stack([posture(name, rng) for name in names])


def _axes(qpos: np.ndarray) -> np.ndarray:
    """(N, 6, 3): leftward axes of pelvis and torso, long axes of thighs and shanks in world."""
    parameters = body_parameters(subject_from_height(1.75, "coco_17"), load_keypoint_set("coco_17"))
    quaternion = np.asarray(body_poses(parameters, qpos.astype(np.float32))[1], dtype=float)
    rotation = Rotation.from_quat(xyzw_from_wxyz(quaternion.reshape(-1, 4))).as_matrix().reshape(len(qpos), -1, 3, 3)
    wanted = [("pelvis", 1), ("torso", 1), ("femur_r", 2), ("femur_l", 2), ("tibia_r", 2), ("tibia_l", 2)]
    return np.stack([rotation[:, 1 + BODY_NAMES.index(body), :, axis] for body, axis in wanted], axis=1)


def segment_errors_deg(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N, 6) angle between each segment's axis and the true one; NaN where nothing was found."""
    lost = ~np.isfinite(found).all(axis=1)
    found = np.where(lost[:, None], truth, found)
    cosine = np.sum(_axes(found) * _axes(truth), axis=-1)
    return np.where(lost[:, None], np.nan, np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
