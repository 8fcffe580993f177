"""A motion for the exports' tests: a walk of a person with lengths, hips and axes of their own, lost for a while, with
skipped frames, sites that were not seen and step events."""

from __future__ import annotations

import numpy as np
from body_oracle import oracle_sites, random_subject, scaled_model, with_own_joints
from made_results import START_NS, made_motion

from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.export_motion import Motion, motion_of
from markerless_biomech.recording.step_messages import StepRecord
from markerless_biomech.results import BodyEstimate, Tracking, lost

FPS = 60.0
FRAMES = 50
LOST = slice(20, 26)
"""The first of these says LOST, the others are silent."""
SKIPPED = 40
KEYPOINTS = load_keypoint_set("coco_wholebody_133")
"""A set with keypoints that are not on the body: they are not written."""
UNSEEN = 5
"""Index of the keypoint that only the model knows."""


def own_subject():
    rng = np.random.default_rng(3)
    return with_own_joints(rng, random_subject(rng, KEYPOINTS))


def walking_poses() -> np.ndarray:
    """(F, 41): the made walk, turned and swaying, with joints that are otherwise still moving a little."""
    qpos = made_motion(FRAMES, FPS)
    time_s = np.arange(FRAMES) / FPS
    yaw = 2.5 + time_s  # passes half a turn
    qpos[:, 3], qpos[:, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
    qpos[:, 4] = 0.05 * np.sin(5 * time_s)
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    qpos[:, 1] = 0.3 * np.sin(time_s)
    qpos[:, 7:] += 0.1 * np.sin(3 * time_s[:, None] + np.arange(34))
    return qpos


def walking_states() -> list[BodyEstimate]:
    """The states of FRAMES frame sets, as a bag would hold them."""
    subject, qpos = own_subject(), walking_poses()
    model = scaled_model(subject, KEYPOINTS)
    seen = np.arange(len(KEYPOINTS)) != UNSEEN
    states = []
    for frame, pose in enumerate(qpos):
        stamp_ns = START_NS + round(frame * 1e9 / FPS)
        if frame == LOST.start:
            states.append(lost(stamp_ns, len(KEYPOINTS)))
        if frame == SKIPPED or LOST.start <= frame < LOST.stop:
            continue
        sites = oracle_sites(model, KEYPOINTS, pose)
        std = np.full(len(sites), 0.004)
        states.append(
            BodyEstimate(stamp_ns, True, Tracking.TRACKED, pose, np.zeros(40), np.eye(40), sites, std, seen & (std > 0))
        )
    return states


def made_steps() -> list[StepRecord]:
    """Two events, one of them revised, and one withdrawn."""

    def step(number: int, time_s: float, side: str, kind: str, **more) -> StepRecord:
        return StepRecord(START_NS + round(time_s * 1e9), side, kind, np.zeros(3), number, **more)

    return [
        step(1, 0.30, "left", "heel_strike"),
        step(2, 0.45, "right", "toe_off"),
        step(1, 0.31, "left", "heel_strike", revision=1),
        step(3, 0.60, "right", "heel_strike"),
        step(3, 0.60, "right", "heel_strike", revision=1, withdrawn=True),
    ]


def walking_motion() -> Motion:
    return motion_of("settled", walking_states(), KEYPOINTS, own_subject(), made_steps())
