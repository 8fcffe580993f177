"""A second opinion on kinematics and projection: MuJoCo's C engine and OpenCV, none of the fit's own functions.

Scaled segment positions and site positions of the subject are data; what is done with them is computed anew here.
"""

from __future__ import annotations

import cv2
import mujoco
import numpy as np

from ..body.base import base_mujoco_model, load_spec
from ..body.names import BODY_NAMES, JOINT_NAMES
from ..body.personal import personal_positions
from ..body.scaling import body_scales, subject_axes
from ..body.soft_tissue import slid_m, slides_of
from ..body.subject import Subject
from ..cameras.rig import Camera
from ..keypoints import KeypointSet

_NEAREST_DEPTH_M = 1e-3


class BodyOracle:
    """The subject's body with its keypoint sites, compiled by MuJoCo."""

    def __init__(self, subject: Subject, keypoint_set: KeypointSet) -> None:
        self._used = np.array([bool(body) for body in keypoint_set.bodies])
        self._model = _compiled(subject, keypoint_set)
        self._site_ids = [self._model.site(_site_name(name)).id for name in keypoint_set.names]
        self._data = mujoco.MjData(self._model)
        self._slides = slides_of(subject.soft_tissue_m_per_rad, keypoint_set)

    def sites_m(self, qpos: np.ndarray) -> np.ndarray:
        """(F, K, 3) sites in world for (F, 41) poses; NaN for keypoints that the set does not use."""
        sites = self._kinematics(qpos, "site_xpos")[:, self._site_ids]
        if self._slides.any():
            body = self._model.site_bodyid[self._site_ids]
            world_from_body = self._kinematics(qpos, "xmat").reshape(len(sites), -1, 3, 3)[:, body]
            sites += np.einsum("fkij,fkj->fki", world_from_body, slid_m(self._slides, body, np.asarray(qpos)))
        sites[:, ~self._used] = np.nan
        return sites

    def landmarks_m(self, qpos: np.ndarray) -> dict[str, np.ndarray]:
        """(F, 3) in world for (F, 41) poses, by name: segments' origins (joint centres) and sites of base_model.xml."""
        origins = self._kinematics(qpos, "xpos")
        sites = self._kinematics(qpos, "site_xpos")
        base_sites = [base_mujoco_model().site(i).name for i in range(base_mujoco_model().nsite)]
        return {
            **{name: origins[:, self._model.body(name).id] for name in BODY_NAMES},
            **{name: sites[:, self._model.site(name).id] for name in base_sites},
        }

    def _kinematics(self, qpos: np.ndarray, quantity: str) -> np.ndarray:
        """(F, N, 3) the named array of MjData at each pose, in rows of three."""
        rows = []
        for row in np.asarray(qpos, dtype=float):
            self._data.qpos[:] = row
            mujoco.mj_kinematics(self._model, self._data)
            rows.append(getattr(self._data, quantity).copy())
        return np.array(rows).reshape(len(rows), -1, 3)


def _compiled(subject: Subject, keypoint_set: KeypointSet) -> mujoco.MjModel:
    """The base model recompiled with the subject's segment positions and sites.

    Recompiled, not changed in place: the engine ignores a changed site_pos where site_sameframe is set.
    """
    scale = body_scales(subject.scales)
    spec = load_spec()
    for site in spec.sites:
        site.pos = site.pos * scale[base_mujoco_model().site(site.name).bodyid[0]]
    for name, position in body_positions_m(subject.scales, subject.personal).items():
        spec.body(name).pos = position
    for name, axis in zip(JOINT_NAMES, subject_axes(subject), strict=True):
        spec.joint(name).axis = axis
    carriers = [body or "world" for body in keypoint_set.bodies]
    for name, carrier, position in zip(keypoint_set.names, carriers, keypoint_set.positions_m, strict=True):
        own_scale = scale[base_mujoco_model().body(carrier).id]
        offset_m = np.asarray(subject.offsets_m.get(name, np.zeros(3)), dtype=float)
        spec.body(carrier).add_site(name=_site_name(name), pos=position * own_scale + offset_m)
    return spec.compile()


def body_positions_m(scales: np.ndarray, personal: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """(3,) position of each segment in its parent by name, for scale factors (10,) and personal joints (15,)."""
    model = base_mujoco_model()
    positions = model.body_pos * body_scales(scales)[model.body_parentid]
    if personal is not None:
        positions = personal_positions(positions, personal)
    return {name: positions[model.body(name).id] for name in BODY_NAMES}


def _site_name(keypoint: str) -> str:
    return f"keypoint {keypoint}"


def project_px(camera: Camera, points_m: np.ndarray, rectified: bool = False) -> np.ndarray:
    """(..., 2) pixels by OpenCV of (..., 3) points in world; NaN behind the camera and for NaN points."""
    rotation, position_m = camera.world_from_camera
    points = np.asarray(points_m, dtype=float).reshape(-1, 3)
    in_camera = (points - position_m) @ rotation
    pixels = np.full((len(points), 2), np.nan)
    with np.errstate(invalid="ignore"):
        seen = in_camera[:, 2] > _NEAREST_DEPTH_M
    if seen.any():
        pixels[seen] = _rectified_px(camera, in_camera[seen]) if rectified else _raw_px(camera, in_camera[seen])
    return pixels.reshape(*np.shape(points_m)[:-1], 2)


def _raw_px(camera: Camera, in_camera_m: np.ndarray) -> np.ndarray:
    nothing = np.zeros(3)
    k, d = np.asarray(camera.k, dtype=float), np.asarray(camera.d, dtype=float).ravel()
    if camera.distortion_model == "equidistant":
        four = np.zeros(4)
        four[: min(4, d.size)] = d[:4]
        pixels, _ = cv2.fisheye.projectPoints(in_camera_m[:, None], nothing, nothing, k, four)
    else:
        pixels, _ = cv2.projectPoints(in_camera_m[:, None], nothing, nothing, k, d if d.size else None)
    return pixels[:, 0]


def _rectified_px(camera: Camera, in_camera_m: np.ndarray) -> np.ndarray:
    """The rectified image: turned by R, seen through P, without distortion."""
    projection = np.asarray(camera.p, dtype=float) if camera.p is not None else np.eye(3, 4)
    matrix = projection[:, :3] if camera.p is not None else np.asarray(camera.k, dtype=float)
    turn, _ = cv2.Rodrigues(np.asarray(camera.r, dtype=float))
    offset_m = np.linalg.solve(matrix, projection[:, 3])
    pixels, _ = cv2.projectPoints(in_camera_m[:, None], turn, offset_m, matrix, None)
    return pixels[:, 0]
