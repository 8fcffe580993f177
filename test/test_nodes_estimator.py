"""motion_estimator as a process, over real DDS, before three virtual cameras."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
import yaml
from lab import CAMERAS, KEYPOINT_SET, PATIENCE_S, Lab, walking_session
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.cli.checks import heard_diagnostics
from markerless_biomech.nodes import quality
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.nodes.ros_types import TYPES
from markerless_biomech.recording.message_types import stamp_from_message

pytestmark = pytest.mark.ros
PARAMETERS = {"cameras": list(CAMERAS), "keypoint_set": KEYPOINT_SET, "coast_s": 0.3}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A lab whose subject is tracked, and the processes."""
    with Processes(tmp_path_factory.mktemp("logs")) as processes, Lab(walking_session()) as lab:
        for kind, topic in (
            ("JointState", "joint_states"),
            ("TFMessage", "/tf"),
            ("BodyState", "body_state"),
            ("BodyState", "body_state_settled"),
            ("FitReport", "fit_report"),
            ("FittedCameras", "fitted_cameras"),
            ("StepEvent", "step_events"),
            ("GaitParameters", "gait_parameters"),
            ("DiagnosticArray", "/diagnostics"),
        ):
            lab.listen(kind, topic)
        processes.start("motion_estimator", PARAMETERS)
        lab.missing = lab.wait_for_new("/diagnostics", lambda message: "waiting" in fit_status(message).message)[0]
        lab.publish_cameras()
        lab.start_walking()
        lab.processes = processes
        yield lab


@pytest.fixture
def lab(system):
    """The same, back to normal before each test."""
    system.silent.clear()
    system.tamper = None
    system.wait_for_new("joint_states", count=30)
    return system


def fit_status(message):
    return next(status for status in message.status if status.name.endswith(": fit"))


def test_until_cameras_are_known_diagnostics_say_what_is_missing(system):
    words = fit_status(system.missing).message
    assert "cam0/camera_info" in words and "cam2/camera_info" in words


def test_joint_states_hold_all_joints_in_order(lab):
    message = lab.wait_for_new("joint_states")[0]
    assert tuple(message.name) == JOINT_NAMES
    assert np.isfinite(message.position).all() and len(message.velocity) == 34


def test_the_whole_body_is_on_tf_below_world(lab):
    transforms = lab.wait_for_new("/tf", lambda message: len(message.transforms) > len(CAMERAS))[0].transforms
    parent_from_child = {entry.child_frame_id: entry.header.frame_id for entry in transforms}
    assert parent_from_child["pelvis"] == "world" and {"femur_r", "head", "hand_l"} <= set(parent_from_child)
    for frame in parent_from_child:
        while frame != "world":
            frame = parent_from_child[frame]


def test_live_and_settled_states_exist_for_every_frame_set(lab):
    def tracked(message):
        return message.tracking == TYPES.BodyState.TRACKED

    live = lab.wait_for_new("body_state", tracked, count=50)
    settled = lab.wait_for_new("body_state_settled", count=50)
    assert not any(message.settled for message in live) and all(message.settled for message in settled)
    steps_ns = np.diff([stamp_from_message(message.header.stamp) for message in settled])
    # 50 frames a second, none twice; a machine that stalls may lose some.
    assert np.all(steps_ns > 19e6) and np.median(steps_ns) == pytest.approx(20e6, abs=1e6)


def test_reports_tell_the_way_of_each_frame_set_in_order(lab):
    report = lab.wait_for_new("fit_report", lambda message: message.published_s > 0)[0]
    way = [report.received_first_s, report.received_last_s, report.assembled_s]
    way += [report.solve_start_s, report.solve_end_s, report.published_s]
    assert way == sorted(way)
    assert report.result == "OK" and set(report.cameras_used) == set(CAMERAS)


def test_steps_are_told_and_become_final_and_figures_follow(lab):
    lab.wait_for_new("step_events", lambda event: event.type == event.HEEL_STRIKE and event.stride_time_s > 0)
    histories = {}
    for event in lab.heard["step_events"]:
        histories.setdefault(event.id, []).append(event)
    assert any(not one[0].final and one[-1].final and not one[-1].withdrawn for one in histories.values())
    parameters = lab.wait_for_new("gait_parameters")[0]
    assert parameters.strides >= 1 and parameters.cadence_mean > 0


