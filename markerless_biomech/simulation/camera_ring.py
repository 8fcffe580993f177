"""Virtual cameras around the volume: where they stand, their lenses, and what the lab believes about them.

Projection is OpenCV's, so that the simulator shares no camera code with the fit.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from ..cameras.calibrated_camera import Camera, Rig
from ..settings import SimulationSettings
from .paths import STRAIGHT_M, TURN_RADIUS_M

FOCAL_PX = 1100.0
DISTANCE_M = 4.0
"""From the volume's middle at least, and `MARGIN_M` from its edge."""
MARGIN_M = 3.0
WIDE_FROM_M = 5.0
"""Larger rings use wider images (1920 x 1080 px instead of 1280 x 1024), so that most cameras see the whole path."""
HEIGHTS_M = (1.2, 2.5)
"""Of neighbouring cameras, in turn."""
LOOK_AT_M = np.array([0.0, 0.0, 0.95])
NEAREST_M = 0.2
"""Nothing nearer to the optical centre, or behind it, is seen."""


def true_rig(settings: SimulationSettings) -> Rig:
    """Cameras evenly on a circle; lenses differ a little from one to the next. Fixed by the settings but the seed."""
    cameras = {}
    for index in range(settings.cameras):
        rng = np.random.default_rng([index, 20])
        angle = 2.0 * np.pi * (index + 0.5) / settings.cameras
        ring_m = max(DISTANCE_M, half_extent_m(settings) + MARGIN_M)
        position = np.array([ring_m * np.cos(angle), ring_m * np.sin(angle), HEIGHTS_M[index % 2]])
        name = f"cam{index}"
        cameras[name] = _camera(name, position, (1920, 1080) if ring_m > WIDE_FROM_M else (1280, 1024), rng)
    return Rig(cameras)


def nominal_rig(settings: SimulationSettings, rig: Rig) -> Rig:
    """What the lab believes: each camera turned and moved by the settings' errors, about and along random axes."""
    rng = np.random.default_rng([settings.seed, 21])
    cameras = {}
    for name, camera in rig.cameras.items():
        axis, direction = rng.standard_normal((2, 3))
        turn = Rotation.from_rotvec(np.radians(settings.camera_error_deg) * axis / np.linalg.norm(axis))
        cameras[name] = dataclasses.replace(
            camera,
            position_m=camera.position_m + settings.camera_error_mm / 1e3 * direction / np.linalg.norm(direction),
            orientation_xyzw=(turn * Rotation.from_quat(camera.orientation_xyzw)).as_quat(),
        )
    return Rig(cameras, rig.world_frame)


def half_extent_m(settings: SimulationSettings) -> float:
    """Furthest from the volume's middle that the person's path goes."""
    if settings.path == "loop":
        return settings.radius_m
    if settings.path == "there-and-back":
        return STRAIGHT_M / 2.0 + 2.0 * TURN_RADIUS_M
    return settings.speed_m_s * settings.seconds / 2.0 if settings.path == "line" else 0.0


def _camera(name: str, position_m: np.ndarray, size_px: tuple[int, int], rng: np.random.Generator) -> Camera:
    """A camera that looks at the volume's middle, upright, with a mild barrel distortion."""
    forward = LOOK_AT_M - position_m
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    world_from_camera = np.stack([right, np.cross(forward, right), forward], axis=-1)
    focal_px = FOCAL_PX * (1.0 + 0.01 * rng.standard_normal())
    center_px = (np.array(size_px) - 1.0) / 2.0 + 6.0 * rng.standard_normal(2)
    return Camera(
        name=name,
        width=size_px[0],
        height=size_px[1],
        distortion_model="plumb_bob",
        k=np.array([[focal_px, 0.0, center_px[0]], [0.0, focal_px, center_px[1]], [0.0, 0.0, 1.0]]),
        d=np.array([-0.08, 0.03, 0.0, 0.0, 0.0]) + np.array([0.01, 0.005, 3e-4, 3e-4, 0.0]) * rng.standard_normal(5),
        position_m=position_m,
        orientation_xyzw=Rotation.from_matrix(world_from_camera).as_quat(),
        frame_id=f"{name}_optical",
        source="simulation",
    )


def project(camera: Camera, points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pixels (..., 2), inside (...)) of world points (..., 3): in front, within the lens' field and the image."""
    rotation, translation = camera.camera_from_world
    local = points_m.reshape(-1, 3) @ rotation.T + translation
    in_front = local[:, 2] > NEAREST_M
    local[~in_front] = [0.0, 0.0, 1.0]
    slope = np.hypot(local[:, 0], local[:, 1]) / local[:, 2]
    half_diagonal = np.hypot(camera.width, camera.height) / 2.0 / camera.k[0, 0]
    # beyond 1.3 times the corner, the distortion polynomial may fold back into the image
    in_field = in_front & (slope < 1.3 * half_diagonal)
    local[~in_field] = [0.0, 0.0, 1.0]
    pixels = cv2.projectPoints(local, np.zeros(3), np.zeros(3), camera.k, camera.d)[0].reshape(-1, 2)
    in_image = (pixels > -0.5).all(1) & (pixels < np.array([camera.width, camera.height]) - 0.5).all(1)
    shape = points_m.shape[:-1]
    return pixels.reshape(*shape, 2), (in_field & in_image).reshape(shape)
