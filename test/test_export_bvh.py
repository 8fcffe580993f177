"""BVH read back by a small reader written from the format's definition: every body where MuJoCo has it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from body_oracle import oracle_poses, scaled_model
from made_motions import FPS, FRAMES, KEYPOINTS, LOST, own_subject, walking_motion, walking_poses

from markerless_biomech.body.names import BODY_NAMES
from markerless_biomech.recording.export_bvh import bvh_text

MOTION = walking_motion()
TEXT = bvh_text(MOTION)


@dataclasses.dataclass
class Joint:
    """Of a BVH file."""

    name: str
    parent: int
    offset: np.ndarray
    channels: list[str]
    first: int


def read_bvh(text: str) -> tuple[list[Joint], np.ndarray, float]:
    """Joints, (F, C) channels and the frame time."""
    words = text.split()
    joints: list[Joint] = []
    open_joints: list[int] = []
    at, used = 1, 0
    while words[at] != "MOTION":
        word = words[at]
        if word in ("ROOT", "JOINT", "End"):
            joints.append(Joint(words[at + 1], open_joints[-1] if open_joints else -1, np.zeros(3), [], used))
            at += 2
        elif word == "{":
            open_joints.append(len(joints) - 1)
            at += 1
        elif word == "}":
            open_joints.pop()
            at += 1
        elif word == "OFFSET":
            joints[-1].offset = np.array(words[at + 1 : at + 4], dtype=float)
            at += 4
        else:
            assert word == "CHANNELS"
            count = int(words[at + 1])
            joints[-1].channels = words[at + 2 : at + 2 + count]
            used += count
            at += 2 + count
    frames, period_s = int(words[at + 2]), float(words[at + 5])
    return joints, np.array(words[at + 6 :], dtype=float).reshape(frames, used), period_s


def _turn(axis: str, angle_deg: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    i, j = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = cos
    matrix[i, j], matrix[j, i] = -sin, sin
    return matrix


def place(joints: list[Joint], row: np.ndarray) -> dict[str, np.ndarray]:
    """Position of every joint by name for one row of channels; ends are 'Site' of their parent."""
    poses: list[tuple[np.ndarray, np.ndarray]] = []
    found = {}
    for joint in joints:
        above, rotation = poses[joint.parent] if joint.parent >= 0 else (np.zeros(3), np.eye(3))
        position = above + rotation @ joint.offset
        for channel, value in zip(joint.channels, row[joint.first :], strict=False):
            if channel.endswith("position"):
                position = position + value * np.eye(3)["XYZ".index(channel[0])]
            else:
                rotation = rotation @ _turn(channel[0], value)
        poses.append((position, rotation))
        name = f"end of {joints[joint.parent].name}" if joint.name == "Site" else joint.name
        found[name] = position
    return found


def test_every_body_is_where_mujoco_has_it():
    joints, channels, period_s = read_bvh(TEXT)
    assert period_s == pytest.approx(1 / FPS, abs=1e-8) and len(channels) == FRAMES
    model = scaled_model(own_subject(), KEYPOINTS)
    for frame in np.flatnonzero(MOTION.held)[::7]:
        data = oracle_poses(model, walking_poses()[frame])
        found = place(joints, channels[frame])
        for name in BODY_NAMES:
            x, y, z = data.body(name).xpos * 100  # centimetres; y up, z forward, x left
            # Six decimals of a degree over 2 m: far below 1e-4 cm.
            np.testing.assert_allclose(found[name], [y, z, x], atol=1e-4, err_msg=name)


def test_toes_head_and_hands_end_at_their_landmarks():
    joints, channels, _ = read_bvh(TEXT)
    found = place(joints, channels[0])
    ends = {f"end of {name}" for name in ("toes_r", "toes_l", "head", "hand_r", "hand_l")}
    assert {name for name in found if name.startswith("end of")} == ends
    assert found["end of head"][1] > found["head"][1] + 10, "the vertex is above the neck"


def test_lost_frames_keep_the_last_pose():
    _, channels, _ = read_bvh(TEXT)
    for frame in range(LOST.start, LOST.stop):
        np.testing.assert_array_equal(channels[frame], channels[LOST.start - 1])


def test_no_channel_jumps_by_a_turn():
    _, channels, _ = read_bvh(TEXT)
    # Fifty frames of a walk at 60 Hz; six frames lost are the longest step.
    assert np.abs(np.diff(channels[:, 3:], axis=0)).max() < 90
