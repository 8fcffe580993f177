"""Conversions between values and messages: the same as with rclpy's classes, here with those of bags."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.cameras.rig import Camera
from markerless_biomech.errors import InputError
from markerless_biomech.gait.parameters import gait_parameters
from markerless_biomech.keypoints import KeypointFrame, KeypointSet
from markerless_biomech.recording import bags, messages, result_messages, step_messages
from markerless_biomech.recording.message_types import rclpy_types, stamp_from_message, stamp_to_message
from markerless_biomech.recording.step_messages import StepRecord
from markerless_biomech.results import BodyEstimate, FitReport, Tracking
from markerless_biomech.rotations import matrix_from_xyzw, xyzw_from_wxyz

NAMES = ("Nose", "RHip", "LHip")
KEYPOINTS = KeypointSet("three", NAMES, ("head", "pelvis", "pelvis"), np.zeros((3, 3)), np.array([0, 2, 1]), np.ones(3))


def over_the_wire(message):
    """The message as a reader gets it: CDR there and back."""
    store = bags.typestore()
    return store.deserialize_cdr(store.serialize_cdr(message, message.__msgtype__), message.__msgtype__)


def a_frame(people: int = 2, **changes) -> KeypointFrame:
    points = np.random.default_rng(0).uniform(0, 1000, (people, 3, 3)).astype(np.float32)
    frame = KeypointFrame("left", 1_700_000_000_123_456_789, 5, points, tuple(range(people)), 7, True, (1920, 1080))
    return dataclasses.replace(frame, **changes)


def sent(frame: KeypointFrame, **changes):
    """The frame's message, with fields changed as a faulty detector would."""
    message = messages.keypoint_frame_to_message(bags.types(), frame, "three", "left_optical")
    for name, value in changes.items():
        setattr(message, name, value)
    return over_the_wire(message)


def received(message, size_px=(1920, 1080)) -> KeypointFrame:
    return messages.keypoint_frame_from_message("left", message, 5, KEYPOINTS, size_px)


def an_estimate(tracking: Tracking = Tracking.TRACKED) -> BodyEstimate:
    rng = np.random.default_rng(1)
    turn = rng.normal(size=4)
    root = rng.normal(size=(40, 40))
    return BodyEstimate(
        stamp_ns=12_000_000_345,
        settled=True,
        tracking=tracking,
        qpos=np.r_[1.0, 2.0, 3.0, turn / np.linalg.norm(turn), rng.normal(size=34)],
        qvel=rng.normal(size=40),
        covariance=root @ root.T,
        sites_m=rng.normal(size=(3, 3)),
        sites_std_m=rng.uniform(size=3),
        site_seen=np.array([True, False, True]),
    )


@given(st.integers(0, 2**31 * 10**9 - 1))
@settings(max_examples=30, deadline=None)
def test_stamps_keep_every_nanosecond(stamp_ns):
    assert stamp_from_message(stamp_to_message(bags.types(), stamp_ns)) == stamp_ns


@pytest.mark.parametrize("people", [0, 1, 3])
def test_a_keypoint_frame_survives_its_message(people):
    frame = a_frame(people)
    back = received(sent(frame))
    assert np.array_equal(back.points, frame.points) and back.points.shape == (people, 3, 3)
    assert dataclasses.replace(back, points=frame.points).__dict__ == frame.__dict__


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keypoint_set": "coco_17"}, ["'coco_17'", "'three'"]),
        ({"width": 640}, ["640 x 1080", "1920 x 1080"]),
        ({"points": np.zeros(10, np.float32)}, ["10 numbers", "multiple of 9"]),
        ({"points": np.full(18, np.nan, np.float32)}, ["'Nose'", "nan", "confidence 0"]),
        ({"points": np.full(18, np.inf, np.float32)}, ["'Nose'", "inf"]),
        ({"points": np.full(18, -1, np.float32)}, ["confidence is -1"]),
        ({"person_ids": np.zeros(1, np.int32)}, ["1 person_ids for 2 people"]),
    ],
)
def test_a_faulty_message_is_refused_with_a_sentence_that_names_the_camera(change, words):
    with pytest.raises(InputError) as error:
        received(sent(a_frame(), **change))
    assert "camera left" in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_any_image_size_is_taken_while_the_calibration_is_unknown():
    assert received(sent(a_frame(), width=1, height=1), size_px=(0, 0)).size_px == (1, 1)


