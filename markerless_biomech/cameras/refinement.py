"""Cameras that were fitted: a prior of what may be wrong with a calibration, and the rig that comes out of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..rotations import xyzw_from_matrix
from ..settings import SessionSettings
from .alignment import gauge_of, without_gauge, world_steps
from .calibrated_camera import Camera, Rig
from .camera import Cameras
from .increments import NUMBERS, POSE

FIXED = 1e-7
"""Standard deviation of a number that is not looked for."""

LENS_STD = {"log_focal": 0.02, "center_u_px": 10.0, "center_v_px": 10.0, "k1": 0.03}
"""How far a lab's lens calibration is off, where that is looked for."""

TIME_STD_S = 0.01
"""How far a camera's stamps are off, where that is looked for."""


@dataclass(frozen=True, eq=False)
class RigFit:
    """A rig fitted to its images. C cameras."""

    rig: Rig
    covariance: dict[str, np.ndarray]
    """(6, 6) of each camera's pose after similarity alignment: x y z (m), rotation about the world's axes (rad)."""
    gauge_covariance: np.ndarray
    """(7, 7) of the similarity of the whole rig (alignment.GAUGE_NAMES), held by the nominal calibration alone."""
    time_offset_s: dict[str, float]
    """By how much each camera exposes later than its stamps say; 0 where not looked for."""
    correction_deg: dict[str, float]
    """From the nominal rig, after similarity alignment."""
    correction_m: dict[str, float]


def numbers_std(settings: SessionSettings) -> np.ndarray:
    """(P,) prior standard deviations of each camera's numbers; P = POSE where only poses are looked for."""
    pose = [settings.camera_prior_mm * 1e-3] * 3 + [float(np.radians(settings.camera_prior_deg))] * 3
    if not (settings.refine_lenses or settings.refine_times):
        return np.array(pose)
    lens = list(LENS_STD.values()) if settings.refine_lenses else [FIXED] * len(LENS_STD)
    return np.array([*pose, *lens, TIME_STD_S if settings.refine_times else FIXED])


def fitted_rig(
    rig: Rig, names: tuple[str, ...], cameras: Cameras, nominal: Cameras, numbers: np.ndarray, covariance: np.ndarray
) -> RigFit:
    """The rig with the fitted `cameras` (in the order of `names`); numbers (C, P) and their covariance (C P, C P)."""
    known = [index for index, name in enumerate(names) if name in rig.cameras]
    rotation = np.asarray(cameras.rotation, dtype=float)[known]
    position_m = -np.einsum("cji,cj->ci", rotation, np.asarray(cameras.translation, dtype=float)[known])
    pose = [index * numbers.shape[1] + number for index in known for number in range(POSE)]
    to_world = world_steps(rotation)
    in_world = to_world @ covariance[np.ix_(pose, pose)] @ to_world.T
    free, gauge = without_gauge(position_m), gauge_of(position_m)
    aligned = free @ in_world @ free.T
    corrected = (free @ to_world @ numbers[known][:, :POSE].ravel()).reshape(-1, 6)
    own = [names[index] for index in known]
    late = numbers[known, -1] if numbers.shape[1] == NUMBERS else np.zeros(len(known))
    return RigFit(
        rig=dataclasses.replace(rig, cameras=_cameras(rig, names, cameras, nominal)),
        covariance={name: aligned[6 * i : 6 * i + 6, 6 * i : 6 * i + 6] for i, name in enumerate(own)},
        gauge_covariance=gauge @ in_world @ gauge.T,
        time_offset_s=dict(zip(own, map(float, late), strict=True)),
        correction_deg={name: float(np.degrees(np.linalg.norm(corrected[i, 3:]))) for i, name in enumerate(own)},
        correction_m={name: float(np.linalg.norm(corrected[i, :3])) for i, name in enumerate(own)},
    )


def _cameras(rig: Rig, names: tuple[str, ...], cameras: Cameras, nominal: Cameras) -> Mapping[str, Camera]:
    """Each camera of the rig with its fitted pose and lens. Increments apply to whatever image was fitted: `nominal`
    says how that lies to the raw one."""
    found = {}
    for name, camera in rig.cameras.items():
        index = names.index(name)
        rotation, translation = (np.asarray(x[index], float) for x in (cameras.rotation, cameras.translation))
        raw_from_fitted = camera.camera_from_world[0] @ np.asarray(nominal.rotation[index], float).T
        turned = raw_from_fitted @ rotation
        left, _, right = np.linalg.svd(turned.T)
        found[name] = dataclasses.replace(
            camera,
            position_m=-rotation.T @ translation,
            orientation_xyzw=xyzw_from_matrix(left @ right),
            source="bundle adjustment",
            **_lens(camera, index, cameras, nominal),
        )
    return found


def _lens(camera: Camera, index: int, cameras: Cameras, nominal: Cameras) -> dict[str, np.ndarray]:
    """What of the lens has changed."""
    factor = np.asarray(cameras.focal[index], float) / np.asarray(nominal.focal[index], float)
    shift = np.asarray(cameras.center[index] - nominal.center[index], float)
    bent = float(cameras.distortion[index, 0] - nominal.distortion[index, 0])
    if abs(factor - 1.0).max() < 1e-6 and not shift.any() and bent == 0.0:
        return {}
    k, d = camera.k.copy(), camera.d.copy()
    k[[0, 1], [0, 1]] *= factor
    k[:2, 2] += shift
    if bent:
        d = d if len(d) else np.zeros(5)
        d[0] += bent
    return {"k": k, "d": d}
