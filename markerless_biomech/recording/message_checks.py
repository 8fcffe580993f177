"""Checks that messages of results pass once, when they are read: whoever wrote them may have been of another mind.

What is wrong raises InputError with the type of the message, the field, what was found and what was expected.
"""

from __future__ import annotations

from typing import Any

from ..errors import InputError


def check_code(message: Any, field: str, count: int) -> int:
    """A field that is one of so many codes."""
    code = int(getattr(message, field))
    if not 0 <= code < count:
        raise InputError(f"{_name(message)}: {field} is {code}; expected 0 to {count - 1}")
    return code


def check_lengths(message: Any, count: int, **numbers_of_each: int) -> None:
    """Fields with so many numbers for each of `count` things."""
    for field, numbers in numbers_of_each.items():
        found = len(getattr(message, field))
        if found != count * numbers:
            raise InputError(f"{_name(message)}: {field} has the length {found}; expected {count * numbers}")


def _name(message: Any) -> str:
    """BodyState of rosbags' markerless_biomech__msg__BodyState, and of rclpy's BodyState."""
    return type(message).__name__.split("__")[-1]
