"""A lab's own messages in our bags: their definitions are read from the .msg files that every ROS package installs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .bag_types import typestore


def learn_type(kind: str) -> bool:
    """Make 'lab_msgs/msg/Emg', and all it is made of, known to bags; False where a definition is not installed."""
    found: dict[str, Any] = {}
    if not _collect(kind, found):
        return False
    if found:
        typestore().register(found)
    return True


def _collect(kind: str, found: dict[str, Any]) -> bool:
    """Add the definitions of a type, and of those in its fields, that are not known yet."""
    from rosbags.typesys import TypesysError, get_types_from_msg

    if kind in typestore().types or kind in found:
        return True
    text = _definition_text(kind)
    if text is None:
        return False
    try:
        parsed = get_types_from_msg(text, kind)
    except TypesysError:
        return False
    found |= parsed
    return all(_collect(name, found) for _, fields in parsed.values() for _, field in fields for name in _names(field))


def _definition_text(kind: str) -> str | None:
    package, _, name = kind.partition("/msg/")
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        file = Path(prefix) / "share" / package / "msg" / f"{name}.msg"
        if name and file.is_file():
            return file.read_text(errors="replace")
    return None


def _names(field: Any) -> Iterator[str]:
    """Messages in a field, which rosbags describes as (NAME, name), or an array as (ARRAY, (element, size))."""
    node, inner = field
    if node.name == "NAME":
        yield inner
    elif node.name in ("ARRAY", "SEQUENCE"):
        yield from _names(inner[0])
