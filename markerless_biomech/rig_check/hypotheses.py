"""What may be wrong with a rig whose cameras disagree grossly: each hypothesis is the rig put right, to be tried.

All are mistakes people make: cameras exchanged, an axis mirrored, poses the wrong way round, other image sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..cameras.calibrated_camera import Camera
from ..rotations import xyzw_from_matrix
from .setup import Setup

Pose = tuple[np.ndarray, np.ndarray]
"""Rotation (3, 3) world from camera and centre (3,) m."""

BODY_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""REP-103: body axes x forward, y left, z up; optical axes x right, y down, z forward."""

FACTORS = (0.5, 2.0, 2.0 / 3.0, 1.5, 0.75, 4.0 / 3.0, 1.0 / 3.0, 3.0, 0.25, 4.0)
"""By which images are usually scaled."""

UNITS = {0.01: "centimetres", 0.001: "millimetres", 0.0254: "inches", 0.3048: "feet"}
"""Metres in the unit that a length may have been written in."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A rig put right."""

    kind: str
    cameras: tuple[int, ...]
    """Which are changed; empty: all."""
    setup: Setup
    words: str
    """What is wrong, to follow the camera's name or 'the rig': 'has ...'."""
    remedy: str
    value: float = float("nan")
    unit: str = ""

    def changed(self, count: int) -> int:
        """How many of the cameras."""
        return len(self.cameras) or count


@dataclass(frozen=True)
class PoseMistake:
    """A way to write poses that is not ours."""

    kind: str
    words: str
    remedy: str


def pose_mistakes(pose: Pose) -> Iterator[tuple[PoseMistake, Pose]]:
    """Every mistake with the right pose if it was made."""
    yield from _mirrors(pose)
    yield from _conventions(pose)


def _mirrors(pose: Pose) -> Iterator[tuple[PoseMistake, Pose]]:
    """World axes negated or exchanged; alone or with the camera's axis that keeps the rotation proper."""
    rotation, centre = pose
    flips = {f"the {'xyz'[i]} axis": np.diag(1.0 - 2.0 * np.eye(3)[i]) for i in range(3)}
    swaps = {
        f"the axes {a} and {b} exchanged": _exchange(i, j)
        for i, j, a, b in ((0, 1, "x", "y"), (0, 2, "x", "z"), (1, 2, "y", "z"))
    }
    for name, mirror in {**flips, **swaps, "all axes negated": -np.eye(3)}.items():
        words = f"is mirrored ({name} points the other way)" if name in flips else f"is mirrored ({name})"
        mistake = PoseMistake("mirrored", words, "write the world's axes as a right-handed frame, z up")
        yield mistake, (rotation, mirror @ centre)
        for axis in range(3):
            yield mistake, (mirror @ rotation @ np.diag(1.0 - 2.0 * np.eye(3)[axis]), mirror @ centre)


def _exchange(i: int, j: int) -> np.ndarray:
    matrix = np.eye(3)
    matrix[[i, j]] = matrix[[j, i]]
    return matrix


def _conventions(pose: Pose) -> Iterator[tuple[PoseMistake, Pose]]:
    rotation, centre = pose
    remedy = "give the pose of the optical frame in world: p_world = R p_camera + t, quaternion x y z w"
    inverse = "has its poses the wrong way round (camera from world instead of world from camera)"
    yield PoseMistake("inverse_pose", inverse, remedy), (rotation.T, -rotation.T @ centre)
    half = "has OpenCV's translation as its position (t of camera from world; expected -R' t)"
    yield PoseMistake("inverse_pose", half, remedy), (rotation, -rotation @ centre)
    turned = "has its rotations the wrong way round (camera from world instead of world from camera)"
    yield PoseMistake("inverse_pose", turned, remedy), (rotation.T, centre)
    body = "has the pose of the camera's body (x forward, z up) where that of its optical frame is expected"
    yield PoseMistake("camera_axes", body, remedy), (rotation @ BODY_FROM_OPTICAL, centre)
    yield (
        PoseMistake("camera_axes", "has its optical frame turned twice", remedy),
        (
            rotation @ BODY_FROM_OPTICAL.T,
            centre,
        ),
    )
    graphics = "has cameras that look along -z with y up, as in computer graphics"
    yield PoseMistake("camera_axes", graphics, remedy), (rotation @ np.diag([1.0, -1.0, -1.0]), centre)
    yield (
        PoseMistake("quaternion_order", "has quaternions in the order w x y z", remedy),
        (_reordered(rotation), centre),
    )


