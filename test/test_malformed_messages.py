"""Random messages into every reader: refused in a sentence that names the field, or read as they are; never a crash."""

import numpy as np
import pytest
import yaml
from damage import CHANGED_FIELDS, MESSAGES, changed, is_refused, messages, over_the_wire, same
from fault_bench import joint_error_deg, show, tracked, walk
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_messages import a_camera, a_frame, a_step, an_estimate, some_cameras, some_parameters

from markerless_biomech.cameras.rig import rig_from_text, rig_text
from markerless_biomech.cameras.static_transforms import StaticTransforms
from markerless_biomech.keypoints import keypoint_set_from_text, load_keypoint_set
from markerless_biomech.recording import bags, result_messages, step_messages
from markerless_biomech.recording.definitions import keypoint_set_text, subject_from_text, subject_text
from markerless_biomech.recording.messages import (
    camera_from_message,
    camera_to_message,
    keypoint_frame_from_message,
    keypoint_frame_to_message,
    transforms_from_message,
    transforms_to_message,
)
from markerless_biomech.results import FitReport, Tracking

TYPES = bags.types()
COCO = load_keypoint_set("coco_17")
POSE = (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


def keypoints_message():
    points = np.random.default_rng(0).uniform(0, 1000, (2, 17, 3)).astype(np.float32)
    return keypoint_frame_to_message(TYPES, a_frame(points=points, rectified=False), "coco_17", "left_optical")


@MESSAGES
@given(message=messages(keypoints_message()))
def test_keypoints_are_refused_by_camera_or_read_as_they_are(message):
    message = over_the_wire(message)
    found = []

    def read():
        found.append(keypoint_frame_from_message("left", message, 5, COCO, (1920, 1080)))

    if not is_refused(read, "camera left"):
        stamp = message.header.stamp
        again = keypoint_frame_to_message(TYPES, found[0], message.keypoint_set, message.header.frame_id)
        if stamp.nanosec < 1_000_000_000:
            assert same(again, message)
        else:
            assert found[0].stamp_ns == stamp.sec * 10**9 + stamp.nanosec


@MESSAGES
@given(message=messages(camera_to_message(TYPES, a_camera(), 4)))
def test_camera_info_is_refused_by_camera_or_read_as_it_is(message):
    message = over_the_wire(message)
    found = []
    if not is_refused(lambda: found.append(camera_from_message("left", message, *POSE)), "camera 'left'"):
        camera = found[0]
        assert np.array_equal(camera.k.ravel(), message.k) and np.array_equal(camera.d, message.d)
        assert (camera.width, camera.height, camera.frame_id) == (
            message.width,
            message.height,
            message.header.frame_id,
        )


def transforms_message():
    turns = np.array([[0.5, 0.5, -0.5, 0.5]] * 3)
    parents, children = ["world", "rig", "rig"], ["rig", "cam0", "cam1"]
    return transforms_to_message(TYPES, 4, parents, children, np.ones((3, 3)), turns)


@MESSAGES
@given(message=messages(transforms_message()))
def test_static_transforms_are_refused_by_frame_or_compose_to_finite_poses(message):
    transforms = StaticTransforms()
    for one in transforms_from_message(over_the_wire(message)):
        problem = transforms.add(one.parent, one.child, one.position_m, one.orientation_xyzw)
        assert not problem or one.child.removeprefix("/") in problem
    for frame in ("cam0", "cam1", "rig", "nowhere"):
        pose = transforms.lookup("world", frame)
        assert bool(transforms.reason("world", frame)) == (pose is None)
        assert pose is None or np.isfinite(np.concatenate(pose)).all()


RESULTS = {
    "body": (result_messages.body_to_message(TYPES, an_estimate()), result_messages.body_from_message, "BodyState"),
    "lost": (
        result_messages.body_to_message(TYPES, an_estimate(Tracking.LOST)),
        result_messages.body_from_message,
        "BodyState",
    ),
    "joints": (
        result_messages.joints_to_message(TYPES, an_estimate()),
        result_messages.joints_from_message,
        "JointState",
    ),
    "cameras": (
        result_messages.cameras_to_message(TYPES, some_cameras()),
        result_messages.cameras_from_message,
        "FittedCameras",
    ),
    "report": (
        result_messages.report_to_message(
            TYPES,
            result_messages.FitRecord(
                FitReport(3, "OK", ("a", "b"), cost={"limits": 0.5}), dropped={"late": 3, "full": 2}
            ),
        ),
        result_messages.report_from_message,
        "FitReport",
    ),
    "step": (step_messages.step_to_message(TYPES, a_step()), step_messages.step_from_message, "StepEvent"),
    "gait": (
        step_messages.parameters_to_message(TYPES, some_parameters()),
        step_messages.parameters_from_message,
        "GaitParameters",
    ),
}


@pytest.mark.parametrize("kind", RESULTS)
@MESSAGES
@given(data=st.data())
def test_results_of_others_are_refused_by_field_or_read(kind, data):
    original, read, name = RESULTS[kind]
    message = over_the_wire(data.draw(messages(original)))
    with np.errstate(all="ignore"):
        is_refused(lambda: read(message), name)


TEXTS = {
    "keypoint_set": (keypoint_set_text(COCO), keypoint_set_from_text),
    "rig": (rig_text(walk().rig_nominal), rig_from_text),
    "subject": (subject_text(walk().subject), subject_from_text),
}
BOMB = "&a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{letter}: &{letter} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
    for before, letter in zip("abcdefgh", "bcdefghi", strict=True)
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}),
    st.sampled_from([-1, 10**400, "NaN", [1.0] * 4, {"x": 1}]),
)  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS)
@MESSAGES
@given(where=st.lists(st.integers(0, 1 << 30), min_size=1, max_size=6), leaf=LEAVES, remove=st.booleans())
@example(where=[1, 0, 3], leaf=-(1 << 64), remove=False)
def test_definitions_with_any_value_anywhere_are_refused_by_field_or_read(kind, where, leaf, remove):
    text, read = TEXTS[kind]
    content = yaml.safe_load(text)
    replace_somewhere(content, where, leaf, remove)
    is_refused(lambda: read(yaml.safe_dump(content, allow_unicode=True), "definitions/x"), "definitions/x")


