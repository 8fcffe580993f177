"""Record a capture into a new bag: what a refit years later needs, and what was found live.

    ros2 launch markerless_biomech record.launch.py subject:=P07 trial:=walk_03

writes P07/walk_03_<date>, never over an old one; Ctrl-C completes it. docs/recording.md says what is in it.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = {
    "subject": ("", str, "Who is recorded, such as P07: the folder of the bag."),
    "trial": ("", str, "What is recorded, such as walk_03: the beginning of the bag's name."),
    "folder": (".", str, "Where the subjects' folders are."),
    "bag": ("", str, "The bag's own path, in place of folder, subject and trial."),
    "everything": ("false", bool, "Record every topic there is, images too; without, those of the capture."),
    "keypoint_set": ("", str, "File of a lab's own keypoint set, needed where no estimator is running."),
    "subject_file": ("", str, "subject.yaml to put into the bag where no estimator is running."),
    "rig_file": ("", str, "rig.yaml to put into the bag where neither CameraInfo nor an estimator says it."),
    "use_sim_time": ("false", bool, "Time is that of /clock."),
}


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=sentence)
        for name, (default, _, sentence) in ARGUMENTS.items()
    ]
    # A trial called 03 stays a text.
    parameters = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name, (_, kind, _) in ARGUMENTS.items()
    }
    recorder = Node(
        package="markerless_biomech",
        executable="recorder",
        name="recorder",
        parameters=[parameters],
        output="screen",
        emulate_tty=True,
    )
    return LaunchDescription([*arguments, recorder])