def test_a_body_survives_its_message():
    estimate = an_estimate()
    back = result_messages.body_from_message(over_the_wire(result_messages.body_to_message(bags.types(), estimate)))
    # Joints and sites travel as float32 (relative 6e-8), the pelvis as float64.
    assert np.allclose(back.qpos, estimate.qpos, rtol=1e-6) and np.allclose(
        back.qpos[:7], estimate.qpos[:7], rtol=1e-12
    )
    assert np.allclose(back.qvel, estimate.qvel, rtol=1e-6)
    assert np.allclose(back.covariance[:6, :6], estimate.covariance[:6, :6])
    assert np.allclose(np.diag(back.covariance), np.diag(estimate.covariance), rtol=1e-6)
    assert np.allclose(back.sites_m, estimate.sites_m, rtol=1e-6)
    assert np.array_equal(back.site_seen, estimate.site_seen)
    assert (back.stamp_ns, back.settled, back.tracking) == (estimate.stamp_ns, True, Tracking.TRACKED)


def test_the_twist_is_in_the_pelvis_frame_and_the_quaternion_is_xyzw():
    estimate = an_estimate()
    # A quarter turn left: world's y is the pelvis' x.
    qpos = np.r_[np.zeros(3), np.sqrt(0.5), 0, 0, np.sqrt(0.5), np.zeros(34)]
    estimate = dataclasses.replace(estimate, qpos=qpos, qvel=np.r_[0, 2.0, 0, np.zeros(37)])
    message = result_messages.body_to_message(bags.types(), estimate)
    turn = message.pose.pose.orientation
    assert np.allclose([turn.x, turn.y, turn.z, turn.w], [0, 0, np.sqrt(0.5), np.sqrt(0.5)])
    linear = message.twist.twist.linear
    assert np.allclose([linear.x, linear.y, linear.z], [2, 0, 0])


def test_the_pose_covariance_is_about_the_axes_of_the_world():
    """Monte Carlo: turn the pelvis by small vectors about its own axes and look at the same turns from the world."""
    estimate = an_estimate()
    turn = matrix_from_xyzw(xyzw_from_wxyz(estimate.qpos[3:7]))
    own = np.random.default_rng(2).multivariate_normal(np.zeros(6), estimate.covariance[:6, :6], 200_000)
    world = np.concatenate([own[:, :3], own[:, 3:] @ turn.T], axis=1)
    expected = np.cov(world.T)
    got = result_messages.body_to_message(bags.types(), estimate).pose.covariance.reshape(6, 6)
    # 200,000 samples: 1 / sqrt(2e5) = 0.2 % of the variances, five of these.
    assert np.allclose(got, expected, atol=0.012 * np.diag(expected).max())


def test_a_lost_body_has_empty_arrays():
    message = over_the_wire(result_messages.body_to_message(bags.types(), an_estimate(Tracking.LOST)))
    assert message.position.size == message.sites_xyz.size == message.site_seen.size == 0
    back = result_messages.body_from_message(message)
    assert back.tracking == Tracking.LOST and np.isnan(back.qpos).all()


def test_joint_states_name_every_joint():
    estimate = an_estimate()
    stamp_ns, angles = result_messages.joints_from_message(
        over_the_wire(result_messages.joints_to_message(bags.types(), estimate))
    )
    assert stamp_ns == estimate.stamp_ns
    assert tuple(angles) == JOINT_NAMES and np.allclose(list(angles.values()), estimate.qpos[7:])


