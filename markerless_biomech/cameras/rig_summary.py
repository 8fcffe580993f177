"""A rig in words that a person in the lab can check against the room: how many, how far apart, how high, looking where.

And what cannot be right in most labs: images that lie on their side, cameras below the floor, cameras that look away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .calibrated_camera import Rig
from .levelling import image_up, upright_axis

UPRIGHT_COSINE = 0.7
"""Images that are upright along z by less than this (45 degrees, on average) lie on their side."""


@dataclass(frozen=True)
class RigSummary:
    """What a tape measure would say."""

    cameras: tuple[str, ...]
    apart_m: tuple[float, float]
    """Least and largest distance of two cameras; (0, 0) for one camera."""
    heights_m: dict[str, float]
    """Of each camera above z = 0."""
    looking_at_m: np.ndarray
    """(3,) the point nearest to all optical axes."""
    from_m: tuple[float, float]
    """Least and largest distance of a camera from there."""

    @property
    def sentence(self) -> str:
        """In one line."""
        count = len(self.cameras)
        apart = f", {_span(*self.apart_m)} m apart" if count > 1 else ""
        heights = _span(min(self.heights_m.values()), max(self.heights_m.values()))
        # Zero without a sign.
        x, y, z = np.round(self.looking_at_m, 1) + 0.0
        looking = f", looking at ({x:.1f}, {y:.1f}, {z:.1f}) m from {_span(*self.from_m)} m" if count > 1 else ""
        return f"{count} camera{'s' if count > 1 else ''}{apart}, {heights} m above the floor (z = 0){looking}"


def summarise(rig: Rig) -> RigSummary:
    """Distances, heights, and where the cameras look."""
    positions = np.array([camera.position_m for camera in rig.cameras.values()])
    pairs = np.linalg.norm(positions[:, None] - positions, axis=-1)[np.triu_indices(len(positions), 1)]
    centre = _seen_by_all(rig)
    away = np.linalg.norm(positions - centre, axis=1)
    return RigSummary(
        cameras=tuple(rig.cameras),
        apart_m=(float(pairs.min()), float(pairs.max())) if len(pairs) else (0.0, 0.0),
        heights_m={name: float(camera.position_m[2]) for name, camera in rig.cameras.items()},
        looking_at_m=centre,
        from_m=(float(away.min()), float(away.max())),
    )


def doubts(rig: Rig) -> tuple[str, ...]:
    """What is unusual, a sentence each, with what to do about it."""
    found = []
    up = image_up(rig)
    if up[2] < UPRIGHT_COSINE * np.linalg.norm(up):
        found.append(f"the images are not upright along z, {_turn(rig)}")
    low = [name for name, camera in rig.cameras.items() if camera.position_m[2] < 0.0]
    if low:
        found.append(
            f"camera{'s' if len(low) > 1 else ''} {', '.join(low)} below the floor (z = 0): if the floor is elsewhere, "
            "level with --floor-from-feet"
        )
    away = _looking_away(rig)
    if len(away) > len(rig.cameras) // 2:
        found.append(
            f"cameras {', '.join(away)} look away from where the optical axes meet: the file's poses may be the "
            "inverse of what its format means, or mirrored"
        )
    return tuple(found)


def _turn(rig: Rig) -> str:
    try:
        axis = upright_axis(rig)
    except ValueError:
        return "nor along any other axis of the world: level with --floor-from-feet"
    return (
        f"but along {axis}: turn the world with --up {axis}" if axis != "z" else "quite: level with --floor-from-feet"
    )


def _seen_by_all(rig: Rig) -> np.ndarray:
    """(3,) the point nearest to all optical axes: minimises sum |(I - f f') (p - o)|^2.

    A small pull to the cameras' middle decides what parallel axes leave open.
    """
    positions = np.array([camera.position_m for camera in rig.cameras.values()])
    forward = np.array([camera.world_from_camera[0][:, 2] for camera in rig.cameras.values()])
    planes = np.eye(3) - forward[:, :, None] * forward[:, None, :]
    pull = 1e-6 * len(positions)
    moment = np.einsum("cij,cj->i", planes, positions) + pull * positions.mean(axis=0)
    return np.linalg.solve(planes.sum(axis=0) + pull * np.eye(3), moment)


def _looking_away(rig: Rig) -> list[str]:
    """Cameras that have the common point behind them; none for one camera."""
    if len(rig.cameras) < 2:
        return []
    centre = _seen_by_all(rig)
    return [
        name
        for name, camera in rig.cameras.items()
        if (centre - camera.position_m) @ camera.world_from_camera[0][:, 2] < 0.0
    ]


def _span(low: float, high: float) -> str:
    low, high = round(low, 1) + 0.0, round(high, 1) + 0.0
    return f"{low:.1f}" if low == high else f"{low:.1f} to {high:.1f}"
