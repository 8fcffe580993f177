"""What the body's tests share: random subjects and poses, and MuJoCo's C engine as the oracle of kinematics."""

import dataclasses

import mujoco
import numpy as np

from markerless_biomech.body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD, base_mujoco_model, load_spec
from markerless_biomech.body.names import BODY_NAMES, SCALE_NAMES
from markerless_biomech.body.personal import PERSONAL_NAMES
from markerless_biomech.body.scaling import body_scales
from markerless_biomech.body.subject import Subject
from markerless_biomech.keypoints import KeypointSet


def random_subject(rng: np.random.Generator, keypoint_set: KeypointSet) -> Subject:
    """Scales of SD 15 %, offsets of SD 3 cm: further from the base model than people are."""
    return Subject(
        name="random",
        height_m=1.75,
        mass_kg=70.0,
        scales=rng.normal(0.0, 0.15, len(SCALE_NAMES)).clip(-0.3, 0.3),
        offsets_m={name: rng.normal(0.0, 0.03, 3) for name in keypoint_set.names},
        keypoint_set=keypoint_set.name,
    )


def with_own_joints(rng: np.random.Generator, subject: Subject) -> Subject:
    """Hips off by SD 1 cm, tilts of SD 3 degrees."""
    std = [0.01 if name.endswith("_m") else 0.05 for name in PERSONAL_NAMES]
    return dataclasses.replace(subject, personal=rng.normal(0.0, std))


def random_qpos(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 41) anywhere within 3 m, any orientation, any joint angles within their ranges."""
    quaternion = rng.normal(size=(count, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    joints = rng.uniform(JOINT_LOWER_RAD, JOINT_UPPER_RAD, (count, len(JOINT_LOWER_RAD)))
    return np.concatenate([rng.uniform(-3.0, 3.0, (count, 3)), quaternion, joints], axis=1)


def scaled_model(subject: Subject, keypoint_set: KeypointSet) -> mujoco.MjModel:
    """The subject compiled anew: MuJoCo ignores a changed site_pos where a site sits at its body's origin."""
    spec, base, scale = load_spec(), base_mujoco_model(), body_scales(subject.scales)
    for index, body in enumerate(BODY_NAMES, start=1):
        spec.body(body).pos = base.body_pos[index] * scale[base.body_parentid[index]]
    if subject.personal is not None:
        _move_joints(spec, dict(zip(PERSONAL_NAMES, subject.personal, strict=True)))
    for name, body, position in zip(keypoint_set.names, keypoint_set.bodies, keypoint_set.positions_m, strict=True):
        if body:
            moved = position * scale[1 + BODY_NAMES.index(body)] + subject.offsets_m.get(name, np.zeros(3))
            spec.body(body).add_site(name=f"keypoint {name}", pos=moved)
    return spec.compile()


def _move_joints(spec: mujoco.MjSpec, personal: dict[str, float]) -> None:
    """Tilt the pelvis, then move the hips; a left axis is a right one in a mirror, where rotations turn round."""
    for body in ("femur_r", "femur_l", "torso"):
        x, y, z = spec.body(body).pos
        spec.body(body).pos = x + personal["pelvis_tilt_rad"] * z, y, z - personal["pelvis_tilt_rad"] * x
    for side, mirror in (("r", 1.0), ("l", -1.0)):
        forward, outward, up = (personal[f"hip_centre_{where}_{side}_m"] for where in ("forward", "outward", "up"))
        spec.body(f"femur_{side}").pos += np.array([forward, -mirror * outward, up])
        for joint in ("knee", "ankle"):
            about_x, about_z = (mirror * personal[f"{joint}_axis_{p}_{side}_rad"] for p in ("frontal", "transverse"))
            hinge = spec.joint(f"{joint}_angle_{side}")
            unit = hinge.axis / np.linalg.norm(hinge.axis)
            tilted = unit + np.cross([about_x, 0.0, about_z], unit)
            hinge.axis = tilted  # MuJoCo makes it a unit vector


def oracle_poses(model: mujoco.MjModel, qpos: np.ndarray) -> mujoco.MjData:
    """MuJoCo's data with the kinematics of one pose (41,)."""
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    return data


def oracle_sites(model: mujoco.MjModel, keypoint_set: KeypointSet, qpos: np.ndarray) -> np.ndarray:
    """(K, 3) keypoint sites in world by MuJoCo's C engine; the origin for keypoints that are not used."""
    data = oracle_poses(model, qpos)
    return np.array(
        [
            data.site(f"keypoint {name}").xpos if body else np.zeros(3)
            for name, body in zip(keypoint_set.names, keypoint_set.bodies, strict=True)
        ]
    )
