"""A lab's own cameras: the estimator alone, with the lab's parameter file.

    ros2 launch markerless_biomech capture.launch.py params_file:=my_rig.yaml namespace:=lab

Start from config/motion_estimator.yaml: `cameras` is the one parameter without a default.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument("params_file", description="Parameters of motion_estimator, with its cameras."),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of all topics but TF's."),
            Node(
                package="markerless_biomech",
                executable="motion_estimator",
                name="motion_estimator",
                namespace=LaunchConfiguration("namespace"),
                parameters=[LaunchConfiguration("params_file")],
                output="screen",
                emulate_tty=True,
            ),
        ]
    )
