"""Play a bag: to an estimator that fits it again (mode:=refit), or as it was (mode:=show).

    ros2 launch markerless_biomech replay.launch.py bag:=P07/walk_03 out:=P07/walk_03_again
    ros2 launch markerless_biomech replay.launch.py bag:=P07/walk_03 mode:=show rate:=0.5 loop:=true

With refit, the estimator is started as the bag says (subject, keypoint set, rig, settings), in replay_mode: no frame is
lost, however slow the machine. All nodes follow /clock. It ends with the bag.
"""

import atexit
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, Shutdown, TimerAction
from launch.events import matches_action
from launch.events.process import ShutdownProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackagePrefix

PACKAGE = "markerless_biomech"
ARGUMENTS = {
    "bag": (None, "Folder of the bag, of ours or of `ros2 bag record`."),
    "mode": ("refit", "refit: inputs and definitions, to an estimator; show: everything as recorded, no estimator."),
    "recorded_results": ("false", "With refit: the recorded results too, under recorded/."),
    "subject_file": ("", "With refit: another subject.yaml than the bag's."),
    "out": ("", "With refit: record what comes of it into this new bag."),
    "rate": ("1.0", "Speed; 1 is as recorded."),
    "loop": ("false", "Start over at the end; time is set back then."),
    "start_delay_s": ("0.0", "Wait so long before the first message. [s]"),
}
START_LIMIT_S = 600.0
"""Compiling for the first time on a slow machine."""
LAST_WORDS_S = 1.0
"""An estimator that is stopped says what was still open; the recorder hears it."""


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(
            name,
            default_value=default,
            description=sentence,
            **({"choices": ["refit", "show"]} if name == "mode" else {}),
        )
        for name, (default, sentence) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_nodes)])


def start_nodes(context: LaunchContext) -> list[Node]:
    """The player; with refit the estimator too, and a recorder where `out` is given."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    playing = {
        "bag": as_text(Path(given["bag"]).absolute()),
        "mode": given["mode"],
        "recorded_results": is_true(given["recorded_results"]),
        "rate": float(given["rate"]),
        "loop": is_true(given["loop"]),
        "start_delay_s": float(given["start_delay_s"]),
        "wait_for_subscribers_s": START_LIMIT_S,
    }
    end = Shutdown(reason="the bag has ended")
    if given["mode"] == "show":
        return [node("keypoint_player", parameters=[playing], on_exit=end)]
    fitting = estimator(
        context, given["bag"], given["subject_file"], on_exit=[TimerAction(period=LAST_WORDS_S, actions=[end])]
    )
    player = node(
        "keypoint_player",
        parameters=[playing],
        on_exit=EmitEvent(event=ShutdownProcess(process_matcher=matches_action(fitting))),
    )
    recorders = (
        [node("recorder", parameters=[{"bag": as_text(given["out"]), "use_sim_time": True}])] if given["out"] else []
    )
    return [*recorders, fitting, player]


def estimator(context: LaunchContext, bag: str, subject_file: str, **options) -> Node:
    """Started with what is in the bag."""
    unpacked = unpack(context, bag)
    other = {"use_sim_time": True}
    if subject_file:
        other["subject_file"] = as_text(Path(subject_file).absolute())
    params_file = ParameterFile(unpacked["params_file"])
    return node("motion_estimator", namespace=unpacked["namespace"], parameters=[params_file, other], **options)


def unpack(context: LaunchContext, bag: str) -> dict:
    """The bag's own files, written by the program that can read it: launch may run in another Python."""
    program = Path(FindPackagePrefix(PACKAGE).perform(context)) / "bin" / "markerless-biomech"
    folder = tempfile.mkdtemp(prefix="replay_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    answer = subprocess.run(
        [program, "unpack", bag, "--out", folder, "--force", "--json"], capture_output=True, text=True
    )
    if answer.returncode:
        raise RuntimeError(answer.stderr.strip() or f"{bag} cannot be unpacked")
    return json.loads(answer.stdout.splitlines()[-1])


def as_text(value: str | Path) -> ParameterValue:
    """A bag called 2026 stays a text."""
    return ParameterValue(str(value), value_type=str)


def is_true(text: str) -> bool:
    return text.lower() in ("true", "1", "yes", "on")


def node(executable: str, **options) -> Node:
    """One of our nodes, under its own name."""
    return Node(package=PACKAGE, executable=executable, name=executable, output="screen", emulate_tty=True, **options)
