"""rosbags' reader, for what rosbag2 itself writes and rosbags takes amiss.

- metadata.yaml may state another quality of service for a topic than the file does (after `ros2 bag convert` and
  `ros2 bag reindex`, and in old bags): rosbags then gives none of the topic's messages, without a word.
- A definition that rosbags cannot parse (of service events) or that does not have the hash that it should: rosbags then
  refuses the whole bag. The topic stays, its type is not known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, TypesysError, get_types_from_idl, get_types_from_msg, get_typestore

from .bag_types import PACKAGE, typestore

UNKNOWN = MessageDefinition(MessageDefinitionFormat.NONE, "")


def tolerant_reader(path: Path) -> AnyReader:
    """Of the bag in the folder `path`; not opened yet."""
    reader = AnyReader([path], default_typestore=typestore())
    reader.readers = [_Reader(path)]
    return reader


class _Reader(Reader):
    """Mends its list of topics once it is open."""

    def open(self) -> None:
        super().open()
        topics: list[Connection] = self.storage.connections
        topics[:] = [_with_known_type(topic) for topic in topics]
        for file in getattr(self.storage, "storages", []):
            file.connections[:] = [_as_stated(own, topics) for own in file.connections]


def _as_stated(own: Connection, topics: list[Connection]) -> Connection:
    """A file's topic as metadata.yaml states it; a name may be there with several types."""
    same = (topic for topic in topics if (topic.topic, topic.msgtype) == (own.topic, own.msgtype))
    stated = next(same, None)
    return own if stated is None else own._replace(ext=stated.ext)


def _with_known_type(topic: Connection) -> Connection:
    """Without its definition where rosbags would stumble over it; ours are looked at by whoever reads them."""
    if topic.msgdef.format == MessageDefinitionFormat.NONE or _is_installed(topic):
        return topic
    try:
        found = _types_of(topic)
        store = get_typestore(Stores.EMPTY)
        store.register(found)
        sound = not topic.digest or store.hash_rihs01(topic.msgtype) == topic.digest
    except (TypesysError, KeyError, AssertionError, ValueError):
        sound = False
    return topic if sound else topic._replace(msgdef=UNKNOWN, digest="")


def _is_installed(topic: Connection) -> bool:
    """Ours, which whoever reads them looks at, or with the hash of the type that we know: nothing to try."""
    known = topic.msgtype in typestore().types
    return topic.msgtype.startswith(f"{PACKAGE}/") or (known and typestore().hash_rihs01(topic.msgtype) == topic.digest)


def _types_of(topic: Connection) -> Any:
    """rosbags' description of a definition."""
    if topic.msgdef.format == MessageDefinitionFormat.MSG:
        return get_types_from_msg(topic.msgdef.data, topic.msgtype)
    found = {}
    for part in topic.msgdef.data.split("=" * 80 + "\n"):
        found.update(get_types_from_idl(part.split("\n", 1)[1] if part.startswith("IDL: ") else part) if part else {})
    return found