def test_definitions_reach_those_who_come_late(lab):
    topics = [
        "robot_description",
        *(f"definitions/{n}" for n in ("model", "subject", "keypoint_set", "rig", "settings")),
    ]
    for topic in topics:
        lab.listen("String", topic, quality.LATCHED)
    lab.wait_for(lambda: all(lab.heard[topic] for topic in topics), "definitions")
    assert lab.heard["robot_description"][0].data.lstrip().startswith("<")
    model = yaml.safe_load(lab.heard["definitions/model"][0].data)
    assert tuple(model["joints"]) == JOINT_NAMES
    assert set(yaml.safe_load(lab.heard["definitions/rig"][0].data)["cameras"]) == set(CAMERAS)


def test_diagnostics_and_fitted_cameras_tell_how_each_camera_fares(lab):
    message = lab.wait_for_new("/diagnostics", lambda message: fit_status(message).message == "tracked")[0]
    assert {status.name.split()[-1] for status in message.status} >= set(CAMERAS)
    cameras = lab.wait_for_new("fitted_cameras")[0]
    assert tuple(cameras.names) == CAMERAS and set(cameras.status) == {cameras.OK}


def test_each_task_has_a_line_in_diagnostics_and_all_is_well(lab):
    tasks = {"fit", "subject", "rig check", "rig refinement", "assembly", "events", "memory", "clock", "inputs"}
    wanted = tasks | {f"camera {name}" for name in CAMERAS}
    well = {"fit", "assembly", "events", "memory", "clock", "inputs"}

    def fine(message):
        lines = {status.name.split(": ", 1)[1]: status for status in message.status}
        assert set(lines) == wanted
        return all(lines[name].level == b"\x00" for name in well)

    lab.wait_for_new("/diagnostics", fine)


def test_the_aggregators_configuration_has_one_place_for_each_line(lab):
    file = Path(__file__).parents[1] / "config" / "diagnostics_aggregator.yaml"
    groups = yaml.safe_load(file.read_text())["analyzers"]["ros__parameters"]
    analyzers = {name: group for name, group in groups.items() if isinstance(group, dict)}
    assert {group["type"] for group in analyzers.values()} == {"diagnostic_aggregator/GenericAnalyzer"}
    names = [status.name for status in lab.wait_for_new("/diagnostics")[0].status]
    words = [word for group in analyzers.values() for word in group["contains"]]
    assert all(sum(word in name for word in words) == 1 for name in names)
    assert all(any(word in name for name in names) for word in words)


def test_doctor_prints_what_running_nodes_say(lab):
    found = {check.name: check for check in heard_diagnostics()}
    assert found["/motion_estimator: fit"].sentence == "tracked" and found["/motion_estimator: fit"].ok
    assert found["/motion_estimator: camera cam1"].sentence == "OK"


def test_a_publisher_that_cannot_be_heard_is_named_and_what_to_change(lab):
    def inputs(message):
        return next(status for status in message.status if status.name.endswith(": inputs"))

    # One process may not publish two types under one name.
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    stranger = Node("stranger", context=context)
    stranger.create_publisher(TYPES.String, "cam0/keypoints", 1)
    stranger.create_publisher(TYPES.TFMessage, "/tf_static", 1)
    said = lab.wait_for_new("/diagnostics", lambda m: "/tf_static" in inputs(m).message and "cam0" in inputs(m).message)
    words = inputs(said[0]).message
    assert "/cam0/keypoints: /stranger publishes std_msgs/msg/String, expected markerless_biomech/msg/Keyp" in words
    assert "/tf_static: /stranger does not keep it for those who come late (volatile); publish it transient" in words
    stranger.destroy_node()
    rclpy.shutdown(context=context)
    lab.wait_for_new("/diagnostics", lambda message: inputs(message).level == b"\x00")


def test_a_silent_camera_is_reported_and_not_waited_for(lab):
    lab.silent.add("cam1")
    two = lab.wait_for_new("fit_report", lambda message: set(message.cameras_used) == {"cam0", "cam2"}, count=30)
    assert all(message.result == "OK" for message in two)
    lab.wait_for_new("fitted_cameras", lambda message: message.status[1] in (message.STALE, message.DEAD))
    lab.silent.clear()
    lab.wait_for_new("fit_report", lambda message: set(message.cameras_used) == set(CAMERAS))


