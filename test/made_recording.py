"""Recordings made without ROS: what a recorder has taken, for those who play, replay or unpack it."""

import numpy as np

from markerless_biomech.body.urdf import urdf_text
from markerless_biomech.recording.bags import BagWriter, types, typestore
from markerless_biomech.recording.definitions import definition_texts
from markerless_biomech.recording.messages import transforms_to_message
from markerless_biomech.recording.session_bag import write_cameras, write_definitions, write_frame
from markerless_biomech.settings import EstimatorSettings
from markerless_biomech.simulation.virtual_rig import START_NS

STRING, TF = "std_msgs/msg/String", "tf2_msgs/msg/TFMessage"
TOPICS = {
    "/lab/cam0/keypoints": "markerless_biomech/msg/Keypoints2D",
    "/lab/cam0/camera_info": "sensor_msgs/msg/CameraInfo",
    "/tf": TF,
    "/tf_static": TF,
    "/lab/joint_states": "sensor_msgs/msg/JointState",
    "/lab/body_state_settled": "markerless_biomech/msg/BodyState",
    "/lab/definitions/subject": STRING,
    "/lab/truth/body_state": "markerless_biomech/msg/BodyState",
    "/trial": STRING,
    "/sync_pulse": "std_msgs/msg/Header",
    "/emg": "lab_msgs/msg/Emg",
    "/cam0/image_raw": "sensor_msgs/msg/Image",
    "/rosout": "rcl_interfaces/msg/Log",
    "/clock": "rosgraph_msgs/msg/Clock",
}


def frames_message(*children):
    count = len(children)
    unit = np.tile([0.0, 0.0, 0.0, 1.0], (count, 1))
    return transforms_to_message(types(), START_NS, ["world"] * count, list(children), np.zeros((count, 3)), unit)


def cdr(message):
    return bytes(typestore().serialize_cdr(message, message.__msgtype__))


def recorded(session, path, namespace="", **settings):
    """A live recording of two cameras: definitions of an estimator, its /tf beside a robot's, inputs."""
    texts = definition_texts(
        session.keypoint_set,
        session.rig_nominal,
        session.subject,
        EstimatorSettings(cameras=tuple(session.rig_nominal.cameras), **settings),
    )
    with BagWriter(path) as writer:
        write_definitions(writer, texts, START_NS, namespace)
        writer.write_text(f"/{namespace}robot_description", urdf_text(session.subject), START_NS)
        writer.write("/tf", frames_message("pelvis", "femur_r", "cam0_optical_fitted", "gripper"), START_NS)
        write_cameras(writer, session.rig_nominal, START_NS)
        for frame in session.frames(START_NS):
            write_frame(writer, frame, session.keypoint_set, session.rig_nominal)
    return path
