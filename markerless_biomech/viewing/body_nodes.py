"""The subject in the scene: a mesh for each body, hung on the same tree of links that goes to /tf.

Every link is a node below the one that carries it, so that a pose is the pelvis' place and one rotation a link.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..body.meshes import mesh_colour, segment_mesh
from ..body.names import BODY_NAMES
from ..body.scaling import body_scales
from ..body.subject import Subject
from ..body.urdf import link_tree
from ..results import Tracking
from ..rotations import wxyz_from_xyzw
from ..scene.colours import TRACKING_COLOURS, rgb

ROOT = "/subject"
COASTING_OPACITY = 0.45
_ABOVE_HEAD = 1.06
"""Height of the word over the walker, by the stature."""
_STATE_WORDS: dict[Tracking | None, str] = {Tracking.COASTING: "COASTING", Tracking.LOST: "LOST: last seen here"}
_TINT = 0.55
"""How far the colours go over to COASTING's."""


class BodyNodes:
    """The scaled body; hidden until it is given a pose."""

    def __init__(self, server: Any, subject: Subject) -> None:
        self._tree = link_tree(subject)
        self._root = server.scene.add_frame(ROOT, show_axes=False, visible=False)
        path_from_link = {"world": ROOT}
        self._links = []
        for parent, child in zip(self._tree.parents, self._tree.children, strict=True):
            path_from_link[child] = f"{path_from_link[parent]}/{child}"
            self._links.append(server.scene.add_frame(path_from_link[child], show_axes=False))
        for link, origin_m in zip(self._links[1:], self._tree.origins_m, strict=True):
            link.position = origin_m
        stretch = dict(zip(BODY_NAMES, body_scales(subject.scales)[1:], strict=True))
        self._skins = {
            body: _add_skin(server, f"{path_from_link[body]}/skin", body, stretch[body]) for body in BODY_NAMES
        }
        self._shown_as = Tracking.TRACKED
        self._head_m = _ABOVE_HEAD * subject.height_m
        self._word = server.scene.add_label("/state", "", visible=False, anchor="bottom-center")

    def show(self, tracking: Tracking | None, qpos: np.ndarray | None) -> None:
        """Move to a pose (41,), pale while COASTING; nobody without one, but a word where somebody was last."""
        self._root.visible = qpos is not None
        self._say(tracking)
        if qpos is None or tracking is None:
            return
        self._word.position = (float(qpos[0]), float(qpos[1]), self._head_m)
        positions_m, turns_xyzw = self._tree.transforms(qpos)
        self._links[0].position = positions_m[0]
        for link, turn in zip(self._links, wxyz_from_xyzw(turns_xyzw), strict=True):
            link.wxyz = turn
        if tracking != self._shown_as:
            self._shown_as = tracking
            for body, skin in self._skins.items():
                skin.color, skin.opacity = _colour(body, tracking)

    def _say(self, tracking: Tracking | None) -> None:
        text = _STATE_WORDS.get(tracking, "") if self._word.position[2] or tracking == Tracking.COASTING else ""
        if self._word.text != text:
            self._word.text, self._word.visible = text, bool(text)


def _add_skin(server: Any, path: str, body: str, stretch: np.ndarray) -> Any:
    mesh = segment_mesh(body)
    colour, _ = _colour(body, Tracking.TRACKED)
    return server.scene.add_mesh_simple(path, mesh.vertices_m * stretch, mesh.faces, color=colour)


def _colour(body: str, tracking: Tracking) -> tuple[tuple[int, int, int], float | None]:
    """(red, green, blue) of 255, and opacity."""
    own = np.array(mesh_colour(body))
    if tracking == Tracking.TRACKED:
        return _bytes(own), None
    return _bytes((1 - _TINT) * own + _TINT * np.array(rgb(TRACKING_COLOURS[tracking]))), COASTING_OPACITY


def _bytes(colour: Any) -> tuple[int, int, int]:
    red, green, blue = (round(255 * float(part)) for part in colour)
    return red, green, blue
