"""One calibrated camera, many in a rig, and the checks that a calibration passes once, at the edge.

Poses are of the optical frame (x right, y down, z forward) in world: p_world = R p_camera + t, quaternion x y z w.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError
from ..rotations import matrix_from_xyzw, xyzw_from_matrix

DISTORTION_LENGTHS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (8,), "equidistant": (4,)}
"""Distortion models by ROS's names, and how many coefficients each may have (plumb_bob: none, or without k3)."""


@dataclass(frozen=True, eq=False)
class Camera:
    """One calibrated camera."""

    name: str
    width: int
    """px"""
    height: int
    """px"""
    distortion_model: str
    """One of DISTORTION_LENGTHS."""
    k: np.ndarray
    """(3, 3) intrinsic matrix of the raw image; (0, 0) is the centre of the top-left pixel."""
    d: np.ndarray
    """Distortion coefficients in OpenCV's order."""
    position_m: np.ndarray
    """(3,) of the optical centre in world."""
    orientation_xyzw: np.ndarray
    """(4,) unit quaternion world from optical frame."""
    frame_id: str
    """Name of the optical frame."""
    source: str = ""
    """Where the calibration came from, in words."""
    r: np.ndarray = field(default_factory=lambda: np.eye(3))
    """(3, 3) rectified camera from camera."""
    p: np.ndarray | None = None
    """(3, 4) projection of the rectified image; None: k."""

    @property
    def world_from_camera(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (3, 3) and translation (3,) m."""
        return matrix_from_xyzw(self.orientation_xyzw), self.position_m

    @property
    def camera_from_world(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (3, 3) and translation (3,) m, as OpenCV has it."""
        rotation = matrix_from_xyzw(self.orientation_xyzw).T
        return rotation, -rotation @ self.position_m


@dataclass(frozen=True, eq=False)
class Rig:
    """All cameras of a lab, in one world."""

    cameras: dict[str, Camera]
    world_frame: str = "world"


def with_prefix(rig: Rig, frame_prefix: str) -> Rig:
    """The same cameras, `frame_prefix` put before their frames."""
    return replace(rig, cameras={n: replace(c, frame_id=frame_prefix + c.frame_id) for n, c in rig.cameras.items()})


def same_rig(first: Rig, second: Rig) -> bool:
    """Whether two rigs have the same cameras at the same places with the same lenses."""
    if first.cameras.keys() != second.cameras.keys():
        return False
    pairs = ((first.cameras[name], second.cameras[name]) for name in first.cameras)
    fields = ("k", "d", "position_m", "orientation_xyzw")
    return all(np.array_equal(getattr(one, field), getattr(other, field)) for one, other in pairs for field in fields)


def checked_camera(camera: Camera, where: str = "") -> Camera:
    """Return `camera`, or raise InputError naming it and the field that cannot be right."""
    place = f"{where}: camera '{camera.name}'" if where else f"camera '{camera.name}'"
    if camera.width <= 0 or camera.height <= 0:
        raise InputError(f"{place} has an image of {camera.width} x {camera.height} px; expected its size in pixels")
    _check_intrinsics(place, "k", camera.k)
    _check_distortion(place, camera)
    _check_rotation(place, "r", camera.r)
    if camera.p is not None:
        _check_intrinsics(place, "p", camera.p[:, :3])
    if not np.isfinite(camera.position_m).all() or camera.position_m.shape != (3,):
        raise InputError(f"{place} has position_m {_text(camera.position_m)}; expected three finite numbers in metres")
    length = float(np.linalg.norm(camera.orientation_xyzw))
    # A quaternion printed with three digits is unit to 1e-3; a worse one was put together wrongly.
    if not abs(length - 1.0) < 1e-2:
        raise InputError(
            f"{place} has orientation_xyzw {_text(camera.orientation_xyzw)} of length {length:.4g}; "
            "expected a unit quaternion x y z w"
        )
    return camera


def _check_intrinsics(place: str, name: str, matrix: np.ndarray) -> None:
    if not np.isfinite(matrix).all():
        raise InputError(f"{place} has {name} {_text(matrix)}; expected finite numbers")
    if matrix[0, 0] == 0.0 and matrix[1, 1] == 0.0:
        raise InputError(f"{place} is not calibrated ({name}[0] = 0); calibrate it, or give its intrinsics in rig.yaml")
    if matrix[0, 0] <= 0.0 or matrix[1, 1] <= 0.0 or abs(matrix[2, 2] - 1.0) > 1e-6 or np.any(matrix[2, :2] != 0.0):
        raise InputError(f"{place} has a singular or unusual {name} {_text(matrix)}; expected [fx 0 cx 0 fy cy 0 0 1]")
    if abs(matrix[0, 1]) > 1e-3 * matrix[0, 0] or matrix[1, 0] != 0.0:
        raise InputError(f"{place} has {name} with a skew of {matrix[0, 1]:.4g} px; expected none")


def _check_distortion(place: str, camera: Camera) -> None:
    lengths = DISTORTION_LENGTHS.get(camera.distortion_model)
    if lengths is None:
        raise InputError(
            f"{place} has distortion_model '{camera.distortion_model}'; expected one of {', '.join(DISTORTION_LENGTHS)}"
        )
    if len(camera.d) not in lengths:
        expected = f"{camera.distortion_model} has {' or '.join(map(str, lengths))}"
        raise InputError(f"{place} has {len(camera.d)} distortion coefficients; {expected}")
    if not np.isfinite(camera.d).all():
        raise InputError(f"{place} has d {_text(camera.d)}; expected finite numbers")


def _check_rotation(place: str, name: str, matrix: np.ndarray) -> None:
    """A rotation: orthonormal to 1e-2 (rounded files) and not a mirror image."""
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are none of a rotation's
        is_orthonormal = matrix.shape == (3, 3) and np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-2)
    if not is_orthonormal:
        raise InputError(f"{place} has {name} {_text(matrix)}, which is not orthonormal; expected a rotation matrix")
    if np.linalg.det(matrix) < 0.0:
        raise InputError(f"{place} has {name} {_text(matrix)}, which is a mirror image; expected a rotation matrix")


def _text(values: np.ndarray) -> str:
    return "[" + " ".join(f"{x:.5g}" for x in np.ravel(values)) + "]"


def pose_from_matrix(name: str, rotation: np.ndarray, position_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position and quaternion of a pose given as matrix; InputError naming the camera when it is flipped."""
    _check_rotation(f"camera '{name}'", "pose", np.asarray(rotation, dtype=float))
    return np.asarray(position_m, dtype=float), xyzw_from_matrix(rotation)
