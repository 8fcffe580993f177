"""The floor in the scene: its grid, footprints that stay with the size of their steps, flashes of what happens now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..gait.values import StepEvent
from ..scene.colours import SIDE_COLOURS, rgb
from ..scene.footprints import FOOT_BY_STATURE, Footprint

FLASH_S = 0.4
"""How long an event is seen to happen."""
WORDED = 6
"""Newest footprints with words beside them for who is near; from afar only the newest has words."""
_WORDS_M = 0.045
_ABOVE_M = 0.006
"""Footprints over the floor, so that neither hides the other."""
_FLASH_M, _WIDENS_M = 0.06, 0.3
"""Radius of a flash when it begins, and by how much it grows: from a heel's width to more than a foot's length."""
_THIN_M = 0.03
"""Width of a toe off's ring, which tells it from a heel strike's disc."""
_FLASH_OPACITY = 0.9
_BESIDE_M, _WORDS_ABOVE_M = 0.26, 0.02
"""Words from the middle of their print, clear of a sole and of half a line of words; and over the floor's flashes."""
_LINE_M = 0.012
_LINE_RGB = (120, 132, 143)
_RING = 40
_MARGIN_M = 1.0


class FloorNodes:
    """Grid, footprints, line of progression, flashes."""

    def __init__(self, server: Any, corners_m: np.ndarray, height_m: float) -> None:
        """`corners_m` (N, 2 or 3): what the grid reaches under; `height_m`: the subject's stature."""
        self._server = server
        self._foot_m = FOOT_BY_STATURE * height_m
        self._revision_from_id: dict[int, tuple[Any, ...]] = {}
        self._worded: dict[int, tuple[str, bool]] = {}
        self._flashing: set[int] = set()
        self._drawn_paths: tuple[bytes, ...] = ()
        _add_grid(server, corners_m)

    def show(self, prints: Sequence[Footprint], progression_m: Sequence[np.ndarray], near: bool) -> None:
        """The footprints that there are, and no others; `near`: somebody can read what is small."""
        wanted = {one.id: one for one in prints}
        for gone in self._revision_from_id.keys() - wanted.keys():
            self._server.scene.remove_by_name(f"/steps/{gone}")
            del self._revision_from_id[gone]
        for one in prints:
            revision = (one.revision, one.stamp_ns, one.heading_rad)
            if self._revision_from_id.get(one.id) != revision:
                self._revision_from_id[one.id] = revision
                self._add_print(one)
        self._word([one for one in prints if _words(one)][-WORDED if near else -1 :])
        self._draw_lines(progression_m)

    def flash(self, steps: Sequence[StepEvent], now_ns: int) -> None:
        """Discs that widen and fade where a heel struck just now, thin rings where a toe left."""
        age_s = {step.id: (now_ns - step.stamp_ns) * 1e-9 for step in steps}
        lately = {step.id: step for step in steps if 0 <= age_s[step.id] < FLASH_S}
        for gone in self._flashing - lately.keys():
            self._server.scene.remove_by_name(f"/flashes/{gone}")
        for number, step in lately.items():
            share = age_s[number] / FLASH_S
            outer_m = _FLASH_M + _WIDENS_M * share
            inner_m = 0.5 * share * outer_m if step.type == "heel_strike" else outer_m - _THIN_M
            self._add_flash(number, step, inner_m, outer_m, _FLASH_OPACITY * (1 - share))
        self._flashing = set(lately)

    def _add_flash(self, number: int, step: StepEvent, inner_m: float, outer_m: float, opacity: float) -> None:
        place = np.array([*step.foot_position_m[:2], 2 * _ABOVE_M])
        vertices, faces = ring(inner_m, outer_m)
        _add_flat(self._server, f"/flashes/{number}", vertices + place, faces, SIDE_COLOURS[step.side], opacity)

    def _add_print(self, one: Footprint) -> None:
        triangles = one.triangles_m(self._foot_m)
        triangles[..., 2] = _ABOVE_M
        faces = np.arange(3 * len(triangles)).reshape(-1, 3)
        opacity = 0.75 if one.final else 0.4
        _add_flat(self._server, f"/steps/{one.id}", triangles.reshape(-1, 3), faces, SIDE_COLOURS[one.side], opacity)

    def _word(self, worded: Sequence[Footprint]) -> None:
        """Step length and width beside the newest prints."""
        wanted = {one.id: (one, one is worded[-1]) for one in worded}
        for gone in self._worded.keys() - wanted.keys():
            self._server.scene.remove_by_name(f"/step_words/{gone}")
            del self._worded[gone]
        for number, (one, newest) in wanted.items():
            look = (_words(one), newest)
            if self._worded.get(number) != look:
                self._worded[number] = look
                self._server.scene.add_label(
                    f"/step_words/{number}",
                    _words(one),
                    position=_outside(one, self._foot_m),
                    anchor="center-center",
                    font_size_mode="screen" if newest else "scene",
                    font_screen_scale=0.85,
                    font_scene_height=_WORDS_M,
                )

    def _draw_lines(self, paths_m: Sequence[np.ndarray]) -> None:
        paths = tuple(path.tobytes() for path in paths_m)
        if paths == self._drawn_paths:
            return
        self._drawn_paths = paths
        if not paths_m:
            self._server.scene.remove_by_name("/progression")
            return
        segments = np.concatenate([np.stack([path[:-1], path[1:]], axis=1) for path in paths_m])
        segments[..., 2] = _ABOVE_M
        self._server.scene.add_line_segments("/progression", segments, _LINE_RGB, thickness=_LINE_M)


