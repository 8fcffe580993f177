"""Settings <-> ROS parameters, and the files in config/."""

import dataclasses
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from markerless_biomech.errors import InputError
from markerless_biomech.nodes.parameters import (
    NODE_SETTINGS,
    accept_changes,
    declare_settings,
    parameter_file_text,
    read_settings,
)
from markerless_biomech.settings import EstimatorSettings, to_dict

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).parents[1] / "config"


@pytest.fixture
def make_node():
    """A function that makes a node with parameters given at its start."""
    context = Context()
    rclpy.init(context=context)
    nodes = []

    def make(**given):
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        nodes.append(Node("motion_estimator", context=context, parameter_overrides=overrides))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("kind", NODE_SETTINGS.values(), ids=NODE_SETTINGS)
def test_defaults_go_through_parameters_unchanged(make_node, kind):
    assert declare_settings(make_node(), kind) == kind()


def test_given_values_arrive_in_the_settings(make_node):
    given = {
        "cameras": ["left", "right"],
        "lag_s": 0.25,
        "tf": "root",
        "capture_volume_m": [-1.0, 1.0, -1.0, 1.0, 0.0, 2.0],
    }
    settings = declare_settings(make_node(**given), EstimatorSettings)
    assert {name: to_dict(settings)[name] for name in given} == given


def test_every_parameter_is_described_as_its_setting(make_node):
    node = make_node()
    declare_settings(node, EstimatorSettings)
    for field in dataclasses.fields(EstimatorSettings):
        descriptor = node.describe_parameter(field.name)
        assert descriptor.description.startswith(field.metadata["sentence"])
        assert descriptor.read_only is not field.metadata["live"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lag_s": 5.0}, "lag_s"),
        ({"lag_s": 1}, "lag_s"),
        ({"tf": "some"}, "one of full, root, off"),
        ({"capture_volume_m": ["a"]}, "capture_volume_m"),
    ],
)
def test_a_wrong_value_is_refused_by_name(make_node, given, words):
    with pytest.raises(InputError, match=words):
        declare_settings(make_node(**given), EstimatorSettings)


def test_only_live_parameters_change_while_running_and_refusals_have_a_reason(make_node):
    node = make_node()
    declare_settings(node, EstimatorSettings)

    def apply(changes):
        if changes.get("subject_file"):
            raise InputError("no such file")

    accept_changes(node, EstimatorSettings, apply)
    wanted = [
        Parameter("height_m", value=1.8),
        Parameter("subject_file", value="nobody.yaml"),
        Parameter("lag_s", value=0.2),
        Parameter("height_m", value=9.0),
    ]
    height, subject, lag, giant = node.set_parameters(wanted)
    assert height.successful and read_settings(node, EstimatorSettings).height_m == 1.8
    assert (subject.successful, subject.reason) == (False, "no such file")
    assert not lag.successful and "lag_s" in lag.reason
    assert not giant.successful and "height_m" in giant.reason


@pytest.mark.parametrize("name", NODE_SETTINGS)
def test_config_files_hold_the_defaults_of_the_settings(name):
    text = (CONFIG / f"{name}.yaml").read_text()
    assert text == parameter_file_text(name, NODE_SETTINGS[name]), "settings have changed: run `make config`"
    given = yaml.safe_load(text)[f"/**/{name}"]["ros__parameters"]
    unset = {field: [] for field, value in to_dict(NODE_SETTINGS[name]()).items() if value == []}
    assert given | unset == to_dict(NODE_SETTINGS[name]())
