"""The check at activation over real DDS: a rig in centimetres is named in /diagnostics, though nobody is tracked."""

from dataclasses import replace

import pytest
from lab import CAMERAS, KEYPOINT_SET, Lab, walking_session

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.nodes.ros_types import TYPES

pytestmark = pytest.mark.ros


def rig_status(message):
    return next((one for one in message.status if one.name.endswith(": rig check")), None)


def test_a_rig_in_centimetres_is_warned_of_while_the_node_goes_on(tmp_path):
    session = walking_session()
    cameras = session.rig_nominal.cameras
    wrong = {name: replace(camera, position_m=100.0 * camera.position_m) for name, camera in cameras.items()}
    with Processes(tmp_path) as processes, Lab(replace(session, rig_nominal=Rig(wrong))) as lab:
        lab.listen("DiagnosticArray", "/diagnostics")
        processes.start("motion_estimator", {"cameras": list(CAMERAS), "keypoint_set": KEYPOINT_SET})
        lab.wait_for_new("/diagnostics", lambda message: rig_status(message) is not None)
        lab.publish_cameras()
        lab.start_walking()
        said = lab.wait_for_new("/diagnostics", lambda message: bool(rig_status(message).values))[0]
        assert rig_status(said).level == TYPES.DiagnosticStatus.WARN
        assert "centimetres" in rig_status(said).message
        lab.wait_for_new("/diagnostics", count=2)
