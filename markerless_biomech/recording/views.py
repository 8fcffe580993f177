"""Pictures of the body for the report: the skeleton in each camera's image, and skeleton and cameras in the room."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..cameras.rig import Camera
from .oracle import project_px
from .plots import GRID, INK, LEFT, MIDDLE, QUIET, RIGHT
from .reprojection import nearest_person, person_errors_px

Bone = tuple[str, np.ndarray]
"""Side ('l', 'r' or '') and the two (2, 3) ends in world."""

_TRUNK = (("mid_hip", "torso", "neck_base", "vertex"), ("hip_r", "mid_hip", "hip_l"))
_LIMBS = (
    ("femur", "tibia", "talus", "toes", "big_toe"),
    ("talus", "heel", "toes"),
    ("humerus", "ulna", "hand", "knuckle"),
)
_LINES = {
    "": _TRUNK,
    **{
        side: (("neck_base", f"humerus_{side}"), *(tuple(f"{part}_{side}" for part in limb) for limb in _LIMBS))
        for side in "rl"
    },
}
"""Chains of landmarks (`BodyOracle.landmarks_m`) that are drawn as bones, by side."""
_COLOURS = {"l": LEFT, "r": RIGHT, "": MIDDLE}
_SIGHT_M = 0.35
"""Length of a camera's symbol along its optical axis."""


def bones(landmarks_m: dict[str, np.ndarray]) -> list[Bone]:
    """The skeleton at one instant, from (3,) landmarks by name."""
    return [
        (side, np.array([landmarks_m[start], landmarks_m[end]]))
        for side, chains in _LINES.items()
        for chain in chains
        for start, end in itertools.pairwise(chain)
    ]


def image_figure(
    cameras: dict[str, Camera],
    people: dict[str, np.ndarray],
    skeleton: list[Bone],
    sites_m: np.ndarray,
    rectified: bool,
    close: bool,
) -> Figure:
    """One instant in every camera: `people` (P, K, 3) by camera, others than the subject grey.

    close: only the part of each image around the subject; else the whole image.
    """
    shape = max(camera.height / camera.width for camera in cameras.values())
    shape = 1.25 if close else shape
    columns = min(len(cameras), 4 if shape > 1 or len(cameras) > 6 else 2 if len(cameras) <= 4 else 3)
    rows = math.ceil(len(cameras) / columns)
    width, gap, head = 13.0, 0.42, 0.42
    panel = (width - columns * gap) / columns
    height = rows * (panel * shape + gap / 2 + head)
    figure = Figure(figsize=(width, height))
    axes = np.atleast_1d(
        figure.subplots(
            rows,
            columns,
            gridspec_kw={
                "left": gap / width,
                "right": 1 - 0.05 / width,
                "top": 1 - head / 1.4 / height,
                "bottom": gap / 2 / height,
                "wspace": gap / panel,
                "hspace": (gap / 2 + head) / (panel * shape),
            },
        )
    ).ravel()
    for axis, (name, camera) in zip(axes, cameras.items(), strict=False):
        _draw_image(axis, camera, people.get(name), skeleton, sites_m, rectified)
        if close:
            corners_m = np.vstack([sites_m, *(ends for _, ends in skeleton)])
            _move_close(axis, project_px(camera, corners_m, rectified), shape)
        axis.set_title(name, fontsize=10)
    for axis in axes[len(cameras) :]:
        axis.set_axis_off()
    return figure


def _draw_image(
    axis: Axes, camera: Camera, people: np.ndarray | None, skeleton: list[Bone], sites_m: np.ndarray, rectified: bool
) -> None:
    """Axes as the image's: origin at the top left, pixels."""
    axis.set(xlim=(-0.5, camera.width - 0.5), ylim=(camera.height - 0.5, -0.5), aspect="equal")
    axis.set_facecolor("#f2f4f6")
    axis.grid(False)
    axis.spines[:].set_visible(True)
    axis.tick_params(labelsize=7, length=2)
    lines = project_px(camera, np.array([np.linspace(ends[0], ends[1], 5) for _, ends in skeleton]), rectified)
    colours = [_COLOURS[side] for side, _ in skeleton]
    axis.add_collection(LineCollection(list(lines), colors="white", lw=4.2, capstyle="round", zorder=3))
    axis.add_collection(LineCollection(list(lines), colors=colours, lw=2.4, capstyle="round", zorder=4))
    if people is not None and len(people):
        subject = nearest_person(person_errors_px(people, project_px(camera, sites_m, rectified)))
        for index, points in enumerate(people):
            _draw_points(axis, points, grey=index != subject)


