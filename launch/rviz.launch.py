"""See a capture: rviz_markers and RViz, for the estimator in the same namespace.

    ros2 launch markerless_biomech rviz.launch.py
    ros2 launch markerless_biomech rviz.launch.py namespace:=left frame_prefix:=left/

Works beside a live capture, and beside a bag that is played. docs/rviz.md says what one sees.
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

from markerless_biomech.nodes.rviz_config import rig_config_file

PACKAGE = "markerless_biomech"
CONFIG = PathJoinSubstitution([FindPackageShare(PACKAGE), "config"])
ARGUMENTS = {
    "rviz": ("true", "Start RViz; false: the markers alone, for an RViz elsewhere."),
    "rviz_config": (
        [CONFIG, "/capture.rviz"],
        "Layout to open; its fixed frame and TF prefix are set to those of the rig.",
    ),
    "rays": ("false", "Draw the line of sight to every keypoint that a camera sees."),
    "namespace": ("", "Namespace of the rig's topics, all but TF's."),
    "frame_prefix": ("", "What the estimator puts before its frames, such as left/."),
    "world_frame": ("world", "Frame in which the estimator works."),
    "use_sim_time": ("false", "Time is that of /clock, as with a bag that is played."),
}


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=sentence)
        for name, (default, sentence) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, markers(), OpaqueFunction(function=start_rviz)])


def markers() -> Node:
    """rviz_markers with its parameter file."""
    settings = {name: ParameterValue(LaunchConfiguration(name), value_type=bool) for name in ("rays", "use_sim_time")}
    return Node(
        package=PACKAGE,
        executable="rviz_markers",
        name="rviz_markers",
        namespace=LaunchConfiguration("namespace"),
        parameters=[ParameterFile([CONFIG, "/rviz_markers.yaml"]), settings],
        output="screen",
        emulate_tty=True,
    )


def start_rviz(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz with the layout for this rig, where it is wanted."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    if not IfCondition(given["rviz"]).evaluate(context):
        return []
    config = rig_config_file(given["rviz_config"], given["world_frame"], given["frame_prefix"])
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            name="rviz",
            namespace=given["namespace"],
            arguments=["-d", str(config)],
            parameters=[{"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}],
        )
    ]
