"""A rig as it is supposed to be: cameras, what is done to their pixels, how late they are. Hypotheses change one.

Everything after the lens is done in normalised coordinates (x / z, y / z), times the focal length for pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..cameras.calibrated_camera import Camera

UNTOUCHED = np.eye(2, 3)
"""Pixels as the detector gave them."""

POLISHING = 6
"""Fixed-point steps after OpenCV's five, which leave a pixel in the corners of a wide lens."""


@dataclass(frozen=True, eq=False)
class Setup:
    """C cameras in order, each with the affine map (2, 3) that its detector's pixels go through first, and a lag."""

    cameras: tuple[Camera, ...]
    pixels: tuple[np.ndarray, ...]
    """(2, 3) each."""
    lags_s: tuple[float, ...]
    """Added to each camera's stamps."""
    rectified: tuple[bool, ...]

    def with_camera(self, index: int, camera: Camera) -> Setup:
        """Another calibration for one camera."""
        return replace(self, cameras=(*self.cameras[:index], camera, *self.cameras[index + 1 :]))

    def with_pixels(self, index: int, affine: np.ndarray) -> Setup:
        """Another map of one camera's pixels, done before the present one."""
        before, after = np.vstack([affine, [0, 0, 1]]), np.vstack([self.pixels[index], [0, 0, 1]])
        joined = (after @ before)[:2]
        return replace(self, pixels=(*self.pixels[:index], joined, *self.pixels[index + 1 :]))

    def with_lag(self, index: int, lag_s: float) -> Setup:
        """One camera's stamps moved on."""
        return replace(self, lags_s=(*self.lags_s[:index], self.lags_s[index] + lag_s, *self.lags_s[index + 1 :]))

    @property
    def rotation(self) -> np.ndarray:
        """(C, 3, 3) world from camera."""
        return np.stack([self.turn(index) for index in range(len(self.cameras))])

    @property
    def centre_m(self) -> np.ndarray:
        """(C, 3) optical centres in world."""
        return np.stack([camera.position_m for camera in self.cameras]).astype(float)

    @property
    def focal_px(self) -> np.ndarray:
        """(C,) geometric mean of fx and fy."""
        return np.array([focal_px(camera, flat) for camera, flat in zip(self.cameras, self.rectified, strict=True)])

    def turn(self, index: int) -> np.ndarray:
        """(3, 3) world from camera; from the rectified camera where pixels are rectified."""
        rotation, camera = self.cameras[index].world_from_camera[0], self.cameras[index]
        return rotation @ camera.r.T if self.rectified[index] else rotation

    def normalised(self, index: int, image_px: np.ndarray) -> np.ndarray:
        """(..., 2) undistorted coordinates of one camera's pixels (..., 2)."""
        return self.normalised_as(index, index, image_px)

    def normalised_as(self, index: int, other: int, image_px: np.ndarray) -> np.ndarray:
        """(..., 2) of one camera's pixels, if its lens were another camera's."""
        affine = self.pixels[index]
        return undistorted(self.cameras[other], image_px @ affine[:, :2].T + affine[:, 2], self.rectified[other])


def focal_px(camera: Camera, rectified: bool) -> float:
    """Geometric mean of fx and fy."""
    matrix = camera.p if rectified and camera.p is not None else camera.k
    return float(np.sqrt(matrix[0, 0] * matrix[1, 1]))


def undistorted(camera: Camera, image_px: np.ndarray, rectified: bool, polishing: int = POLISHING) -> np.ndarray:
    """(..., 2) x / z, y / z of pixels by OpenCV; what the lens model does not reach comes out large or not at all."""
    flat = np.ascontiguousarray(image_px, dtype=float).reshape(-1, 1, 2)
    if not len(flat):
        return np.zeros(image_px.shape)
    k, d = camera.k.astype(float), np.asarray(camera.d, dtype=float)
    if rectified:
        matrix = camera.k if camera.p is None else camera.p[:, :3]
        found = cv2.undistortPoints(flat, np.asarray(matrix, dtype=float), None)
    elif camera.distortion_model == "equidistant":
        found = cv2.fisheye.undistortPoints(flat, k, d)
    else:
        found = _brown_undistorted(flat, k, d, polishing)
    return np.nan_to_num(found.reshape(image_px.shape), nan=1e3, posinf=1e3, neginf=-1e3)


def _brown_undistorted(flat: np.ndarray, k: np.ndarray, d: np.ndarray, polishing: int) -> np.ndarray:
    """(M, 1, 2) for plumb_bob and rational_polynomial."""
    wanted = (flat - k[:2, 2]) / np.array([k[0, 0], k[1, 1]])
    if not np.any(d):
        return wanted
    found = cv2.undistortPoints(flat, k, d)
    nothing = np.zeros(3)
    for _ in range(polishing):
        rays = np.concatenate([found, np.ones_like(found[..., :1])], -1)
        got = cv2.projectPoints(rays, nothing, nothing, np.eye(3), d)[0]
        found = found + np.clip(np.nan_to_num(wanted - got), -0.3, 0.3)
    return found
