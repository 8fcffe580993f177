"""Options made from settings: name, default, bounds, unit and sentence are those of `settings.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import InputError
from ..settings import from_dict

Function = TypeVar("Function", bound=Callable[..., Any])
Group = TypeVar("Group")

PATH = click.Path(path_type=Path)

trial_option = click.option("--trial", default="", help="One trial that is marked in BAG, by its name.")
force_option = click.option("--force", is_flag=True, help="Replace what is there.")


def settings_options(kind: type, without: Collection[str] = ()) -> Callable[[Function], Function]:
    """An option for every setting of `kind`; the function is given them all by name."""

    def decorate(function: Function) -> Function:
        for field in reversed(dataclasses.fields(kind)):
            if field.name not in without:
                function = _option(field)(function)
        return function

    return decorate


def _option(field: dataclasses.Field[Any]) -> Callable[[Function], Function]:
    name = "--" + field.name.replace("_", "-")
    unit = f" [{field.metadata['unit']}]" if field.metadata["unit"] else ""
    text = field.metadata["sentence"] + unit
    if isinstance(field.default, bool):
        switch = f"{name}/--no-{field.name.replace('_', '-')}" if field.default else name
        return click.option(switch, field.name, default=field.default, is_flag=True, help=text)
    if isinstance(field.default, tuple):
        text = text.rstrip(".") + ", separated by commas."
        return click.option(name, field.name, default="", help=text, metavar="A,B,...")
    return click.option(name, field.name, default=field.default, type=_type(field), help=text, show_default=True)


def _type(field: dataclasses.Field[Any]) -> click.ParamType:
    meta = field.metadata
    if meta["choices"]:
        return click.Choice(meta["choices"])
    if isinstance(field.default, int):
        return click.IntRange(meta["low"], meta["high"])
    if isinstance(field.default, float):
        return click.FloatRange(meta["low"], meta["high"])
    return click.STRING


def settings_from_options(kind: type[Group], options: dict[str, Any]) -> Group:
    """Settings of `kind` from a command's options; others are left alone."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {name: _value(fields[name], value) for name, value in options.items() if name in fields}
    try:
        return from_dict(kind, values, "options")
    except InputError as error:
        raise click.UsageError(str(error)) from error


def _value(field: dataclasses.Field[Any], value: Any) -> Any:
    """A list for the settings that are lists: of names for cameras, of numbers otherwise."""
    if not isinstance(field.default, tuple):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if field.name == "cameras":
        return parts
    try:
        return [float(part) for part in parts]
    except ValueError as error:
        raise click.BadParameter(
            f"'{value}' is not a list of numbers separated by commas", param_hint=field.name
        ) from error