def replace_somewhere(content, where, leaf, remove):
    """Go down as far as `where` leads, and put the leaf there, or take out what is there."""
    owner, key = None, None
    for pick in where:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not keys:
            break
        owner, key = content, keys[pick % len(keys)]
        if not isinstance(owner[key], (dict, list)):
            break
        content = owner[key]
    if remove:
        del owner[key]
    else:
        owner[key] = leaf


@pytest.mark.parametrize("kind", TEXTS)
@MESSAGES
@given(text=st.text(max_size=80))
@example(text="[" * 100_000)
@example(text="- " * 20_000)
@example(text="!!bool x")
@example(text="9" * 5000)
@example(text="a: " + BOMB)
@example(text="version: 1\nworld_frame: a\ncameras: " + BOMB)
def test_texts_that_are_no_definitions_are_refused(kind, text):
    assert is_refused(lambda: TEXTS[kind][1](text, "definitions/x"), "definitions/x")


SPOILT = range(20, 50)
"""Frames of which cam1's message is spoilt: a second."""


@settings(MESSAGES, max_examples=max(4, MESSAGES.max_examples // len(SPOILT)))
@given(picks=st.lists(CHANGED_FIELDS, min_size=len(SPOILT), max_size=len(SPOILT)))
def test_spoilt_messages_of_one_camera_do_not_stop_the_stream(picks):
    def spoil(message, frame):
        number = frame.frame_number - 1
        if frame.camera != "cam1" or number not in SPOILT:
            return message
        return over_the_wire(changed(message, picks[number - SPOILT[0]]))

    shown = show(seconds=3.2, tamper=spoil)
    assert all("camera cam1" in sentence and "\n" not in sentence for sentence in shown.refused)
    assert len(tracked(shown, 2.7, 3.2)) == 15
    # 3 degrees: as without a fault (test_fault_matrix.py)
    assert joint_error_deg(shown, 2.7, 3.2) < 3.0
    states = [e.live for _, e in shown.estimates if e.live is not None and e.live.tracking is not Tracking.LOST]
    assert all(np.isfinite(state.qpos).all() for state in states)
