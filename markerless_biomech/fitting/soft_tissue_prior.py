"""The prior of a shape vector with slides of thighs' and shanks' skin in it."""

from __future__ import annotations

import numpy as np

from ..body.population import slide_std_m_per_rad
from ..body.shape import shape_layout
from ..body.soft_tissue import sliding_keypoints
from ..keypoints import KeypointSet
from .bundle import OuterPrior


def with_soft_tissue(prior: OuterPrior, keypoint_set: KeypointSet) -> OuterPrior:
    """The same, and slides about 0 in their place before the offsets."""
    keypoints, sliding = len(keypoint_set), len(sliding_keypoints(keypoint_set))
    old = shape_layout(len(prior.mean), keypoints, sliding)
    new = shape_layout(old.size + 3 * sliding, keypoints, sliding)
    slides = np.arange(new.joints, new.body)
    others = np.delete(np.arange(new.size), slides)
    mean, information = np.zeros(new.size), np.zeros((new.size, new.size))
    mean[others], information[np.ix_(others, others)] = prior.mean, prior.information
    information[slides, slides] = slide_std_m_per_rad(keypoint_set).repeat(3) ** -2.0
    return OuterPrior(mean, information)
