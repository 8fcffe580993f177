"""A small lab for tests: cameras on a circle, a body that moves in a known way, keypoints by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from markerless_biomech.body.model import NEUTRAL_QPOS, body_parameters, sites
from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.subject import Subject
from markerless_biomech.cameras.calibrated_camera import Camera, Rig, pose_from_matrix
from markerless_biomech.cameras.frame_sets import FrameSet
from markerless_biomech.keypoints import KeypointFrame, KeypointSet

FPS = 60.0
START_NS = 1_000_000_000_000


def circle_rig(count: int, radius_m: float = 4.0, focal_px: float = 1100.0) -> Rig:
    """Cameras that look at the middle of a standing person."""
    cameras = {}
    for index in range(count):
        angle = 2 * np.pi * index / count
        position = np.array([radius_m * np.cos(angle), radius_m * np.sin(angle), 1.2 + index % 2])
        forward = np.array([0.0, 0.0, 0.95]) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
        position_m, orientation = pose_from_matrix(f"cam{index}", rotation, position)
        cameras[f"cam{index}"] = Camera(
            name=f"cam{index}",
            width=1920,
            height=1080,
            distortion_model="plumb_bob",
            k=np.array([[focal_px, 0, 960.0], [0, focal_px, 540.0], [0, 0, 1]]),
            d=np.array([-0.05, 0.01, 0.0, 0.0, 0.0]),
            position_m=position_m,
            orientation_xyzw=orientation,
            frame_id=f"cam{index}_optical",
        )
    return Rig(cameras=cameras)


def swinging(frames: int, fps: float = FPS) -> np.ndarray:
    """(F, 41) a person who strides on the spot: legs and arms swing, the pelvis drifts and turns."""
    time_s = np.arange(frames) / fps
    phase = 2 * np.pi * 0.9 * time_s
    qpos = np.tile(np.asarray(NEUTRAL_QPOS, dtype=float), (frames, 1))
    qpos[:, 0] += 0.3 * np.sin(0.5 * phase)
    qpos[:, 2] += 0.02 * np.sin(2 * phase)
    yaw = 0.4 * np.sin(0.3 * phase)
    qpos[:, 3], qpos[:, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
    swings = {"hip_flexion": (25, 0), "knee_angle": (25, 30), "ankle_angle": (10, 0), "arm_flex": (20, 0)}
    swings |= {"elbow_flex": (15, 30), "pro_sup": (5, 70), "arm_add": (3, -8)}
    for name, (amplitude, middle) in swings.items():
        for side, sign in (("r", 1.0), ("l", -1.0)):
            wave = sign * np.sin(phase + (0.8 if name == "knee_angle" else 0.0))
            qpos[:, 7 + JOINT_NAMES.index(f"{name}_{side}")] = np.radians(middle + amplitude * wave)
    return qpos


def sites_of(subject: Subject, keypoint_set: KeypointSet, qpos: np.ndarray) -> np.ndarray:
    """(F, K, 3)"""
    return np.asarray(sites(body_parameters(subject, keypoint_set), qpos.astype(np.float32)))


def images_of(rig: Rig, sites_m: np.ndarray, noise_px: float, seed: int = 0) -> dict[str, np.ndarray]:
    """(F, K, 3) u, v, confidence of each camera."""
    rng = np.random.default_rng(seed)
    images = {}
    for name, camera in rig.cameras.items():
        rotation, translation = camera.camera_from_world
        vector = cv2.Rodrigues(rotation)[0]
        flat = sites_m.reshape(-1, 3).astype(float)
        pixels = cv2.projectPoints(flat, vector, translation, camera.k, camera.d)[0].reshape(*sites_m.shape[:2], 2)
        pixels = pixels + noise_px * rng.normal(size=pixels.shape)
        images[name] = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1).astype(np.float32)
    return images


def frame_set(
    people: dict[str, np.ndarray], index: int, fps: float = FPS, delays_s: dict[str, float] | None = None
) -> FrameSet:
    """Frame set number `index`; `people` holds (P, K, 3) of each camera."""
    stamp_ns = START_NS + round(index * 1e9 / fps)
    frames = {
        name: KeypointFrame(name, stamp_ns + round((delays_s or {}).get(name, 0.0) * 1e9), stamp_ns, points)
        for name, points in people.items()
    }
    return FrameSet(stamp_ns, frames, "complete", stamp_ns, stamp_ns)


def frame_sets(images: dict[str, np.ndarray]) -> list[FrameSet]:
    """One person in every image."""
    count = len(next(iter(images.values())))
    return [frame_set({name: points[i][None] for name, points in images.items()}, i) for i in range(count)]
