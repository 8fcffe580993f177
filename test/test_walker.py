"""The simulated walk: feet hold, the knee swings, events and figures are those asked for."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.subject import Subject
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation import gait_curves
from markerless_biomech.simulation.motion import EVENT_POINTS, FLOOR_TOLERANCE_M, Motion
from markerless_biomech.simulation.paths import seamless
from markerless_biomech.simulation.person import person_subject
from markerless_biomech.simulation.skeleton import Skeleton, build_skeleton
from markerless_biomech.simulation.walker import walk

SAMPLES_HZ = 500.0
PLAIN = SimulationSettings(path="line", seconds=5.0, keypoint_set="coco_17")
WALKS = {
    "comfortable": PLAIN,
    "slow": dataclasses.replace(PLAIN, speed_m_s=0.6),
    "fast": dataclasses.replace(PLAIN, speed_m_s=1.8),
    "loop": dataclasses.replace(PLAIN, path="loop"),
    "treadmill": dataclasses.replace(PLAIN, path="treadmill"),
    "other person": dataclasses.replace(PLAIN, hard_person=True, seed=3, height_m=1.6),
}


@dataclasses.dataclass(frozen=True)
class Walk:
    """A motion, finely sampled."""

    settings: SimulationSettings
    subject: Subject
    skeleton: Skeleton
    motion: Motion
    times_s: np.ndarray
    qpos: np.ndarray
    soles_m: np.ndarray
    """(N, 2, P, 3) over the floor (the belt)."""

    def joint_deg(self, name: str) -> np.ndarray:
        return np.degrees(self.qpos[:, 7 + JOINT_NAMES.index(name)])

    def event_times(self, side: str, kind: str) -> np.ndarray:
        return np.array([e.time_s for e in self.motion.events if (e.side, e.type) == (side, kind)])

    def stances(self) -> list[tuple[int, slice]]:
        """(foot, samples) of every whole stance."""
        found = []
        for foot, side in enumerate(("right", "left")):
            for start in self.event_times(side, "heel_strike"):
                later = [end for end in self.event_times(side, "toe_off") if end > start]
                if later:
                    found.append((foot, slice(*np.searchsorted(self.times_s, [start, later[0]]))))
        return found


def make_walk(settings: SimulationSettings) -> Walk:
    subject = person_subject(settings)
    motion = walk(settings, subject)
    skeleton = build_skeleton(subject, load_keypoint_set(settings.keypoint_set))
    times_s = np.arange(0.0, motion.stamps_s[-1], 1.0 / SAMPLES_HZ)
    qpos = motion.sample(times_s)
    soles_m = skeleton.soles_m(qpos)[:, :, :EVENT_POINTS]
    soles_m[..., 0] += motion.belt_speed_m_s * times_s[:, None, None]
    return Walk(settings, subject, skeleton, motion, times_s, qpos, soles_m)


@pytest.fixture(scope="module", params=WALKS)
def any_walk(request: pytest.FixtureRequest) -> Walk:
    return make_walk(WALKS[request.param])


@pytest.fixture(scope="module")
def plain_walk() -> Walk:
    return make_walk(PLAIN)


def test_a_stance_foot_does_not_slide(any_walk: Walk) -> None:
    """The heel while it is down, and the big toe from foot flat to toe off, move less than 2 mm."""
    stances = any_walk.stances()
    assert len(stances) >= 4
    for foot, samples in stances:
        heel, toe = any_walk.soles_m[samples, foot, 0], any_walk.soles_m[samples, foot, 3]
        heel_up = np.flatnonzero(heel[:, 2] > FLOOR_TOLERANCE_M)[0]
        toe_down = np.flatnonzero(toe[:, 2] < FLOOR_TOLERANCE_M)[0]
        assert np.ptp(heel[:heel_up, :2], axis=0).max() < 2e-3
        assert np.ptp(toe[toe_down:, :2], axis=0).max() < 2e-3
        assert toe[toe_down:, 2].max() < 2e-3


def test_no_sole_point_is_below_the_floor(any_walk: Walk) -> None:
    assert any_walk.soles_m[..., 2].min() > -2e-3


def test_feet_swing_above_the_floor(any_walk: Walk) -> None:
    """Between toe off and the next heel strike, no point of that foot is at floor height in the middle half."""
    for foot, side in enumerate(("right", "left")):
        strikes = any_walk.event_times(side, "heel_strike")
        for off in any_walk.event_times(side, "toe_off"):
            later = strikes[strikes > off]
            if later.size:
                middle = off + np.array([0.25, 0.75]) * (later[0] - off)
                samples = slice(*np.searchsorted(any_walk.times_s, middle))
                assert any_walk.soles_m[samples, foot, :, 2].min() > 5e-3


def test_swing_knee_flexion_peaks_between_55_and_70_degrees(any_walk: Walk) -> None:
    for side, name in (("right", "knee_angle_r"), ("left", "knee_angle_l")):
        offs = any_walk.event_times(side, "toe_off")
        strikes = any_walk.event_times(side, "heel_strike")
        for off in offs[offs < strikes[-1]]:
            swing = (any_walk.times_s > off) & (any_walk.times_s < strikes[strikes > off][0])
            assert 55.0 < any_walk.joint_deg(name)[swing].max() < 70.0


def test_every_joint_stays_within_its_range(any_walk: Walk) -> None:
    low, high = any_walk.skeleton.model.jnt_range[1:].T
    joints = any_walk.qpos[:, 7:]
    assert (joints > low).all() and (joints < high).all()


def test_speed_and_cadence_are_as_asked(any_walk: Walk) -> None:
    """Within 3 %; cadence by Grieve & Gear for the stature."""
    settings = any_walk.settings
    place = any_walk.qpos[:, :2] + np.outer(any_walk.times_s, [any_walk.motion.belt_speed_m_s, 0.0])
    # sway and surge lengthen the pelvis' way by a few tenths of a per cent
    speed = np.linalg.norm(np.diff(place, axis=0), axis=1).mean() * SAMPLES_HZ
    assert speed == pytest.approx(settings.speed_m_s, rel=0.03)
    for side in ("right", "left"):
        stride_s = np.diff(any_walk.event_times(side, "heel_strike")).mean()
        asked = gait_curves.stride_frequency_hz(settings.speed_m_s, settings.height_m)
        assert 1.0 / stride_s == pytest.approx(asked, rel=0.03)


def test_events_alternate_and_stance_has_its_share(any_walk: Walk) -> None:
    strikes = sorted((time, side) for side in ("right", "left") for time in any_walk.event_times(side, "heel_strike"))
    assert all(a != b for (_, a), (_, b) in zip(strikes[:-1], strikes[1:], strict=True))
    stance = np.mean([samples.stop - samples.start for _, samples in any_walk.stances()]) / SAMPLES_HZ
    stride = np.diff(any_walk.event_times("right", "heel_strike")).mean()
    asked = gait_curves.stance_share(any_walk.settings.speed_m_s, any_walk.settings.height_m)
    # a foot stands a little later than it touches (slower than 1 cm/s)
    assert stance / stride == pytest.approx(float(asked), abs=0.03)


def test_accelerations_are_physiological_and_without_jumps(plain_walk: Walk) -> None:
    """Walking at 1.25 m/s: rms of knee and ankle 20 to 60 rad/s^2, the hip's half of that, the arms' a tenth."""
    times_s = plain_walk.times_s
    acceleration = plain_walk.motion.curve(times_s, 2)[:, 7:]
    rms = dict(zip(JOINT_NAMES, np.sqrt((acceleration**2).mean(0)), strict=True))
    for side in "rl":
        assert 20.0 < rms[f"knee_angle_{side}"] < 60.0
        assert 20.0 < rms[f"ankle_angle_{side}"] < 60.0
        assert 5.0 < rms[f"hip_flexion_{side}"] < 30.0
        assert rms[f"arm_flex_{side}"] < 10.0
    # the largest is the push-off's; a jump of 1 degree between two solved instants would be 175
    assert np.abs(acceleration).max() < 8.0 * max(rms.values())
    assert np.abs(np.diff(plain_walk.qpos[:, 7:], axis=0)).max() * SAMPLES_HZ < np.radians(700.0)


def test_events_are_the_first_and_last_standing_instants_of_the_sole(plain_walk: Walk) -> None:
    speed = np.linalg.norm(np.gradient(plain_walk.soles_m, plain_walk.times_s, axis=0), axis=-1)
    standing = ((plain_walk.soles_m[..., 2] < FLOOR_TOLERANCE_M) & (speed < 0.01)).any(-1)
    for foot, samples in plain_walk.stances():
        # one sample of 2 ms beside the event's grid of 1 ms
        assert standing[samples.start + 2 : samples.stop - 2, foot].mean() > 0.95
        assert not standing[max(0, samples.start - 50) : max(0, samples.start - 3), foot].any()
        assert not standing[samples.stop + 3 : samples.stop + 50, foot].any()


def test_the_same_settings_give_the_same_walk() -> None:
    subject = person_subject(PLAIN)
    assert np.array_equal(walk(PLAIN, subject).qpos, walk(PLAIN, subject).qpos)


def test_people_walk_each_in_their_own_manner_and_no_stride_is_quite_the_same(plain_walk: Walk) -> None:
    other = make_walk(dataclasses.replace(PLAIN, seed=5))
    apart = (other.qpos[:, 7:] - plain_walk.qpos[:, 7:]).mean(0)
    assert 0.5 < np.degrees(np.abs(apart)).mean() < 6.0
    strikes = plain_walk.event_times("right", "heel_strike")
    elbow = plain_walk.motion.sample(strikes)[:, 7 + JOINT_NAMES.index("elbow_flex_r")]
    assert np.degrees(np.std(elbow)) > 0.2


def test_arms_swing_against_the_legs(plain_walk: Walk) -> None:
    for side in "rl":
        arm, leg = plain_walk.joint_deg(f"arm_flex_{side}"), plain_walk.joint_deg(f"hip_flexion_{side}")
        assert np.corrcoef(arm, leg)[0, 1] < -0.7


def test_asymmetry_makes_the_left_leg_do_less() -> None:
    limping = make_walk(dataclasses.replace(PLAIN, asymmetry=0.2))
    knee = {side: np.ptp(limping.joint_deg(f"knee_angle_{side}")) for side in "rl"}
    assert knee["l"] < 0.92 * knee["r"]
    heel = [(event.side, event.foot_position_m[0]) for event in limping.motion.events if event.type == "heel_strike"]
    steps = {side: [] for side in ("left", "right")}
    for (_, before), (side, after) in zip(heel[:-1], heel[1:], strict=True):
        steps[side].append(after - before)
    # left steps are shorter by a fifth of the mean step
    step_m = limping.settings.speed_m_s / (2.0 * gait_curves.stride_frequency_hz(1.25, 1.75))
    assert np.mean(steps["right"]) - np.mean(steps["left"]) == pytest.approx(0.2 * step_m, abs=0.02)


def test_step_width_is_as_asked() -> None:
    wide = make_walk(dataclasses.replace(PLAIN, step_width_m=0.2, seconds=8.0))
    heel = {side: [e.foot_position_m[1] for e in wide.motion.events if e.side == side] for side in ("left", "right")}
    # heels of feet that are turned out by 7 degrees are nearer to each other than the ankles, by about 1 cm
    assert np.mean(heel["left"]) - np.mean(heel["right"]) == pytest.approx(0.2, abs=0.02)


def test_there_and_back_turns_around_and_keeps_its_feet_on_the_floor() -> None:
    walked = make_walk(dataclasses.replace(PLAIN, path="there-and-back", seconds=9.0))
    heading = np.unwrap(2.0 * np.arctan2(walked.qpos[:, 6], walked.qpos[:, 3]))
    assert np.ptp(heading) > np.radians(300.0)
    assert walked.soles_m[..., 2].min() > -2e-3
    low, high = walked.skeleton.model.jnt_range[1:].T
    assert (walked.qpos[:, 7:] > low).all() and (walked.qpos[:, 7:] < high).all()


@pytest.mark.parametrize("path", ["stand", "sit-to-stand"])
def test_standing_feet_never_move_and_make_no_event(path: str) -> None:
    standing = make_walk(dataclasses.replace(PLAIN, path=path, seconds=6.0))
    assert not standing.motion.events
    assert np.ptp(standing.soles_m, axis=0).max() < 1e-3
    knee = standing.joint_deg("knee_angle_r")
    assert (knee.max() > 80.0) == (path == "sit-to-stand")
    assert np.ptp(standing.qpos[:, 0]) > 2e-3


@pytest.mark.parametrize("path", ["loop", "there-and-back", "treadmill", "stand", "sit-to-stand"])
def test_the_endless_simulator_repeats_without_a_jump(path: str) -> None:
    settings = seamless(dataclasses.replace(PLAIN, path=path))
    assert settings.speed_m_s == pytest.approx(1.25, rel=0.01)
    assert settings.seconds * settings.fps == pytest.approx(round(settings.seconds * settings.fps), abs=1e-6)
    motion = walk(settings, person_subject(settings))
    assert motion.period_s == settings.seconds
    start, end = motion.sample(np.array([0.0, motion.period_s]))
    start[3:7] *= np.sign(start[3:7] @ end[3:7])
    assert np.abs(start - end).max() < 1e-3
    rates = motion.velocity(np.array([0.0, motion.period_s]))
    assert np.abs(rates[0] - rates[1]).max() < 0.02


def test_velocities_are_those_of_the_poses() -> None:
    """By MuJoCo's own difference of two poses."""
    import mujoco

    walked = make_walk(dataclasses.replace(PLAIN, path="loop", seconds=2.0))
    model, step_s = walked.skeleton.model, 1e-4
    for time_s in (0.3, 1.1):
        before, after = walked.motion.sample(np.array([time_s - step_s, time_s + step_s]))
        rate = np.zeros(model.nv)
        mujoco.mj_differentiatePos(model, rate, 2.0 * step_s, before, after)
        # second order in 0.1 ms, of accelerations' rates below 1e5
        assert np.abs(rate - walked.motion.velocity(np.array(time_s))).max() < 2e-3


