"""Poses of frames in world from /tf_static: whole chains composed, without tf2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..rotations import matrix_from_xyzw, xyzw_from_matrix


@dataclass(frozen=True, eq=False)
class _Edge:
    parent: str
    rotation: np.ndarray
    translation_m: np.ndarray


class StaticTransforms:
    """The tree of static transforms heard so far. A child has one parent; of two messages the later counts."""

    def __init__(self) -> None:
        self._edge_from_child: dict[str, _Edge] = {}

    def add(self, parent: str, child: str, position_m: ArrayLike, orientation_xyzw: ArrayLike) -> str:
        """Take p_parent = R p_child + t in; '', or the reason in words why it was refused.

        The last to come counts, as in tf2, whatever its stamp: a bag that is played later has older ones.
        """
        parent, child = _name(parent), _name(child)
        translation_m, quaternion = np.asarray(position_m, dtype=float), np.asarray(orientation_xyzw, dtype=float)
        length = float(np.linalg.norm(quaternion))
        if not np.isfinite(translation_m).all() or not abs(length - 1.0) < 1e-2:
            return f"the transform from '{parent}' to '{child}' has no unit quaternion or a position that is not finite"
        if parent == child:
            return f"the transform of '{child}' names itself as parent"
        self._edge_from_child[child] = _Edge(parent, matrix_from_xyzw(quaternion), translation_m)
        return ""

    def lookup(self, world_frame: str, frame: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Position (m) and quaternion x y z w of `frame` in `world_frame`; None when no chain leads there."""
        up_from_world, up_from_frame = self._ancestors(_name(world_frame)), self._ancestors(_name(frame))
        common = next((ancestor for ancestor in up_from_frame if ancestor in up_from_world), None)
        if common is None:
            return None
        common_from_frame_r, common_from_frame_t = up_from_frame[common]
        common_from_world_r, common_from_world_t = up_from_world[common]
        rotation = common_from_world_r.T @ common_from_frame_r
        return common_from_world_r.T @ (common_from_frame_t - common_from_world_t), xyzw_from_matrix(rotation)

    def reason(self, world_frame: str, frame: str) -> str:
        """Why `lookup` finds nothing, in words; '' where it finds something."""
        world_frame, frame = _name(world_frame), _name(frame)
        if self.lookup(world_frame, frame) is not None:
            return ""
        if frame not in self._edge_from_child:
            return f"/tf_static has no transform with the child '{frame}'"
        chain = list(self._ancestors(frame))
        if self._edge_from_child.get(chain[-1]) is not None:
            return f"/tf_static goes in a circle: {' -> '.join(chain)} -> {self._edge_from_child[chain[-1]].parent}"
        return f"/tf_static leads from '{frame}' up to '{chain[-1]}', which is not connected to '{world_frame}'"

    def _ancestors(self, frame: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """`frame` and all above it, nearest first, each with the pose (R, t) of `frame` in it; stops at a circle."""
        rotation, translation = np.eye(3), np.zeros(3)
        found = {frame: (rotation, translation)}
        while (edge := self._edge_from_child.get(frame)) is not None and edge.parent not in found:
            translation = edge.rotation @ translation + edge.translation_m
            rotation = edge.rotation @ rotation
            found[edge.parent] = (rotation, translation)
            frame = edge.parent
        return found


def _name(frame: str) -> str:
    """tf2's rule: a leading slash is not part of the name."""
    return frame.removeprefix("/")
