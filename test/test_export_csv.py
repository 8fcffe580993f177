"""joints.csv: OpenSim's order and signs, in words and against SciPy."""

import csv
import io

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.recording.export_csv import events_csv, joints_csv
from markerless_biomech.recording.opensim_axes import OPENSIM_FROM_ROS, pelvis_angles_deg
from markerless_biomech.recording.step_messages import StepRecord
from markerless_biomech.results import BodyEstimate, Tracking


def a_body(stamp_ns: int, tracking: Tracking = Tracking.TRACKED) -> BodyEstimate:
    qpos = np.r_[1.0, 2.0, 3.0, 1.0, 0, 0, 0, np.radians(np.arange(34))]
    return BodyEstimate(
        stamp_ns,
        True,
        tracking,
        qpos,
        np.zeros(40),
        np.zeros((40, 40)),
        np.zeros((0, 3)),
        np.zeros(0),
        np.zeros(0, bool),
    )


def turned(axis: tuple[float, float, float], angle_deg: float) -> np.ndarray:
    """Quaternion w x y z of a turn about an axis of ours: x forward, y left, z up."""
    return Rotation.from_rotvec(np.radians(angle_deg) * np.array(axis)).as_quat()[[3, 0, 1, 2]]


@pytest.mark.parametrize(
    ("axis", "angle_deg", "expected"),
    [
        # A forward lean turns z (up) to x (forward): about +y (left). OpenSim: negative tilt.
        ((0, 1, 0), 20, (-20, 0, 0)),
        # Right side down: z (up) goes to -y (right): about +x. OpenSim: positive list.
        ((1, 0, 0), 20, (0, 20, 0)),
        # A turn to the left: about +z. OpenSim: positive rotation.
        ((0, 0, 1), 20, (0, 0, 20)),
    ],
)
def test_each_pelvis_angle_has_the_sign_of_opensim(axis, angle_deg, expected):
    # 1e-9 deg: float64
    assert np.allclose(pelvis_angles_deg(turned(axis, angle_deg)), expected, atol=1e-9)


def test_pelvis_angles_are_a_body_fixed_rotation_z_x_y():
    angles = np.random.default_rng(0).uniform(-80, 80, (50, 3))
    in_opensim = Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()
    in_ros = Rotation.from_matrix(OPENSIM_FROM_ROS.T @ in_opensim @ OPENSIM_FROM_ROS)
    assert np.allclose(pelvis_angles_deg(in_ros.as_quat()[..., [3, 0, 1, 2]]), angles, atol=1e-9)


def test_the_table_is_in_degrees_and_leaves_out_lost_states():
    text = joints_csv([a_body(1_700_000_000_016_666_667), a_body(2, Tracking.LOST), a_body(3)])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["time_s"] for row in rows] == ["1700000000.016666667", "0.000000003"], "to the nanosecond"
    assert list(rows[0]) == ["time_s", *JOINT_NAMES, "pelvis_tx", "pelvis_ty", "pelvis_tz", "pelvis_tilt"] + [
        "pelvis_list",
        "pelvis_rotation",
    ]
    assert float(rows[0][JOINT_NAMES[5]]) == pytest.approx(5, abs=1e-6)
    assert [float(rows[0][f"pelvis_t{axis}"]) for axis in "xyz"] == [1, 2, 3]


def test_the_events_table_leaves_undefined_lengths_empty():
    def step(number: int, length_m: float) -> StepRecord:
        return StepRecord(1_700_000_000_250_000_000, "left", "heel_strike", np.zeros(3), number, step_length_m=length_m)

    rows = list(csv.reader(io.StringIO(events_csv([step(1, float("nan")), step(2, 0.6151234)]))))
    assert rows[0] == ["time_s", "side", "type", "step_length_m", "step_width_m", "stride_length_m"]
    assert rows[1] == ["1700000000.250000000", "left", "heel_strike", "", "", ""]
    assert rows[2][3] == "0.615123"
