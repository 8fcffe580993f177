"""The live system on one machine: a virtual walker before a virtual rig, and capture.launch.py as for a lab's own rig.

    ros2 launch markerless_biomech demo.launch.py cameras:=4 fps:=60.0
    ros2 launch markerless_biomech demo.launch.py namespace:=left frame_prefix:=left/ rviz:=false

The nodes bring themselves up; the estimator compiles for half a minute the first time.
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile
from launch_ros.substitutions import FindPackageShare

PACKAGE = "markerless_biomech"
SHARE = FindPackageShare(PACKAGE)
WALKER = {
    "cameras": ("4", int, "Cameras of the virtual rig."),
    "fps": ("60.0", float, "Frames a second."),
    "path": ("loop", str, "Where the walker goes: loop, there-and-back, line, treadmill, stand or sit-to-stand."),
    "keypoint_set": ("bml_movi_87", str, "Shipped keypoint set, or the path of a lab's own file."),
    "height_m": ("1.75", float, "Stature of the walker, which the estimator is told. [m]"),
    "frame_prefix": ("", str, "Put before every frame; two demos on one machine need two, such as left/."),
}
"""Parameters of rig_simulator that are arguments."""
PASSED_ON = {
    "namespace": ("", "Namespace of all topics but TF's; two demos on one machine need two."),
    "rviz": ("true", "See it in RViz."),
    "rays": ("false", "With rviz: the line of sight to every keypoint that a camera sees."),
    "view": ("false", "See it in a browser: viewer says where its page is."),
    "view_port": ("8080", "With view: port of the page, 0: any that is free; two demos on one machine need two."),
    "record": ("false", "Record a bag from the start on."),
    "subject": ("demo", "With record: the folder of the bag."),
    "trial": ("walk", "With record: the beginning of the bag's name."),
}
"""Arguments of capture.launch.py."""


def generate_launch_description() -> LaunchDescription:
    described = {**{name: (default, sentence) for name, (default, _, sentence) in WALKER.items()}, **PASSED_ON}
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=sentence)
        for name, (default, sentence) in described.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The walker, and the capture; the list of cameras follows from their number."""
    texts = {name: LaunchConfiguration(name).perform(context) for name in (*WALKER, *PASSED_ON)}
    walker = {name: kind(texts[name]) for name, (_, kind, _) in WALKER.items()}
    names = ", ".join(f"cam{index}" for index in range(walker["cameras"]))
    capture = {**{name: texts[name] for name in PASSED_ON}, "cameras": f"[{names}]"}
    capture |= {name: texts[name] for name in ("keypoint_set", "height_m", "frame_prefix")}
    source = PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, "launch", "capture.launch.py"]))
    return [
        GroupAction([IncludeLaunchDescription(source, launch_arguments=capture.items())]),
        Node(
            package=PACKAGE,
            executable="rig_simulator",
            name="rig_simulator",
            namespace=texts["namespace"],
            parameters=[ParameterFile([SHARE, "/config/rig_simulator.yaml"]), walker],
            output="screen",
            emulate_tty=True,
        ),
    ]
