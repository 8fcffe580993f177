"""The live system on one machine: a virtual walker before a virtual rig, and the estimator.

    ros2 launch markerless_biomech demo.launch.py cameras:=4 fps:=60.0

The nodes bring themselves up; watch joint_states, /tf (fixed frame world) and robot_description in RViz.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile
from launch_ros.substitutions import FindPackageShare

PACKAGE = "markerless_biomech"
ARGUMENTS = {
    "cameras": ("4", "Cameras of the virtual rig."),
    "fps": ("60.0", "Frames a second."),
    "keypoint_set": ("bml_movi_87", "Shipped keypoint set, or the path of a lab's own file."),
    "height_m": ("1.75", "Stature of the walker, which the estimator is told."),
    "namespace": ("", "Namespace of all topics but TF's."),
}


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=sentence)
        for name, (default, sentence) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_nodes)])


def start_nodes(context: LaunchContext) -> list[Node]:
    """Both nodes; the estimator's list of cameras follows from their number."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    cameras, height_m = int(given["cameras"]), float(given["height_m"])
    shared = {"keypoint_set": given["keypoint_set"], "height_m": height_m}
    names = [f"cam{index}" for index in range(cameras)]
    return [
        node("motion_estimator", given["namespace"], {**shared, "cameras": names}),
        node("rig_simulator", given["namespace"], {**shared, "cameras": cameras, "fps": float(given["fps"])}),
    ]


def node(name: str, namespace: str, parameters: dict) -> Node:
    """One of our nodes with its parameter file and what differs from it."""
    file = PathJoinSubstitution([FindPackageShare(PACKAGE), "config", f"{name}.yaml"])
    return Node(
        package=PACKAGE,
        executable=name,
        name=name,
        namespace=namespace,
        parameters=[ParameterFile(file), parameters],
        output="screen",
        emulate_tty=True,
    )
