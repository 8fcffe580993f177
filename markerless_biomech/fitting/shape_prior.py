"""The prior of a shape vector: published anthropometry for the scales, the detector's habits for the offsets."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ..body.names import JOINT_NAMES
from ..body.population import offset_std_m, personal_std, population_prior, stature_error_std_m
from ..body.shape import SCALES, ShapeModel, site_derivatives
from ..keypoints import KeypointSet
from .bundle import OuterPrior

UNUSED_STD_M = 1e-4
"""Offsets of keypoints that are not used stay at zero."""


def shape_prior(
    keypoint_set: KeypointSet, height_m: float | None, height_std_m: float, personal: bool = False
) -> OuterPrior:
    """Of everybody, or of people of a stature measured with `height_std_m`; with or without `personal` joints."""
    scales = population_prior()
    if height_m is not None:
        scales = scales.conditional(height_m, float(np.hypot(height_std_m, stature_error_std_m())))
    offset_std = np.maximum(offset_std_m(keypoint_set), UNUSED_STD_M).repeat(3)
    std = np.concatenate([personal_std() if personal else np.zeros(0), offset_std])
    count = SCALES + len(std)
    information = np.zeros((count, count))
    information[:SCALES, :SCALES] = np.linalg.inv(scales.covariance)
    information[range(SCALES, count), range(SCALES, count)] = 1.0 / std**2
    return OuterPrior(np.concatenate([scales.mean, np.zeros(len(std))]), information)


OPEN_JOINTS = tuple(
    index for index, name in enumerate(JOINT_NAMES) if name.startswith(("pro_sup", "wrist_", "mtp_", "neck_"))
)
"""Joints whose zero the images hardly tell from the offsets of the points beyond them: those at the ends of chains."""


def open_zeros_std_rad(keypoint_set: KeypointSet, model: ShapeModel, shape: np.ndarray, qpos: np.ndarray) -> np.ndarray:
    """(34,) how well each zero of OPEN_JOINTS is known if the offsets' prior alone tells it; 0 for other joints.

    The posterior is a Gaussian about one point of a valley that is curved: along it fits 20 degrees apart are equally
    good, and there the Gaussian says 5. Turning all joints by q (rad) moves the points by J q, so that offsets of
    standard deviation s tell all zeros together with the information J^T s^-2 J, and each one as well as that leaves it
    when the others are not known either: forearm and wrist trade among each other. A joint beyond which nothing is seen
    is known to a radian.
    """
    by_pose = np.asarray(
        site_derivatives(model, jnp.asarray(shape, jnp.float32), jnp.asarray(qpos, jnp.float32)).by_pose, float
    )
    used = (np.array(keypoint_set.bodies) != "") & (keypoint_set.weights > 0)
    levers = by_pose[used][..., 6:] / offset_std_m(keypoint_set)[used, None, None]
    known = np.einsum("kai,kaj->ij", levers, levers) + np.eye(len(JOINT_NAMES))
    std, open_joints = np.zeros(len(JOINT_NAMES)), list(OPEN_JOINTS)
    std[open_joints] = np.sqrt(np.diagonal(np.linalg.inv(known)))[open_joints]
    return std


def surprise(prior: OuterPrior, shape: np.ndarray, keypoint_set: KeypointSet) -> float:
    """By how many standard deviations the offsets on one segment are too large together, at the segment where it is
    most: (chi^2 - n) / sqrt(2 n) of its n numbers."""
    standard = (shape - prior.mean) ** 2 * np.diagonal(prior.information)
    per_site = standard[-3 * len(keypoint_set) :].reshape(-1, 3).sum(-1)
    bodies = np.array(keypoint_set.bodies)
    used = (bodies != "") & (keypoint_set.weights > 0)
    found = [
        (per_site[used & (bodies == body)].sum(), 3 * (used & (bodies == body)).sum()) for body in set(bodies[used])
    ]
    return float(max((chi - n) / np.sqrt(2.0 * n) for chi, n in found))