def test_a_fit_report_survives_its_message():
    report = FitReport(3, "OK", ("a", "b"), 10, 2, 1, 4, {"limits": 0.5, "reprojection": 2.0}, 1.5)
    times = result_messages.FitTimes(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    record = result_messages.FitRecord(report, times, {"late": 3, "duplicate": 2**40}, True)
    back = result_messages.report_from_message(over_the_wire(result_messages.report_to_message(bags.types(), record)))
    empty = np.zeros(0)
    assert vars(dataclasses.replace(back.report, camera_residual_px=empty, camera_share=empty)) == vars(
        dataclasses.replace(report, camera_residual_px=empty, camera_share=empty)
    )
    assert (back.times, dict(back.dropped), back.reset) == (times, dict(record.dropped), True)


def some_cameras() -> result_messages.FittedCameras:
    rng = np.random.default_rng(3)
    return result_messages.FittedCameras(
        9, ("a", "b"), ("ao", "bo"), rng.normal(size=(2, 7)), rng.normal(size=(2, 6, 6)), np.zeros(2, np.float32),
        np.ones(2, np.float32), np.full(2, np.nan, np.float32), np.ones(2, np.float32), np.array([0, 4], np.uint8), 2,
    )  # fmt: skip


def test_fitted_cameras_survive_their_message():
    cameras = some_cameras()
    back = result_messages.cameras_from_message(
        over_the_wire(result_messages.cameras_to_message(bags.types(), cameras))
    )
    for name, value in vars(cameras).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(getattr(back, name), value, equal_nan=True), name
        else:
            assert getattr(back, name) == value, name


def test_a_status_without_a_word_is_refused():
    message = result_messages.cameras_to_message(bags.types(), some_cameras())
    message.status[1] = 5
    with pytest.raises(InputError, match=r"FittedCameras: status\[1\] is 5; expected 0 to 4"):
        result_messages.cameras_from_message(over_the_wire(message))


def test_a_body_that_is_tracked_has_joints():
    message = result_messages.body_to_message(bags.types(), an_estimate(Tracking.LOST))
    message.tracking = int(Tracking.COASTING)
    with pytest.raises(InputError, match="BodyState: position is empty while tracking is COASTING; expected 34"):
        result_messages.body_from_message(over_the_wire(message))


def a_step(**changes) -> StepRecord:
    step = StepRecord(5, "right", "toe_off", np.array([1.0, 2.0, 0.1]), 7, 2, False, True, 0.01, 0.9, 0.6, 0.1)
    return dataclasses.replace(step, **changes)


def test_a_step_event_survives_its_message():
    step = a_step()
    back = step_messages.step_from_message(over_the_wire(step_messages.step_to_message(bags.types(), step)))
    assert np.array_equal(back.foot_position_m, step.foot_position_m)
    assert np.isnan(back.stride_time_s), "what is undefined stays NaN"
    for name, value in vars(step).items():
        if name != "foot_position_m":
            assert getattr(back, name) == value or np.isnan(value), name


def some_parameters():
    strike = StepRecord(0, "left", "heel_strike", np.zeros(3), 0)
    strikes = [dataclasses.replace(strike, stamp_ns=k * 10**9, id=k, step_length_m=0.6 + 0.01 * k) for k in range(3)]
    parameters = gait_parameters(strikes)
    assert parameters is not None
    return parameters


def test_gait_parameters_survive_their_message():
    parameters = some_parameters()
    message = over_the_wire(step_messages.parameters_to_message(bags.types(), parameters))
    assert_same(parameters, step_messages.parameters_from_message(message))
    assert parameters.strides == 2 and np.isnan(parameters.step_length_mean_m[1]), "no right strides"


def test_constants_of_the_messages_are_those_of_the_values():
    """Codes in msg/*.msg, read from the files: nothing else keeps the two together."""
    lines = {path.stem: path.read_text() for path in bags.message_directory().glob("*.msg")}

    def constants(message: str) -> dict[str, int]:
        return {name: int(value) for name, value in re.findall(r"^uint8 ([A-Z_]+)=(\d+)", lines[message], re.M)}

    assert constants("BodyState") == {state.name: state.value for state in Tracking}
    cameras = result_messages.FittedCameras
    assert constants("FittedCameras") == {
        name: getattr(cameras, name) for name in ("OK", "LATE", "STALE", "DEAD", "MOVED")
    }
    sides = {side.upper(): code for code, side in enumerate(step_messages.SIDES)}
    kinds = {kind.upper(): code for code, kind in enumerate(step_messages.TYPES_OF_EVENT)}
    assert constants("StepEvent") == sides | kinds


def test_every_field_of_every_message_has_its_comment():
    for path in bags.message_directory().glob("*.msg"):
        fields = [line for line in path.read_text().splitlines() if re.match(r"[a-z]\S* [a-z]", line)]
        assert fields and all("# " in line for line in fields), path.name


def a_camera() -> Camera:
    return Camera(
        "left", 1920, 1080, "plumb_bob", np.array([[1000.0, 0, 960], [0, 1010, 540], [0, 0, 1]]),
        np.array([0.1, -0.2, 0.001, 0.002, 0.03]), np.array([1.0, 2, 3]), np.array([0.5, 0.5, -0.5, 0.5]), "left_opt",
    )  # fmt: skip


def test_a_camera_survives_camera_info_and_transform():
    camera = a_camera()
    info = over_the_wire(messages.camera_to_message(bags.types(), camera, 4))
    tf = over_the_wire(
        messages.transforms_to_message(
            bags.types(), 4, ["world"], ["left_opt"], camera.position_m[None], camera.orientation_xyzw[None]
        )
    )
    (transform,) = messages.transforms_from_message(tf)
    assert (transform.parent, transform.child) == ("world", "left_opt")
    back = messages.camera_from_message("left", info, transform.position_m, transform.orientation_xyzw)
    for name in ("k", "d", "position_m", "orientation_xyzw"):
        assert np.array_equal(getattr(back, name), getattr(camera, name)), name
    assert (back.width, back.height, back.frame_id) == (1920, 1080, "left_opt")


def test_rclpy_messages_hold_what_bag_messages_hold():
    """Skipped only where ROS is not built in, which `doctor` reports."""
    pytest.importorskip("rclpy")
    ours = pytest.importorskip("markerless_biomech.msg", reason="the messages are not built in this environment")
    import builtin_interfaces.msg
    import geometry_msgs.msg
    import sensor_msgs.msg
    import std_msgs.msg
    import tf2_msgs.msg
    from rclpy.serialization import serialize_message

    live = rclpy_types(ours, std_msgs.msg, geometry_msgs.msg, builtin_interfaces.msg, sensor_msgs.msg, tf2_msgs.msg)
    for convert, value in [
        (lambda types, frame: messages.keypoint_frame_to_message(types, frame, "three", "left_optical"), a_frame()),
        (lambda types, camera: messages.camera_to_message(types, camera, 4), a_camera()),
        (
            lambda types, turn: messages.transforms_to_message(types, 4, ["a"], ["b"], np.ones((1, 3)), turn[None]),
            np.eye(4)[3],
        ),
        (result_messages.joints_to_message, an_estimate()),
        (result_messages.body_to_message, an_estimate()),
        (result_messages.body_to_message, an_estimate(Tracking.LOST)),
        (result_messages.cameras_to_message, some_cameras()),
        (result_messages.report_to_message, result_messages.FitRecord(FitReport(3, "OK", cost={"limits": 0.5}))),
        (step_messages.step_to_message, a_step()),
        (step_messages.parameters_to_message, some_parameters()),
    ]:
        ros, bag = convert(live, value), convert(bags.types(), value)
        back = bags.decoded(bags.typestore().deserialize_cdr, serialize_message(ros), bag.__msgtype__)
        assert_same(over_the_wire(bag), back)


def assert_same(expected, got, place: str = "") -> None:
    """Every field, however deep; NaN equals NaN."""
    if hasattr(expected, "__dataclass_fields__"):
        for name in expected.__dataclass_fields__:
            if name != "__msgtype__":
                assert_same(getattr(expected, name), getattr(got, name), f"{place}.{name}")
    elif isinstance(expected, (np.ndarray, float)):
        assert np.array_equal(expected, got, equal_nan=True), place
    elif isinstance(expected, list):
        assert len(expected) == len(got), place
        for one, other in zip(expected, got, strict=True):
            assert_same(one, other, place)
    else:
        assert expected == got, place
