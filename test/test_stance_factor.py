"""Standing feet in the fit: the quadratic against autodiff, and what holding does to a walk."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from markerless_biomech.body.model import body_parameters, integrate, sites
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.capture import Capture
from markerless_biomech.fitting import stance
from markerless_biomech.fitting.stance import Standing, held, nothing_standing, placed
from markerless_biomech.gait.body_feet import feet_seen, standing_points
from markerless_biomech.gait.values import Stance
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import START_NS, SimulatedSession, simulate

KEYPOINTS = load_keypoint_set("halpe_26")
FEET = body_parameters(subject_from_height(1.75, KEYPOINTS), standing_points(KEYPOINTS))
FRAMES = 5


def a_walk() -> tuple[np.ndarray, np.ndarray, Standing]:
    """Poses (T, 41), hops (T,) and what is known of the feet: nearly still, one point never looked at."""
    rng = np.random.default_rng(4)
    start = np.zeros(41, np.float32)
    start[2], start[3] = 0.95, 1.0
    qpos = np.array([integrate(start, rng.normal(0.0, 2e-3, 40).astype(np.float32)) for _ in range(FRAMES)])
    still = rng.uniform(0.5, 1.0, (FRAMES, 4)).astype(np.float32)
    still[:, 3] = 0.0
    floor_m = np.full((FRAMES, 4), 0.004, np.float32)
    known = np.ones((FRAMES, 4), np.float32)
    known[0, 1] = 0.0
    return qpos, np.full(FRAMES, 1 / 60, np.float32), Standing(still, floor_m, known, np.array([0.1, -0.2], np.float32))


def test_the_quadratic_is_that_of_the_residuals() -> None:
    """At the poses where the points were placed, gradient and curvature are those of the weighted squares."""
    qpos, hop_s, standing = a_walk()
    valid = jnp.ones(FRAMES)
    between, information, gradient = held(placed(FEET, qpos), qpos, qpos, hop_s, valid, standing)
    weights = _weights(qpos, hop_s, standing)

    def residuals(step: jax.Array) -> jax.Array:
        points = sites(FEET, integrate(qpos, step))
        surface = jnp.append(standing.surface_m_s, 0.0) / 60.0
        apart = (points[1:] - points[:-1] - surface) * jnp.sqrt(weights[0])[..., None]
        height = (points[..., 2] - standing.floor_m) * jnp.sqrt(weights[1])
        return jnp.concatenate([apart.ravel(), height.ravel()])

    jacobian = jax.jacfwd(residuals)(jnp.zeros((FRAMES, 40))).reshape(-1, FRAMES * 40)
    whole, slope = np.zeros((FRAMES * 40, FRAMES * 40)), np.zeros(FRAMES * 40)
    for t in range(FRAMES):
        own = slice(40 * t, 40 * t + 40)
        whole[own, own] += information[t]
        slope[own] += gradient[t]
        if t + 1 < FRAMES:
            pair = slice(40 * t, 40 * t + 80)
            whole[pair, pair] += between.information[t]
            slope[pair] += between.gradient[t]
    # float32 sums of numbers of the size of the largest
    exact = np.asarray(jacobian.T @ jacobian)
    np.testing.assert_allclose(whole, exact, atol=1e-4 * np.abs(exact).max())
    exact = np.asarray(jacobian.T @ residuals(jnp.zeros((FRAMES, 40))))
    np.testing.assert_allclose(slope, exact, atol=1e-3 * np.abs(exact).max())


def _weights(qpos: np.ndarray, hop_s: np.ndarray, standing: Standing) -> tuple[np.ndarray, np.ndarray]:
    """(T - 1, 4) of the pairs and (T, 4) of the heights, as the module's docstring has them."""
    points = np.asarray(sites(FEET, qpos), float)
    hops = hop_s[1:, None].astype(float)
    apart = points[1:] - points[:-1] - np.append(standing.surface_m_s, 0.0) * hops[..., None]
    slow = 1.0 / (1.0 + (np.linalg.norm(apart, axis=-1) / hops / stance.SWINGING_M_S) ** 2) ** 2
    both = np.asarray(standing.still[1:] * standing.still[:-1])
    excess = points[..., 2] - standing.floor_m
    low = 1.0 / (1.0 + (excess / stance.LIFTED_M) ** 2) ** 2
    known = np.asarray(standing.still * standing.floor_known)
    return both * slow * stance.CREEP_S / (stance.CREEP_M**2 * hops), known * low / stance.HEIGHT_STD_M**2