def _reordered(rotation: np.ndarray) -> np.ndarray:
    """The rotation if w x y z was read as x y z w."""
    from ..rotations import matrix_from_xyzw

    return matrix_from_xyzw(np.roll(xyzw_from_matrix(rotation), -1))


def image_mistakes(
    camera: Camera, scale: tuple[float, float] | None
) -> Iterator[tuple[str, str, str, float, np.ndarray]]:
    """(kind, words, remedy, factor, affine (2, 3)): what may have been done to the detector's images."""
    width, height = camera.width, camera.height
    fit = "use the calibration at the detector's image size, or scale its points"
    factors = [(1 / f, 1 / f) for f in FACTORS] + ([scale] if scale else [])
    for x, y in factors:
        by = f"{x:.4g}" if abs(x - y) < 0.01 * x else f"{x:.4g} (u) and {y:.4g} (v)"
        words = f"has the wrong image size: its points fit the calibration when multiplied by {by}"
        yield "image_size", words, fit, 1.0 / x, np.array([[x, 0.0, 0.0], [0.0, y, 0.0]])
    turn = "calibrate the images as the detector sees them, or turn them back"
    last = (width - 1.0, height - 1.0)
    yield (
        "image_turned",
        "has its images turned by 180 deg",
        turn,
        180.0,
        np.array([[-1, 0, last[0]], [0, -1, last[1]]]),
    )
    quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, last[1]]])
    back = np.array([[0.0, -1.0, last[0]], [1.0, 0.0, 0.0]])
    yield "image_turned", "has its images turned by 90 deg (portrait for landscape)", turn, 90.0, quarter
    yield "image_turned", "has its images turned by 90 deg (portrait for landscape)", turn, -90.0, back
    mirror = "switch the camera's mirroring off"
    yield (
        "image_mirrored",
        "has mirrored images (left and right)",
        mirror,
        1.0,
        np.array([[-1.0, 0, last[0]], [0, 1, 0]]),
    )


def posed(camera: Camera, pose: Pose) -> Camera:
    """The camera elsewhere."""
    return replace(camera, orientation_xyzw=xyzw_from_matrix(pose[0]), position_m=np.asarray(pose[1], dtype=float))


def whole_rig(setup: Setup, scales: list[tuple[float, float] | None]) -> Iterator[Hypothesis]:
    """One mistake, made with every camera."""
    poses = [camera.world_from_camera for camera in setup.cameras]
    for rows in zip(*map(pose_mistakes, poses), strict=True):
        mistake = rows[0][0]
        cameras = tuple(posed(camera, row[1]) for camera, row in zip(setup.cameras, rows, strict=True))
        yield Hypothesis(mistake.kind, (), replace(setup, cameras=cameras), mistake.words, mistake.remedy)
    images = [
        list(image_mistakes(camera, scale or (1.0, 1.0))) for camera, scale in zip(setup.cameras, scales, strict=True)
    ]
    for rows in zip(*images, strict=True):
        changed = setup
        for index, row in enumerate(rows):
            changed = changed.with_pixels(index, row[4])
        yield Hypothesis(rows[0][0], (), changed, rows[0][1], rows[0][2], rows[0][3])


def of_camera(setup: Setup, index: int, scale: tuple[float, float] | None) -> Iterator[Hypothesis]:
    """One mistake, made with one camera."""
    camera = setup.cameras[index]
    for mistake, pose in pose_mistakes(camera.world_from_camera):
        changed = setup.with_camera(index, posed(camera, pose))
        yield Hypothesis(mistake.kind, (index,), changed, mistake.words, mistake.remedy)
    for kind, words, remedy, value, affine in image_mistakes(camera, scale):
        yield Hypothesis(kind, (index,), setup.with_pixels(index, affine), words, remedy, value)
    for metres, unit in UNITS.items():
        for factor in (metres, 1.0 / metres):
            changed = setup.with_camera(index, replace(camera, position_m=camera.position_m * factor))
            words = f"has its position in {unit if factor < 1 else 'another unit than the others'}"
            yield Hypothesis("units", (index,), changed, words, "give all positions in metres", 1.0 / factor)


def exchanged(setup: Setup, order: np.ndarray) -> Setup:
    """Calibration order[c] for camera c; each keeps its name and its images' map."""
    cameras = tuple(
        replace(setup.cameras[int(source)], name=own.name) for own, source in zip(setup.cameras, order, strict=True)
    )
    return replace(setup, cameras=cameras, rectified=tuple(setup.rectified[int(source)] for source in order))