def _words(one: Footprint) -> str:
    """The sizes, on one line."""
    return one.words().replace("\n", ", ")


def ring(inner_m: float, outer_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Corners (N, 3) and triangles (T, 3) of a flat ring about the origin."""
    angle = np.linspace(0, 2 * np.pi, _RING, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle), np.zeros(_RING)], axis=1)
    start = np.arange(_RING)
    after = (start + 1) % _RING
    faces = np.concatenate(
        [np.stack([start, _RING + start, after], 1), np.stack([after, _RING + start, _RING + after], 1)]
    )
    return np.concatenate([inner_m * around, outer_m * around]), faces


def _outside(one: Footprint, foot_m: float) -> np.ndarray:
    """A place beside the print, on its outer side."""
    outward = one.heading_rad + (np.pi / 2 if one.side == "left" else -np.pi / 2)
    middle = one.middle_m(foot_m)
    return np.array([*(middle[:2] + _BESIDE_M * np.array([np.cos(outward), np.sin(outward)])), _WORDS_ABOVE_M])


def _add_flat(server: Any, path: str, corners_m: np.ndarray, faces: np.ndarray, colour: str, opacity: float) -> None:
    server.scene.add_mesh_simple(
        path,
        corners_m,
        faces,
        color=tuple(round(255 * part) for part in rgb(colour)),
        opacity=opacity,
        side="double",
        flat_shading=True,
        cast_shadow=False,
        receive_shadow=False,
    )


def _add_grid(server: Any, corners_m: np.ndarray) -> None:
    """Squares of one metre, halved, on z = 0 under everything."""
    low = np.floor(corners_m[:, :2].min(axis=0)) - _MARGIN_M
    high = np.ceil(corners_m[:, :2].max(axis=0)) + _MARGIN_M
    width, height = high - low
    server.scene.add_grid(
        "/floor",
        width=float(width),
        height=float(height),
        cell_size=0.5,
        section_size=1.0,
        cell_thickness=0.6,
        section_thickness=0.9,
        cell_color=(240, 243, 245),
        section_color=(226, 231, 235),
        plane_color=(247, 249, 250),
        plane_opacity=1.0,
        shadow_opacity=0.18,
        fade_strength=0.0,
        position=(*((low + high) / 2).tolist(), 0.0),
    )