def test_without_any_frame_lost_is_said_once_and_angles_are_silent(lab):
    lost = TYPES.BodyState.LOST
    lab.silent.update(CAMERAS)
    first = lab.wait_for_new("body_state", lambda message: message.tracking == lost)[0]
    assert len(first.position) == 0
    said, angles = len(lab.heard["body_state"]), len(lab.heard["joint_states"])
    lab.wait_for_new("/diagnostics", count=3)
    assert (len(lab.heard["body_state"]), len(lab.heard["joint_states"])) == (said, angles)
    lab.silent.clear()
    lab.wait_for_new("body_state", lambda message: message.tracking == TYPES.BodyState.TRACKED)


def test_bad_messages_of_one_camera_are_refused_and_the_rest_goes_on(lab):
    def damaged(camera, message):
        if camera == "cam0":
            message.points[0] = float("nan")
        return message

    lab.tamper = damaged
    lab.wait_for_new("fit_report", lambda message: set(message.cameras_used) == {"cam1", "cam2"}, count=10)
    report = lab.heard["fit_report"][-1]
    assert dict(zip(report.dropped_causes, report.dropped_counts, strict=True))["refused"] > 0


@pytest.mark.parametrize(("field", "value"), [("keypoint_set", "other"), ("width", 17), ("points", [0.0] * 7)])
def test_messages_that_do_not_fit_the_configuration_are_refused(lab, field, value):
    def damaged(camera, message):
        if camera == "cam2":
            setattr(message, field, value)
        return message

    lab.tamper = damaged
    lab.wait_for_new("fit_report", lambda message: set(message.cameras_used) == {"cam0", "cam1"}, count=5)


def test_reacquire_starts_cold_and_finds_the_subject_again(lab):
    client = lab.node.create_client(Trigger, "motion_estimator/reacquire")
    lab.wait_for(client.service_is_ready, "the service reacquire")
    future = client.call_async(Trigger.Request())
    lab.wait_for(future.done, "an answer of reacquire")
    assert future.result().success
    lab.wait_for_new("body_state", lambda message: message.tracking == TYPES.BodyState.TRACKED, count=10)


def test_cameras_are_reported_at_their_rate_and_on_tf(lab):
    first, *_, last = lab.wait_for_new("fitted_cameras", count=3)
    # Two a second; a busy machine may be late by as much again.
    assert 0 < stamp_from_message(last.header.stamp) - stamp_from_message(first.header.stamp) < 3e9
    assert list(first.names) == list(CAMERAS) and not any(first.status)
    fitted = lab.wait_for_new("/tf", lambda message: len(message.transforms) == len(CAMERAS))[0].transforms
    assert [entry.child_frame_id for entry in fitted] == [f"{frame}_fitted" for frame in first.frame_ids]
    assert {entry.header.frame_id for entry in fitted} == {"world"}


def test_there_is_nothing_to_accept_while_the_refinement_is_off(lab):
    client = lab.node.create_client(Trigger, "motion_estimator/accept_cameras")
    lab.wait_for(client.service_is_ready, "the service accept_cameras")
    future = client.call_async(Trigger.Request())
    lab.wait_for(future.done, "an answer of accept_cameras")
    assert not future.result().success and "camera_refinement is off" in future.result().message


def test_the_process_survives_a_second_interrupt_and_ends_well(tmp_path):
    with Processes(tmp_path) as processes:
        processes.start("motion_estimator", PARAMETERS | {"autostart": False})
        deadline = time.monotonic() + PATIENCE_S
        while "started" not in (tmp_path / "motion_estimator.log").read_text():
            assert processes.running("motion_estimator") and time.monotonic() < deadline
            time.sleep(0.05)
        pid = processes.pid("motion_estimator")
        os.kill(pid, signal.SIGINT)
        if processes.running("motion_estimator"):
            os.kill(pid, signal.SIGINT)
        assert processes.wait("motion_estimator", 60.0)
        processes.check()