def _draw_points(axis: Axes, points: np.ndarray, grey: bool) -> None:
    """Keypoints of one person, darker the more confident; grey for a bystander."""
    seen = points[points[:, 2] > 0]
    if grey:
        axis.scatter(seen[:, 0], seen[:, 1], s=6, color="#a6afb8", lw=0, zorder=2)
    else:
        axis.scatter(seen[:, 0], seen[:, 1], s=7, c=seen[:, 2], cmap="RdPu", vmin=-0.4, vmax=1, lw=0, zorder=5)


def _move_close(axis: Axes, points_px: np.ndarray, shape: float) -> None:
    """Show the surroundings of the subject's points (N, 2), height / width = shape."""
    points_px = points_px[np.isfinite(points_px).all(axis=-1)]
    if not len(points_px):
        return
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    middle, size = (low + high) / 2, 1.2 * (high - low)
    height = max(size[1], size[0] * shape)
    axis.set_xlim(middle[0] - height / shape / 2, middle[0] + height / shape / 2)
    axis.set_ylim(middle[1] + height / 2, middle[1] - height / 2)


def room_figure(cameras: dict[str, Camera], skeletons: list[list[Bone]], pelvis_m: np.ndarray) -> Figure:
    """The room: cameras, the path of the pelvis (F, 3) on the floor, and the skeleton at some instants."""
    figure = Figure(figsize=(10, 5.6))
    axis = figure.add_axes((0, 0, 1, 1), projection="3d", computed_zorder=False)
    for name, camera in cameras.items():
        _draw_camera(axis, name, camera)
    axis.plot(pelvis_m[:, 0], pelvis_m[:, 1], np.zeros(len(pelvis_m)), color=QUIET, lw=1, zorder=1)
    for order, skeleton in enumerate(skeletons):
        strength = 1.0 if order == len(skeletons) - 1 else 0.45
        for side, ends in skeleton:
            axis.plot(*ends.T, color=_COLOURS[side], lw=2.4, alpha=strength, solid_capstyle="round", zorder=3 + order)
    _frame_room(
        axis, np.vstack([*(camera.position_m for camera in cameras.values()), *(b for s in skeletons for _, b in s)])
    )
    return figure


def _draw_camera(axis: Any, name: str, camera: Camera) -> None:
    """A pyramid from the optical centre to the image's corners."""
    rotation, position = camera.world_from_camera
    corners_px = np.array([[0, 0, 1], [camera.width, 0, 1], [camera.width, camera.height, 1], [0, camera.height, 1]])
    rays = corners_px @ np.linalg.inv(camera.k).T
    corners = position + _SIGHT_M * rays @ rotation.T
    for corner, after in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        axis.plot(*np.array([position, corner, after]).T, color=INK, lw=0.9, zorder=2, clip_on=False)
    axis.plot([position[0]] * 2, [position[1]] * 2, [0, position[2]], color=GRID, lw=0.8, zorder=0, clip_on=False)
    axis.text(*position + [0, 0, 0.14], name, color=QUIET, fontsize=8, ha="center", clip_on=False)


def _frame_room(axis: Any, points_m: np.ndarray) -> None:
    """Equal scales, a floor of squares of one metre, no box."""
    low, high = np.floor(points_m.min(axis=0)), np.ceil(points_m.max(axis=0))
    low[2], high[2] = min(0.0, points_m[:, 2].min()), max(high[2], 2.0)
    for x in np.arange(low[0], high[0] + 1):
        axis.plot([x, x], [low[1], high[1]], [0, 0], color=GRID, lw=0.7, zorder=0, clip_on=False)
    for y in np.arange(low[1], high[1] + 1):
        axis.plot([low[0], high[0]], [y, y], [0, 0], color=GRID, lw=0.7, zorder=0, clip_on=False)
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axis.set_box_aspect(high - low, zoom=1.55)
    axis.view_init(elev=22, azim=-58)
    axis.set_axis_off()
