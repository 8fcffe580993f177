"""ROS parameters from settings: each field of a settings dataclass is declared with its default, bounds and sentence.

Parameters are read-only once the node runs, unless their setting says `live`. An empty list has no type in ROS 2, so a
list setting whose default is empty stays unset until it is given. `python -m markerless_biomech.nodes.parameters`
writes config/*.yaml anew.
"""

from __future__ import annotations

import dataclasses
import textwrap
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..errors import InputError
from ..settings import EstimatorSettings, PlayerSettings, from_dict
from .node_settings import HumansSettings, RecorderSettings, RigSimulatorSettings, RvizMarkersSettings, ViewerSettings

Settings = TypeVar("Settings")

NODE_SETTINGS = {
    "motion_estimator": EstimatorSettings,
    "rig_simulator": RigSimulatorSettings,
    "keypoint_player": PlayerSettings,
    "recorder": RecorderSettings,
    "rviz_markers": RvizMarkersSettings,
    "humans": HumansSettings,
    "viewer": ViewerSettings,
}
"""Each has a file in config/."""

_LIST_TYPES = {str: Parameter.Type.STRING_ARRAY, float: Parameter.Type.DOUBLE_ARRAY, int: Parameter.Type.INTEGER_ARRAY}


def declare_settings(node: Node, kind: type[Settings]) -> Settings:
    """Declare every setting of `kind` as a parameter of `node`; return the values given at its start.

    Raises InputError naming the first parameter that has a wrong type or is out of bounds.
    """
    types = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        try:
            node.declare_parameter(field.name, _default(field, types[field.name]), descriptor(field))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise InputError(f"parameter {field.name} of {node.get_name()}: {error}") from error
    return read_settings(node, kind)


def read_settings(node: Node, kind: type[Settings]) -> Settings:
    """The parameters as they stand now. Raises InputError naming the first that is out of bounds."""
    values = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = node.get_parameter_or(field.name, Parameter(field.name)).value
        if value is not None:
            values[field.name] = tuple(value) if isinstance(field.default, tuple) else value
    return from_dict(kind, values, f"parameters of {node.get_name()}")


def accept_changes(node: Node, kind: type[Settings], apply: Callable[[dict[str, Any]], None]) -> None:
    """Check changes made while the node runs; `apply` gets the changed values and may refuse with InputError."""

    def check(parameters: list[Parameter]) -> SetParametersResult:
        names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        changes = {parameter.name: parameter.value for parameter in parameters if parameter.name in names}
        try:
            from_dict(kind, changes, f"parameters of {node.get_name()}")
            apply(changes)
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)


def descriptor(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    """What `ros2 param describe` shows: sentence, unit, bounds, choices."""
    meta = field.metadata
    unit = f" [{meta['unit']}]" if meta["unit"] else ""
    result = ParameterDescriptor(description=meta["sentence"] + unit, read_only=not meta["live"])
    if meta["choices"]:
        result.additional_constraints = f"one of {', '.join(meta['choices'])}"
    if meta["low"] is not None and meta["high"] is not None:
        if isinstance(field.default, float):
            result.floating_point_range = [FloatingPointRange(from_value=meta["low"], to_value=meta["high"])]
        elif isinstance(field.default, int):
            result.integer_range = [IntegerRange(from_value=int(meta["low"]), to_value=int(meta["high"]))]
    return result


def _default(field: dataclasses.Field[Any], kind: Any) -> Any:
    """Default value for rclpy; for an empty list its type alone."""
    if not isinstance(field.default, tuple):
        return field.default
    return list(field.default) or _LIST_TYPES[typing.get_args(kind)[0]]


def parameter_file_text(node_name: str, kind: type) -> str:
    """A parameter file with every default, each under its sentence; an empty list, which has no type, commented."""
    lines = [f"# Parameters of {node_name} with their defaults. Written by `make config`.", f"/**/{node_name}:"]
    lines.append("  ros__parameters:")
    for field in dataclasses.fields(kind):
        lines += textwrap.wrap(_help(field), 110, initial_indent="    # ", subsequent_indent="    # ")
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        text = yaml.safe_dump({field.name: value}, default_flow_style=False, width=1000).strip()
        lines.append(f"    # {text}" if value == [] else f"    {text}")
    return "\n".join(lines) + "\n"


def _help(field: dataclasses.Field[Any]) -> str:
    meta = field.metadata
    bounds = f" {meta['low']:g} to {meta['high']:g}" if meta["low"] is not None and meta["high"] is not None else ""
    unit = f" {meta['unit']}" if meta["unit"] else ""
    choices = f" One of {', '.join(meta['choices'])}." if meta["choices"] else ""
    about = f" [{(bounds + unit).strip()}]" if bounds or unit else ""
    return f"{meta['sentence']}{choices}{about}"


def write_parameter_files(folder: Path) -> None:
    """Write config/*.yaml."""
    for node_name, kind in NODE_SETTINGS.items():
        (folder / f"{node_name}.yaml").write_text(parameter_file_text(node_name, kind))


if __name__ == "__main__":
    write_parameter_files(Path("config"))
