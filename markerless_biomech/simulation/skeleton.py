"""The true person as the simulator moves and sees it: MuJoCo's C engine on the scaled body, in double precision.

Nothing here is shared with the fit but the base model's file and the subject: kinematics and Jacobians are MuJoCo's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from ..body.base import base_mujoco_model
from ..body.names import BODY_NAMES
from ..body.scaling import body_scales, subject_axes, subject_positions
from ..body.soft_tissue import slid_m, slides_of
from ..keypoints import KeypointSet
from ..rotations import wxyz_from_xyzw, xyzw_from_wxyz

if TYPE_CHECKING:
    from ..body.subject import Subject

LEG_DOFS = 20
"""Root (6) and both legs (14): the first tangent dimensions of the body."""
SOLE_POINTS = ("heel", "first_metatarsal", "fifth_metatarsal", "big_toe", "small_toe", "toe_base")
"""Points on the floor below a standing foot; the first four are the body's sole_* sites."""
EVENT_POINTS = 4
"""How many of them make events: the body's own."""
_EXTRA_TOE_POINTS_M = np.array([[0.025, -0.03, -0.022], [0.003, 0.02, -0.022]])
"""Of the right foot, in toes' frame: they keep the toes flat while the heel rises."""


@dataclass(eq=False)
class Skeleton:
    """Kinematics of one person."""

    model: mujoco.MjModel
    body_scale: np.ndarray
    """(22, 3) by MuJoCo body id."""
    site_body: np.ndarray
    """(K,) MuJoCo body id of each keypoint site."""
    site_pos_m: np.ndarray
    """(K, 3) in the body's frame, scaled and with the person's offset."""
    site_slide_m_per_rad: np.ndarray
    """(K, 3) how the person's skin slides there."""

    @cached_property
    def data(self) -> mujoco.MjData:
        """Scratch memory of the engine."""
        return mujoco.MjData(self.model)

    @cached_property
    def sole_body(self) -> np.ndarray:
        """(2, P) body ids of the right and the left foot's `SOLE_POINTS`."""
        names = [[f"calcn_{side}"] * 3 + [f"toes_{side}"] * 3 for side in "rl"]
        return np.array([[self.model.body(name).id for name in row] for row in names])

    @cached_property
    def sole_pos_m(self) -> np.ndarray:
        """(2, P, 3) in the bodies' frames, scaled."""
        points = np.zeros((2, len(SOLE_POINTS), 3))
        for index, side in enumerate("rl"):
            for point, name in enumerate(SOLE_POINTS[:EVENT_POINTS]):
                points[index, point] = self.model.site(f"sole_{name}_{side}").pos
            points[index, EVENT_POINTS:] = _EXTRA_TOE_POINTS_M * ([1, 1, 1] if side == "r" else [1, -1, 1])
        return points * self.body_scale[self.sole_body]

    @cached_property
    def mid_hip_m(self) -> np.ndarray:
        """(3,) between the hip joints, in the pelvis' frame."""
        return 0.5 * (self.model.body("femur_r").pos + self.model.body("femur_l").pos)

    @cached_property
    def _standing_soles_m(self) -> np.ndarray:
        """(2, P, 3) in neutral, pelvis at the origin."""
        neutral = self.model.qpos0[None].copy()
        neutral[:, :3] = 0.0
        return self.soles_m(neutral)[0]

    def hip_height_m(self) -> float:
        """Height of the hips above the soles in neutral (mean of both legs)."""
        return float(self.mid_hip_m[2] - self._standing_soles_m[..., 2].mean())

    def flat_foot_m(self) -> np.ndarray:
        """(2, P, 3) sole points of each foot flat on the floor, pointing along x, ankle above the origin."""
        neutral = self.model.qpos0[None].copy()
        neutral[:, :3] = 0.0
        flat = self._standing_soles_m.copy()
        flat[..., :2] -= self.ankles_m(neutral)[0][:, None, :2]
        flat[..., 2] = 0.0
        return flat

    def ankles_m(self, qpos: np.ndarray) -> np.ndarray:
        """(F, 2, 3) right and left ankle in world."""
        return self.poses(qpos)[0][:, [self.model.body("talus_r").id, self.model.body("talus_l").id]]

    def poses(self, qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World positions (F, 22, 3) and rotations world_from_body (F, 22, 3, 3) of all bodies."""
        positions = np.empty((len(qpos), self.model.nbody, 3))
        rotations = np.empty((len(qpos), self.model.nbody, 9))
        for frame, row in enumerate(qpos):
            self.data.qpos[:] = row
            mujoco.mj_kinematics(self.model, self.data)
            positions[frame], rotations[frame] = self.data.xpos, self.data.xmat
        return positions, rotations.reshape(*rotations.shape[:2], 3, 3)

    def sites_m(self, qpos: np.ndarray) -> np.ndarray:
        """(F, K, 3) keypoint sites in world."""
        local_m = self.site_pos_m + slid_m(self.site_slide_m_per_rad, self.site_body, qpos)
        return self._points(*self.poses(qpos), self.site_body, local_m)

    def soles_m(self, qpos: np.ndarray) -> np.ndarray:
        """(F, 2, P, 3) sole points in world."""
        return self._points(*self.poses(qpos), self.sole_body, self.sole_pos_m)

    @staticmethod
    def _points(positions: np.ndarray, rotations: np.ndarray, body: np.ndarray, local_m: np.ndarray) -> np.ndarray:
        return positions[:, body] + (rotations[:, body] @ local_m[..., None])[..., 0]

    def soles_with_jacobian(self, qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sole points (F, 2, P, 3) and their derivatives (F, 2, P, 3, LEG_DOFS) by root and legs."""
        shape = (len(qpos), *self.sole_body.shape)
        points, jacobian = np.empty((*shape, 3)), np.empty((*shape, 3, LEG_DOFS))
        full = np.zeros((3, self.model.nv))
        for frame, row in enumerate(qpos):
            self.data.qpos[:] = row
            mujoco.mj_kinematics(self.model, self.data)
            mujoco.mj_comPos(self.model, self.data)
            points[frame] = self._points(
                self.data.xpos[None], self.data.xmat.reshape(1, -1, 3, 3), self.sole_body, self.sole_pos_m
            )[0]
            for foot in range(2):
                for point, body in enumerate(self.sole_body[foot]):
                    mujoco.mj_jac(self.model, self.data, full, None, points[frame, foot, point], body)
                    jacobian[frame, foot, point] = full[:, :LEG_DOFS]
        return points, jacobian


def build_skeleton(subject: Subject, keypoint_set: KeypointSet) -> Skeleton:
    """The base model with the subject's segment lengths, and the sites of a keypoint set on it."""
    scale = body_scales(subject.scales)
    model = copy.copy(base_mujoco_model())
    model.body_pos[:], model.jnt_axis[1:] = subject_positions(subject), subject_axes(subject)
    site_body = np.array([1 + BODY_NAMES.index(body) if body else 0 for body in keypoint_set.bodies])
    offsets_m = np.array([subject.offsets_m.get(name, np.zeros(3)) for name in keypoint_set.names])
    slides = slides_of(subject.soft_tissue_m_per_rad, keypoint_set)
    return Skeleton(model, scale, site_body, keypoint_set.positions_m * scale[site_body] + offsets_m, slides)


def integrated(qpos: np.ndarray, step: np.ndarray) -> np.ndarray:
    """`qpos` (F, 41) moved by tangent `step` (F, D <= 40): world translation, rotation about pelvis axes, joints."""
    moved = qpos.copy()
    moved[:, :3] += step[:, :3]
    turned = Rotation.from_quat(xyzw_from_wxyz(qpos[:, 3:7])) * Rotation.from_rotvec(step[:, 3:6])
    moved[:, 3:7] = wxyz_from_xyzw(turned.as_quat())
    moved[:, 7 : 1 + step.shape[1]] += step[:, 6:]
    return moved
