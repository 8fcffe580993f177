"""The rig from minute to minute: a camera that moves is followed, the others stay, standing tells nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_session import FPS, SET, somebody
from virtual import START_NS, circle_rig, images_of, sites_of, swinging

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.cameras.frame_sets import FrameSet
from markerless_biomech.devices import enable_compile_cache
from markerless_biomech.keypoints import KeypointFrame
from markerless_biomech.recording.metrics import rotation_angle_deg
from markerless_biomech.rig_refinement import Batch, RigRefiner, new_poses
from markerless_biomech.rotations import matrix_from_xyzw, xyzw_from_matrix

CAMERAS, TURN_RAD, SHIFT_M = 5, np.radians(0.6), 0.01
SUBJECT = somebody()


def seen(rig: Rig, qpos: np.ndarray, seed: int) -> tuple[FrameSet, ...]:
    """What the rig's cameras see of the poses (F, 41)."""
    images = images_of(rig, sites_of(SUBJECT, SET, qpos), 2.0, seed)
    frame_sets = []
    for index in range(len(qpos)):
        stamp_ns = START_NS + round((index / FPS + 10.0 * seed) * 1e9)
        frames = {name: KeypointFrame(name, stamp_ns, stamp_ns, points[index][None]) for name, points in images.items()}
        frame_sets.append(FrameSet(stamp_ns, frames, "complete", stamp_ns, stamp_ns))
    return tuple(frame_sets)


def turned(rig: Rig, name: str) -> Rig:
    """One camera turned about its vertical and pushed."""
    camera = rig.cameras[name]
    c, s = np.cos(TURN_RAD), np.sin(TURN_RAD)
    turn = matrix_from_xyzw(camera.orientation_xyzw) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    other = dataclasses.replace(
        camera, orientation_xyzw=xyzw_from_matrix(turn), position_m=camera.position_m + [SHIFT_M, 0.0, 0.0]
    )
    return dataclasses.replace(rig, cameras={**rig.cameras, name: other})


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    """Somebody who swings arms and legs and goes two metres."""
    enable_compile_cache()
    qpos = swinging(150)
    qpos[:, 0] += np.linspace(-1.0, 1.0, len(qpos))
    return qpos


def test_a_camera_that_moved_is_found_and_the_others_stay(walk):
    rig = circle_rig(CAMERAS)
    name = list(rig.cameras)[2]
    true = turned(rig, name)
    refiner = RigRefiner(rig, SUBJECT, SET, half_life_s=10.0)
    knowledge, fit = refiner.nothing(), None
    for seed in (0, 1, 2):
        knowledge, fit = refiner.take(knowledge, Batch(seen(true, walk, seed), walk))
    assert fit is not None
    for other, camera in fit.rig.cameras.items():
        wanted = true.cameras[other]
        error_deg = rotation_angle_deg(camera.world_from_camera[0], wanted.world_from_camera[0])
        # 25 points at 2 px of 1100 tell each camera to 0.02 deg in these seconds: three SD, and the alignment's own
        assert error_deg < 0.07, other
        assert np.linalg.norm(camera.position_m - wanted.position_m) < 0.005, other


def test_the_surer_the_longer(walk):
    rig = circle_rig(CAMERAS)
    refiner = RigRefiner(rig, SUBJECT, SET, half_life_s=1000.0)
    knowledge, traces = refiner.nothing(), []
    for seed in (0, 1):
        knowledge, fit = refiner.take(knowledge, Batch(seen(rig, walk, seed), walk))
        assert fit is not None
        traces.append(sum(np.trace(one) for one in fit.covariance.values()))
    assert traces[1] < 0.8 * traces[0]


def test_standing_still_tells_nothing(walk):
    rig = circle_rig(CAMERAS)
    refiner = RigRefiner(rig, SUBJECT, SET, half_life_s=10.0)
    still = np.tile(walk[:1], (60, 1))
    knowledge, fit = refiner.take(refiner.nothing(), Batch(seen(turned(rig, "cam0"), still, 0), still))
    assert fit is None and not knowledge.information.any()


def test_poses_that_were_seen_before_are_not_new():
    there_and_back = np.r_[np.linspace(0, 1, 50), np.linspace(1, 0, 50)][:, None]
    rows = new_poses(there_and_back, 0.1)
    assert len(rows) == 10 and rows.max() < 50
