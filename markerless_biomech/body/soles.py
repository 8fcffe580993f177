"""Points on the feet in NumPy: for the few of them, the call of a compiled program takes longer than the products.

A call hands the work to another thread and waits for it, which in a live node costs half a millisecond, twice a frame.
Equal to `model.sites` (tested). Both legs go together; they are mirror images, so their chains are alike.
"""

from __future__ import annotations

import numpy as np

from ..keypoints import KeypointSet
from ..rotations import matrix_from_xyzw, xyzw_from_wxyz
from .base import PELVIS, base_mujoco_model
from .kinematics import JOINT_BODY
from .names import BODY_NAMES
from .scaling import body_scales, subject_axes, subject_positions
from .subject import Subject

_FEET = ("toes_l", "toes_r")
_NO_HINGE = len(JOINT_BODY)


class FootPoints:
    """Landmarks of the base model on the legs of one subject: those of the left, then as many, alike, of the right."""

    def __init__(self, subject: Subject, landmarks: KeypointSet) -> None:
        body_pos, axes, scale = subject_positions(subject), subject_axes(subject), body_scales(subject.scales)
        axes = np.concatenate([axes, [[1.0, 0.0, 0.0]]])
        body_of = np.array([1 + BODY_NAMES.index(body) for body in landmarks.bodies]).reshape(2, -1)
        points_m = (landmarks.positions_m * scale[body_of.ravel()]).reshape(2, -1, 3)
        legs = [_chain(1 + BODY_NAMES.index(foot)) for foot in _FEET]
        steps = [_steps(leg) for leg in legs]
        # read-only after construction
        self._hinges = np.array(steps).transpose(1, 0, 2)[..., 1]
        """(S, 2) the hinge of each step down both legs; _NO_HINGE: none."""
        self._offsets_m = np.array(
            [[body_pos[body] if first else np.zeros(3) for body, _, first in leg] for leg in steps]
        ).transpose(1, 0, 2)[..., None]
        """(S, 2, 3, 1) where each step's frame lies in the one before."""
        cross = np.cross(np.eye(3), axes[self._hinges][..., None, :])
        self._cross, self._square = cross, cross @ cross
        """(S, 2, 3, 3) of each hinge's axis a: v -> a x v, and that twice."""
        self._ends = {
            step: (columns, points_m[:, columns].transpose(0, 2, 1))
            for step in range(len(steps[0]))
            if len(columns := self._columns(steps[0], step, body_of[0]))
        }
        """After which step which points (2, 3, N) are placed."""
        self._count = points_m.shape[1]

    @staticmethod
    def _columns(steps: list[tuple[int, int, bool]], step: int, bodies: np.ndarray) -> np.ndarray:
        """The points of the body whose last step this is."""
        body = steps[step][0]
        is_last = step + 1 == len(steps) or steps[step + 1][0] != body
        return np.flatnonzero(bodies == body) if is_last else np.zeros(0, int)

    def at(self, qpos: np.ndarray) -> np.ndarray:
        """(2, N, 3) points in world (m) of the left and the right foot at a pose (41,)."""
        qpos = np.asarray(qpos, dtype=float)
        angles = np.append(qpos[7:], 0.0)[self._hinges][..., None, None]
        turns = np.eye(3) + np.sin(angles) * self._cross + (1.0 - np.cos(angles)) * self._square  # Rodrigues
        rotation = matrix_from_xyzw(xyzw_from_wxyz(qpos[3:7]))
        position = qpos[:3, None]
        placed = np.empty((2, self._count, 3))
        for step, turn in enumerate(turns):
            position = position + rotation @ self._offsets_m[step]
            rotation = rotation @ turn
            if step in self._ends:
                columns, points_m = self._ends[step]
                placed[:, columns] = (position + rotation @ points_m).transpose(0, 2, 1)
        return placed


def _chain(body: int) -> list[int]:
    """The bodies from below the pelvis down to `body` (MuJoCo's ids)."""
    parents, chain = base_mujoco_model().body_parentid, [body]
    while parents[chain[0]] != PELVIS:
        chain.insert(0, int(parents[chain[0]]))
    return chain


def _steps(bodies: list[int]) -> list[tuple[int, int, bool]]:
    """(body, hinge, whether it is the body's first) of each turn down a chain; a body without a hinge has one step."""
    steps: list[tuple[int, int, bool]] = []
    for body in bodies:
        hinges = np.flatnonzero(body == JOINT_BODY).tolist() or [_NO_HINGE]
        steps += [(body, hinge, index == 0) for index, hinge in enumerate(hinges)]
    return steps
