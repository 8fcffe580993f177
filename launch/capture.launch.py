"""A lab's own cameras: the estimator, with RViz, and a page for browsers and a recorder when wanted.

    ros2 launch markerless_biomech capture.launch.py cameras:="[cam0, cam1, cam2]" rig_file:=rig.yaml height_m:=1.72
    ros2 launch markerless_biomech capture.launch.py params_file:=my_rig.yaml record:=true subject:=P07 trial:=walk_03

All settings of the estimator are in params_file (start from config/motion_estimator.yaml); an argument that is given
here counts more. Two rigs on one machine: start it twice, with a namespace and a frame_prefix for each.
"""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterFile
from launch_ros.substitutions import FindPackageShare

PACKAGE = "markerless_biomech"
SHARE = FindPackageShare(PACKAGE)
Parameter = str | float | list[str]
ESTIMATOR = {
    "cameras": "Names of the cameras, such as [cam0, cam1]; each publishes <camera>/keypoints.",
    "keypoint_set": "Shipped keypoint set, or the path of a lab's own file.",
    "subject_file": "subject.yaml of the person in view.",
    "height_m": "Stature of the person, used without a subject file. [m]",
    "rig_file": "rig.yaml with the cameras; without: CameraInfo and /tf_static.",
    "world_frame": "Frame in which everything is estimated: z up, metres. Without: world.",
    "frame_prefix": "Put before every frame of ours, such as left/; two rigs on one machine need two.",
}
"""Settings of motion_estimator that are arguments too; empty: what params_file says."""
RECORDING = {
    "subject": ("", "With record: who is recorded, such as P07: the folder of the bag."),
    "trial": ("", "With record: what is recorded, such as walk_03: the beginning of the bag's name."),
    "folder": (".", "With record: where the subjects' folders are."),
    "everything": ("false", "With record: every topic there is, images too."),
}
SAID_BY_THE_ESTIMATOR = ("keypoint_set", "subject_file", "rig_file")
"""Arguments of record.launch.py for captures without an estimator."""
OTHERS = {
    "params_file": (
        PathJoinSubstitution([SHARE, "config", "motion_estimator.yaml"]),
        "Parameters of motion_estimator, for all that is not given here.",
    ),
    "namespace": ("", "Namespace of all topics but TF's: one for each rig."),
    "rviz": ("true", "See it in RViz."),
    "rays": ("false", "With rviz: the line of sight to every keypoint that a camera sees."),
    "view": ("false", "See it in a browser: viewer says where its page is."),
    "view_port": ("8080", "With view: port of the page, 0: any that is free; two rigs on one machine need two."),
    "record": ("false", "Record a bag from the start on."),
}


def generate_launch_description() -> LaunchDescription:
    described = {**{name: ("", sentence) for name, sentence in ESTIMATOR.items()}, **OTHERS, **RECORDING}
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=sentence)
        for name, (default, sentence) in described.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The estimator; RViz, the page and the recorder where they are wanted."""
    names = (*ESTIMATOR, *OTHERS, *RECORDING)
    texts = {name: LaunchConfiguration(name).perform(context) for name in names}
    given = parameters(texts)
    frames = {"world_frame": "world", "frame_prefix": "", **settings_of(texts["params_file"]), **given}
    seen = {name: str(frames[name]) for name in ("world_frame", "frame_prefix")}
    seen |= {name: texts[name] for name in ("namespace", "rays")}
    recorded = {**{name: texts[name] for name in RECORDING}, **dict.fromkeys(SAID_BY_THE_ESTIMATOR, "")}
    return [
        estimator(texts, given),
        GroupAction([included("rviz", seen)], condition=IfCondition(texts["rviz"])),
        viewer(texts),
        GroupAction(
            [PushRosNamespace(texts["namespace"]), included("record", recorded)],
            condition=IfCondition(texts["record"]),
        ),
    ]


def estimator(texts: dict[str, str], given: dict[str, Parameter]) -> Node:
    """motion_estimator: its parameter file, and what is given beside it."""
    return Node(
        package=PACKAGE,
        executable="motion_estimator",
        name="motion_estimator",
        namespace=texts["namespace"],
        parameters=[ParameterFile(texts["params_file"]), given],
        output="screen",
        emulate_tty=True,
    )


def viewer(texts: dict[str, str]) -> Node:
    """The page of this rig; a port that is taken ends viewer alone, with a sentence."""
    return Node(
        package=PACKAGE,
        executable="viewer",
        name="viewer",
        namespace=texts["namespace"],
        parameters=[ParameterFile([SHARE, "/config/viewer.yaml"]), {"port": int(texts["view_port"])}],
        output="screen",
        emulate_tty=True,
        condition=IfCondition(texts["view"]),
    )


def parameters(texts: dict[str, str]) -> dict[str, Parameter]:
    """Settings of the estimator that are given as arguments, in their types."""
    given: dict[str, Parameter] = {name: texts[name] for name in ESTIMATOR if texts[name]}
    if "height_m" in given:
        given["height_m"] = float(texts["height_m"])
    if "cameras" in given:
        given["cameras"] = [str(name) for name in yaml.safe_load(texts["cameras"])]
    return given


def settings_of(params_file: str) -> dict[str, Parameter]:
    """What a parameter file says for the estimator, whatever it calls the node."""
    nodes = yaml.safe_load(Path(params_file).read_text()) or {}
    return {name: value for node in nodes.values() for name, value in node.get("ros__parameters", {}).items()}


def included(name: str, arguments: dict[str, str]) -> IncludeLaunchDescription:
    """Another launch file of ours."""
    source = PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, "launch", f"{name}.launch.py"]))
    return IncludeLaunchDescription(source, launch_arguments=arguments.items())