def test_a_person_is_as_tall_as_asked_with_segments_of_their_own() -> None:
    from markerless_biomech.simulation.person import stature_m

    for seed in range(3):
        settings = SimulationSettings(seed=seed, height_m=1.68, hard_person=seed == 2)
        subject = person_subject(settings)
        assert stature_m(subject, load_keypoint_set(settings.keypoint_set)) == pytest.approx(1.68, abs=1e-6)
        assert np.std(subject.scales[1:]) > 0.01
        assert len(subject.offsets_m) == 87
    same = [person_subject(SimulationSettings(seed=seed, person_seed=7)) for seed in (0, 1)]
    assert np.array_equal(same[0].scales, same[1].scales)


def test_curves_repeat_every_stride_and_bend_smoothly_with_the_stance_share() -> None:
    phase = np.linspace(0.0, 2.0, 401)
    for curves in (gait_curves.LEG_CURVES, gait_curves.TRUNK_CURVES, gait_curves.ARM_CURVES):
        for curve in curves.values():
            angle = curve.angle_rad(phase)
            assert np.allclose(angle[:201], angle[200:], atol=1e-9)
    for stance in (0.54, 0.62, 0.68):
        bent = gait_curves.curve_phase(phase, stance)
        assert (np.diff(bent) > 0.0).all()
        assert np.interp(stance, phase, bent) == pytest.approx(0.62, abs=1e-3)


def test_cadence_at_comfortable_speed_is_that_of_healthy_adults() -> None:
    """1.75 m, 1.3 m/s: 105 to 115 steps a minute (Winter 2009: 105; Murray 1964: 113)."""
    assert 105.0 < 120.0 * gait_curves.stride_frequency_hz(1.3, 1.75) < 115.0
    assert math.isclose(gait_curves.stance_share(1.3, 1.75), 0.62, abs_tol=0.01)
