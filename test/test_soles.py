"""The feet's points in NumPy against the kinematics in JAX."""

import dataclasses

import numpy as np
import pytest

from markerless_biomech.body.base import NEUTRAL_QPOS, base_sites
from markerless_biomech.body.model import body_parameters, sites
from markerless_biomech.body.soles import FootPoints
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set

LANDMARKS = base_sites(
    tuple(f"sole_{point}_{side}" for side in "lr" for point in ("heel", "big_toe", "first_metatarsal"))
)


@pytest.mark.parametrize("seed", range(5))
def test_points_are_where_the_fit_has_them(seed):
    rng = np.random.default_rng(seed)
    subject = subject_from_height(1.5 + 0.1 * seed, load_keypoint_set("coco_17"))
    scales = subject.scales * (1.0 + 0.1 * rng.normal(size=subject.scales.shape))
    subject = dataclasses.replace(subject, scales=scales)
    qpos = np.array(NEUTRAL_QPOS, float)
    qpos[:3], qpos[3:7], qpos[7:] = rng.normal(size=3), rng.normal(size=4), rng.uniform(-1.0, 1.0, 34)
    qpos[3:7] /= np.linalg.norm(qpos[3:7])
    expected = np.asarray(sites(body_parameters(subject, LANDMARKS), qpos.astype(np.float32)))
    # float32 of positions of a few metres through seven turns
    np.testing.assert_allclose(FootPoints(subject, LANDMARKS).at(qpos).reshape(-1, 3), expected, atol=3e-6)
