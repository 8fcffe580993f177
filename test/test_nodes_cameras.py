"""Cameras over real DDS: a bump is proposed, taken into use by ~/accept_cameras, and the other cameras are refined."""

import numpy as np
import pytest
from lab import Lab
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from std_srvs.srv import Trigger

from markerless_biomech.body.subject import save_subject
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.recording.result_messages import FittedCameras
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.virtual_rig import seamless, simulate

pytestmark = pytest.mark.ros

CAMERAS, SET = 4, "halpe_26"
BUMPED = 2
WALK = SimulationSettings(cameras=CAMERAS, fps=30.0, seconds=6.0, keypoint_set=SET, seed=3)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Sound cameras until slow refinement has told them, then a bump by 2 deg; the answers before and after it."""
    folder = tmp_path_factory.mktemp("cameras")
    session = simulate(seamless(WALK))
    save_subject(session.subject, folder / "subject.yaml")
    names = [f"cam{index}" for index in range(CAMERAS)]
    settings = {
        "cameras": names,
        "keypoint_set": SET,
        "subject_file": str(folder / "subject.yaml"),
        "camera_refinement": "propose",
        "check_rig": False,
    }
    walker = {"cameras": CAMERAS, "fps": WALK.fps, "keypoint_set": SET, "seed": WALK.seed}
    with Processes(folder) as processes, Lab(session) as lab:
        lab.listen("FittedCameras", "fitted_cameras")
        lab.listen("BodyState", "body_state")
        lab.listen("DiagnosticArray", "/diagnostics")
        accept = lab.node.create_client(Trigger, "motion_estimator/accept_cameras")
        processes.start("motion_estimator", settings)
        processes.start("rig_simulator", {**walker, "seconds": WALK.seconds})
        lab.wait_for(lambda: lab.heard["body_state"], "a result")
        lab.wait_for(accept.service_is_ready, "the service")
        early = ask(lab, accept)
        lab.wait_for_new("/diagnostics", lambda message: " turned by " in str(message))
        refined = lab.wait_for_new("fitted_cameras")[0]
        bump = Parameter("faults", value=[f"camera-bump:cam{BUMPED}=2deg"])
        simulator = AsyncParameterClient(lab.node, "rig_simulator")
        lab.wait_for(simulator.services_are_ready, "the simulator's parameters")
        lab.wait_for(simulator.set_parameters([bump]).done, "the bump")
        lab.wait_for_new("fitted_cameras", lambda message: message.status[BUMPED] == FittedCameras.MOVED)
        answers = []

        def accepted():
            answers.append(ask(lab, accept))
            return answers[-1].success

        lab.wait_for(accepted, "a proposal")
        new = lab.wait_for_new("fitted_cameras", lambda message: message.calibration_version == 2)[0]
        result = lab.wait_for_new("body_state", lambda message: message.calibration_version == 2)[0]
        yield session, early, refined, answers, new, result


def ask(lab, client):
    future = client.call_async(Trigger.Request())
    lab.wait_for(future.done, "an answer")
    return future.result()


def test_nothing_is_taken_while_no_camera_has_moved(told):
    assert not told[1].success and "nothing is proposed" in told[1].message


def test_slow_refinement_tells_every_camera_and_leaves_sound_ones_where_they_are(told):
    refined = told[2]
    assert all(np.array(refined.covariance).reshape(CAMERAS, 36).any(1))
    # one batch of five seconds, 26 points at 3 px: 0.02 deg and 3 mm
    assert max(refined.correction_deg) < 0.1 and max(refined.correction_m) < 0.015
    assert refined.calibration_version == 1


def test_a_bump_is_taken_into_use_and_every_result_says_so(told):
    session, _, _, answers, new, _ = told
    assert f"cam{BUMPED}" in answers[-1].message
    before = np.array([camera.position_m for camera in session.rig_nominal.cameras.values()])
    moved_m = np.linalg.norm(np.array(new.poses).reshape(CAMERAS, 7)[:, :3] - before, axis=1)
    others = [index for index in range(CAMERAS) if index != BUMPED]
    # 26 points at 3 px of 1100 px tell a camera to a few millimetres in a second
    assert moved_m[others].max() < 0.01
    assert new.status[BUMPED] != FittedCameras.MOVED


def test_results_carry_the_new_version(told):
    assert told[-1].calibration_version == 2
