"""Self-occlusion: which sites are behind the person's own body, by rays against the body's capsules."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from .skeleton import Skeleton

GRAZE = 0.8
"""A ray that passes the axis at less than this share of the radius is stopped; sites lie on the capsules, about."""
INSIDE = 0.75
"""A site nearer to the axis than this share of the radius belongs inside (a joint's centre): not hidden by it."""
CHUNK_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Capsules:
    """The body's capsules in their bodies' frames; G of them."""

    body: np.ndarray
    """(G,) MuJoCo body id."""
    ends_m: np.ndarray
    """(G, 2, 3) ends of the axis, scaled."""
    radius_m: np.ndarray
    """(G,)"""
    hides: np.ndarray
    """(K, G) False where the site belongs inside the capsule."""


def body_capsules(skeleton: Skeleton) -> Capsules:
    """Capsules of the person, from the geoms of the base model."""
    model = skeleton.model
    geoms = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_CAPSULE)
    axes = np.zeros((model.ngeom, 9))
    for geom in geoms:
        mujoco.mju_quat2Mat(axes[geom], model.geom_quat[geom])
    half = axes.reshape(-1, 3, 3)[geoms, :, 2] * model.geom_size[geoms, 1:2]
    center, body = model.geom_pos[geoms], model.geom_bodyid[geoms]
    scale = skeleton.body_scale[body]
    ends = np.stack([center - half, center + half], axis=1) * scale[:, None]
    radius = model.geom_size[geoms, 0] * scale[:, :2].mean(1)
    capsules = Capsules(body, ends, radius, np.ones((len(skeleton.site_body), len(geoms)), bool))
    position, rotation = skeleton.poses(model.qpos0[None])
    sites = skeleton.sites_m(model.qpos0[None])
    world_ends = _world_ends(capsules, position, rotation)
    distance = _distance_to_axes(sites[0][:, None], world_ends[0, None, :, 0], world_ends[0, None, :, 1])
    return Capsules(body, ends, radius, distance > INSIDE * radius)


def hidden_sites(
    skeleton: Skeleton, capsules: Capsules, qpos: np.ndarray, sites_m: np.ndarray, camera_m: np.ndarray
) -> np.ndarray:
    """(F, K) bool: the body is between the camera's centre (3,) and the site."""
    position, rotation = skeleton.poses(qpos)
    ends = _world_ends(capsules, position, rotation)
    hidden = np.zeros(sites_m.shape[:2], bool)
    for start in range(0, len(qpos), CHUNK_FRAMES):
        rows = slice(start, start + CHUNK_FRAMES)
        hidden[rows] = _stopped((sites_m[rows] - camera_m), (ends[rows] - camera_m), capsules)
    return hidden


def _world_ends(capsules: Capsules, position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(F, G, 2, 3)"""
    turned = np.einsum("fgij,gej->fgei", rotation[:, capsules.body], capsules.ends_m)
    return position[:, capsules.body][:, :, None] + turned


def _stopped(sites: np.ndarray, ends: np.ndarray, capsules: Capsules) -> np.ndarray:
    """(F, K): do rays from the origin to sites (F, K, 3) pass through capsules with axes (F, G, 2, 3)?"""
    sites, ends = sites.astype(np.float32), ends.astype(np.float32)
    axis, start = ends[:, :, 1] - ends[:, :, 0], ends[:, :, 0]
    ray_ray = np.einsum("fki,fki->fk", sites, sites)[:, :, None]
    axis_axis = np.maximum(np.einsum("fgi,fgi->fg", axis, axis), 1e-12)[:, None]
    ray_axis = np.einsum("fki,fgi->fkg", sites, axis)
    ray_start = np.einsum("fki,fgi->fkg", sites, start)
    axis_start = np.einsum("fgi,fgi->fg", axis, start)[:, None]
    start_start = np.einsum("fgi,fgi->fg", start, start)[:, None]
    # nearest points of two segments (Ericson 2004, 5.1.9): s along the ray, t along the axis
    determinant = np.maximum(ray_ray * axis_axis - ray_axis**2, 1e-9)
    s = np.clip((ray_start * axis_axis - axis_start * ray_axis) / determinant, 0.0, 1.0)
    t = np.clip((ray_axis * s - axis_start) / axis_axis, 0.0, 1.0)
    s = np.clip((ray_axis * t + ray_start) / ray_ray, 0.0, 1.0)
    squares = start_start + t**2 * axis_axis + s**2 * ray_ray
    squared = squares + 2.0 * (t * axis_start - s * ray_start - s * t * ray_axis)
    near = squared < ((GRAZE * capsules.radius_m) ** 2).astype(np.float32)
    return (near & capsules.hides).any(-1)


def _distance_to_axes(points: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance of points (K, 1, 3) to segments (1, G, 3)."""
    axis = second - first
    share = np.clip(((points - first) * axis).sum(-1) / np.maximum((axis**2).sum(-1), 1e-12), 0.0, 1.0)
    return np.linalg.norm(points - first - share[..., None] * axis, axis=-1)
