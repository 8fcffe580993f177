"""The prior of a shape vector: published anthropometry for the scales, the detector's habits for the offsets."""

from __future__ import annotations

import numpy as np

from ..body.population import offset_std_m, personal_std, population_prior, stature_error_std_m
from ..body.shape import SCALES
from ..keypoints import KeypointSet
from .offline import ShapePrior

UNUSED_STD_M = 1e-4
"""Offsets of keypoints that are not used stay at zero."""


def shape_prior(
    keypoint_set: KeypointSet, height_m: float | None, height_std_m: float, personal: bool = False
) -> ShapePrior:
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
    return ShapePrior(np.concatenate([scales.mean, np.zeros(len(std))]), information)