def test_a_foot_that_swings_is_not_held_however_sure_the_detector_was() -> None:
    """At 2 m/s the loss leaves 9e-4 of the hold between frames; heights, which have not changed, keep theirs."""
    qpos, hop_s, standing = a_walk()
    swinging = qpos.copy()
    swinging[:, 0] += 2.0 / 60.0 * np.arange(FRAMES, dtype=np.float32)
    still = dataclasses.replace(standing, surface_m_s=np.zeros(2, np.float32))
    firm, loose = (
        np.trace(held(placed(FEET, poses), poses, poses, hop_s, jnp.ones(FRAMES), still)[0].information[1])
        for poses in (qpos, swinging)
    )
    assert loose < 1e-2 * firm


def test_nothing_is_held_before_anybody_has_looked() -> None:
    qpos, hop_s, _ = a_walk()
    parts = held(placed(FEET, qpos), qpos, qpos, hop_s, jnp.ones(FRAMES), nothing_standing(FRAMES))
    assert not any(np.asarray(part).any() for part in jax.tree.leaves(parts))


@pytest.mark.parametrize(("name", "seen"), [("bml_movi_87", True), ("halpe_26", True), ("coco_17", False)])
def test_feet_are_held_only_where_the_keypoints_show_how_they_lie(name: str, seen: bool) -> None:
    assert feet_seen(load_keypoint_set(name)) == seen


def test_where_the_feet_of_one_body_stood_holds_no_foot_of_the_next() -> None:
    """And what the detector says next is news, the same as before or not."""
    settings, keypoint_set = EstimatorSettings(cameras=("a", "b")), load_keypoint_set("bml_movi_87")
    live = Capture(settings, keypoint_set, subject_from_height(1.75, keypoint_set)).estimator.live
    stance = Stance(np.array([START_NS]), np.ones((1, 2)), np.ones((1, 4)), np.full((1, 4), 0.03), np.zeros(2))
    live.hold(stance)
    np.testing.assert_allclose(live._standing([START_NS]).floor_m[-1], 0.03)
    live.take_subject(subject_from_height(1.60, keypoint_set))
    nothing = live._standing([START_NS])
    assert not np.any(nothing.still) and not np.any(nothing.floor_m)
    live.hold(stance)
    assert live._standing([START_NS]).still[-1].all()


def test_held_feet_stand_stiller_and_nearer_to_the_truth() -> None:
    """Half a dozen frames of a stance tell more of a sole than one does: its error falls by a tenth at the least (by a
    quarter where it was measured), the joints do not lose."""
    session = simulate(SimulationSettings(cameras=3, fps=30.0, seconds=5.0, keypoint_set="halpe_26", seed=1))
    feet_m, joints_deg = zip(*(_errors(session, hold) for hold in (False, True)), strict=True)
    assert feet_m[1] < 0.9 * feet_m[0]
    assert joints_deg[1] < 1.02 * joints_deg[0]


def _errors(session: SimulatedSession, hold: bool) -> tuple[float, float]:
    """Of the settled states after a second: RMS of the soles' points (m) and of the joints (deg)."""
    names = tuple(session.rig_nominal.cameras)
    settings = EstimatorSettings(cameras=names, keypoint_set="halpe_26", hold_feet=hold)
    capture = Capture(settings, session.keypoint_set, session.subject)
    capture.estimator.set_rig(session.rig_nominal)
    settled = []
    for frame in session.frames():
        for frame_set in capture.assembler.push(frame):
            estimate = capture.estimate(frame_set)
            capture.steps(estimate)
            settled += estimate.settled
    times_s = np.array([body.stamp_ns - START_NS for body in settled]) * 1e-9
    late = times_s > 1.0
    found = np.array([np.asarray(body.qpos) for body in settled])[late]
    rows = np.abs(session.motion.stamps_s - times_s[late, None]).argmin(1)
    true = session.motion.qpos[rows].astype(np.float32)
    feet = body_parameters(session.subject, standing_points(session.keypoint_set))
    off_m = np.asarray(sites(feet, found)) - np.asarray(sites(feet, true))
    return float(np.sqrt(np.mean(off_m**2))), float(np.degrees(np.sqrt(np.mean((found - true)[:, 7:] ** 2))))
