"""Launch files: what they name exists, every argument is described; where launch is installed they give our nodes."""

import ast
import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

from markerless_biomech.nodes.parameters import NODE_SETTINGS

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
OF_OTHERS = {"rviz2"}
needs_launch = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None, reason="launch and launch_ros come with a ROS install only"
)


def installed_programs() -> set[str]:
    """Executables of our package, by CMakeLists.txt."""
    found = re.search(r"foreach\(node ([^)]*)\)", (ROOT / "CMakeLists.txt").read_text())
    assert found is not None
    return set(found.group(1).split())


def code(file: Path) -> str:
    """The file without its docstrings and comments."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_programs_settings_and_files_that_a_launch_file_names_exist(file):
    text = code(file)
    programs = set(re.findall(r"executable='(\w+)'", text))
    assert programs <= installed_programs() | OF_OTHERS
    configs = set(re.findall(r"'/?(?:config/)?(\w+\.(?:yaml|rviz))'", text))
    assert all((ROOT / "config" / name).is_file() for name in configs), configs
    included = set(re.findall(r"included\('(\w+)'", text)) | set(re.findall(r"'(\w+)\.launch\.py'", text))
    assert all((ROOT / "launch" / f"{name}.launch.py").is_file() for name in included), included


def test_every_program_can_be_imported_and_every_parameter_file_has_its_program():
    for program in installed_programs():
        assert importlib.util.find_spec(f"markerless_biomech.nodes.{program}") is not None, program
    assert set(NODE_SETTINGS) <= installed_programs()


def expanded(entities, context):
    """Nodes that would be started, conditions and includes worked out, nothing executed."""
    from launch_ros.actions import Node

    for entity in entities:
        if isinstance(entity, Node):
            if entity.condition is None or entity.condition.evaluate(context):
                yield entity
        else:
            yield from expanded(entity.visit(context) or [], context)


def started(file: str, **arguments):
    """(executable, its own parameters by name) of each node that a launch file would start."""
    from launch import LaunchContext
    from launch.launch_description_sources import get_launch_description_from_python_launch_file
    from launch_ros.utilities import evaluate_parameters

    description = get_launch_description_from_python_launch_file(str(ROOT / "launch" / f"{file}.launch.py"))
    context = LaunchContext(argv=[])
    context.launch_configurations.update(arguments)
    for node in expanded([description], context):
        given = {}
        for parameters in evaluate_parameters(context, node._Node__parameters):
            given |= parameters if isinstance(parameters, dict) else {}
        yield node.node_executable, given


@needs_launch
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_argument_is_described(file):
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    arguments = get_launch_description_from_python_launch_file(str(file)).get_launch_arguments()
    assert arguments and all(len(argument.description) > 10 for argument in arguments)


@needs_launch
def test_the_demo_is_a_capture_with_a_walker():
    nodes = dict(started("demo", cameras="3", frame_prefix="left/", namespace="left", record="true"))
    assert set(nodes) == {"motion_estimator", "rig_simulator", "rviz_markers", "rviz2", "recorder"}
    assert nodes["motion_estimator"]["cameras"] == ("cam0", "cam1", "cam2")
    assert nodes["motion_estimator"]["frame_prefix"] == nodes["rig_simulator"]["frame_prefix"] == "left/"
    assert nodes["recorder"]["subject"] == "demo" and not nodes["recorder"]["keypoint_set"]


@needs_launch
def test_arguments_count_more_than_the_parameter_file_and_what_is_not_wanted_does_not_start(tmp_path):
    file = tmp_path / "rig.yaml"
    file.write_text("/**:\n  ros__parameters: {cameras: [a, b], height_m: 1.6, world_frame: lab}\n")
    nodes = dict(started("capture", params_file=str(file), height_m="1.72", rviz="false"))
    assert nodes == {"motion_estimator": {"height_m": 1.72}}
    assert set(dict(started("capture", params_file=str(file)))) == {"motion_estimator", "rviz_markers", "rviz2"}


@needs_launch
@pytest.mark.parametrize("file", ["capture", "demo"])
def test_a_page_for_browsers_is_started_where_it_is_wanted_at_the_port_that_is_given(file):
    shown = dict(started(file, view="true", view_port="8081", rviz="false"))
    assert shown["viewer"]["port"] == 8081 and "rviz2" not in shown
    assert "viewer" not in dict(started(file, rviz="false"))


@needs_launch
def test_a_recorder_takes_names_as_texts():
    nodes = dict(started("record", subject="7", trial="03", everything="true"))
    recorder = nodes.pop("recorder")
    assert not nodes and (recorder["subject"], recorder["trial"], recorder["everything"]) == ("7", "03", True)


@needs_launch
def test_a_bag_whose_name_is_a_number_stays_a_text(monkeypatch, tmp_path):
    (tmp_path / "estimator.yaml").write_text("/**:\n  ros__parameters: {height_m: 1.6}\n")
    unpacked = {"params_file": str(tmp_path / "estimator.yaml"), "namespace": ""}
    answer = subprocess.CompletedProcess((), 0, json.dumps(unpacked), "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    nodes = dict(started("replay", bag="2025", out="2026", subject_file="7"))
    assert nodes["recorder"]["bag"] == "2026" and nodes["keypoint_player"]["bag"].endswith("/2025")
    assert nodes["motion_estimator"]["subject_file"].endswith("/7")


@needs_launch
def test_without_rviz_no_layout_is_made():
    """A prefix that RViz could not use matters to nobody then."""
    assert set(dict(started("rviz", rviz="false", frame_prefix="left_"))) == {"rviz_markers"}


@needs_launch
def test_a_bag_that_is_shown_starts_no_estimator():
    nodes = dict(started("replay", bag="walk", mode="show", rate="0.5"))
    player = nodes.pop("keypoint_player")
    assert not nodes and (player["mode"], player["rate"]) == ("show", 0.5) and player["bag"].endswith("/walk")
