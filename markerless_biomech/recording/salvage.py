"""Bags that were not ended, or lost their end: everything before the damage, put into a sound bag of its own.

A recorder that is killed leaves no metadata.yaml, an MCAP file without its index or an SQLite file with a journal; a
copy that stopped leaves the first part of a file. Formats: https://mcap.dev/spec, rosbag2's tables `topics`,
`messages` and `message_definitions`.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import InputError
from .bag_types import typestore
from .topic_roles import offered_qos

MCAP_MAGIC = b"\x89MCAP0\r\n"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""A message that begins so is compressed: CDR begins with 0."""
LARGEST_RECORD = 1 << 31
SCHEMA, CHANNEL, MESSAGE, CHUNK = 3, 4, 5, 6
"""Kinds of MCAP records."""
BLOCK = 1 << 20
UNKNOWN_HASH = "RIHS01_" + "0" * 64


@dataclass(frozen=True)
class Source:
    """What a message is."""

    topic: str
    kind: str
    definition: str
    """Text of the message definition; empty: not stored."""


Message = tuple[Source, int, bytes]
"""Whose, received when (ns), CDR bytes."""


def salvage(path: Path, into: Path, reason: str) -> tuple[Path, str]:
    """Write what can be read of the bag `path` as a bag into the folder `into`; (its folder, what to tell the user).

    Raises InputError where nothing can be read. `reason` says what is wrong with the bag.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    count, first_ns, last_ns = 0, 1 << 63, 0
    connections: dict[tuple[str, str], Any] = {}
    with Writer(into / "salvaged", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for source, time_ns, data in _messages(path, into):
            key = (source.topic, source.kind)
            if key not in connections:
                definition, digest = _definition(source)
                qos = offered_qos(source.topic)
                connections[key] = writer.add_connection(
                    *key, msgdef=definition, rihs01=digest, offered_qos_profiles=qos
                )
            writer.write(connections[key], time_ns, data)
            count, first_ns, last_ns = count + 1, min(first_ns, time_ns), max(last_ns, time_ns)
    if not count:
        raise InputError(f"{path}: damaged or incomplete bag ({reason}), and no message in it can be read")
    length_s = (last_ns - first_ns) * 1e-9
    return into / "salvaged", f"{path}: incomplete bag ({reason}); read up to there: {count} messages, {length_s:.1f} s"


def storage_files(path: Path) -> list[Path]:
    """A bag's files, in the order in which they were written."""
    found = [file for file in path.iterdir() if re.search(r"\.(mcap|db3)(\.zstd)?$", file.name)]
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part for part in _parts(file.name)])


def _parts(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def _messages(path: Path, scratch: Path) -> Iterator[Message]:
    """Of all files, each up to its damage."""
    for file in storage_files(path):
        file = _unpacked(file, scratch) if file.suffix == ".zstd" else file
        read = _of_sqlite(file, scratch) if file.suffix == ".db3" else _of_mcap(file)
        for source, time_ns, data in read:
            if data.startswith(ZSTD_MAGIC):
                data = _decompressed(data, "zstd")
            if source.topic and data:
                yield source, time_ns, data


def _definition(source: Source) -> tuple[str, str]:
    """(text, hash that follows from it) of the type, or as installed where the text is not there."""
    from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

    store = get_typestore(Stores.EMPTY)
    with suppress(TypesysError, KeyError):
        store.register(get_types_from_msg(source.definition, source.kind))
        return source.definition, store.hash_rihs01(source.kind)
    if source.kind in typestore().types:
        return typestore().generate_msgdef(source.kind, ros_version=2)[0], typestore().hash_rihs01(source.kind)
    return source.definition, UNKNOWN_HASH


# --- MCAP -----------------------------------------------------------------------------------------------------------


def _of_mcap(file: Path) -> Iterator[Message]:
    """Messages of an MCAP file, with or without chunks, up to its damage."""
    schemas: dict[int, tuple[str, str]] = {}
    sources: dict[int, Source] = {}
    with file.open("rb") as stream:
        if stream.read(len(MCAP_MAGIC)) != MCAP_MAGIC:
            return
        # the index repeats channels, never messages
        yield from _of_records(stream, schemas, sources)


def _of_records(stream: BinaryIO, schemas: dict[int, tuple[str, str]], sources: dict[int, Source]) -> Iterator[Message]:
    """Messages of records; `schemas` (name, text) and `sources` by id are filled on the way. A record that ends before
    its content is passed over."""
    for kind, body in _records(stream):
        if kind == MESSAGE and len(body) >= 22:
            channel, _, time_ns, _ = struct.unpack_from("<HIQQ", body)
            if channel in sources:
                yield sources[channel], time_ns, body[22:]
        elif kind == CHUNK:
            with suppress(struct.error):
                yield from _of_records(BytesIO(_chunk(body)), schemas, sources)
        elif kind in (SCHEMA, CHANNEL):
            with suppress(struct.error):
                _declare(kind, body, schemas, sources)


def _declare(kind: int, body: bytes, schemas: dict[int, tuple[str, str]], sources: dict[int, Source]) -> None:
    """Take in a schema or a channel."""
    if kind == SCHEMA:
        name, _, text = _strings(body[2:], 3)
        schemas[struct.unpack_from("<H", body)[0]] = (name, text)
    else:
        channel, schema = struct.unpack_from("<HH", body)
        sources[channel] = Source(_strings(body[4:], 1)[0], *schemas.get(schema, ("", "")))


def _records(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of whole records; of a chunk that is cut off, what there is."""
    while len(head := stream.read(9)) == 9:
        kind, size = struct.unpack("<BQ", head)
        if not kind or size > LARGEST_RECORD:
            return
        body = stream.read(size)
        if len(body) == size or (kind == CHUNK and len(body) > 40):
            yield kind, body


def _strings(data: bytes, count: int) -> list[str]:
    """The first strings of a record, each after its length."""
    texts = []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data)
        texts.append(data[4 : 4 + length].decode("utf-8", "replace"))
        data = data[4 + length :]
    return texts


def _chunk(body: bytes) -> bytes:
    """A chunk's records, as many as can be decompressed."""
    compression = _strings(body[28:], 1)[0]
    return _decompressed(body[28 + 4 + len(compression) + 8 :], compression)


def _decompressed(data: bytes, compression: str) -> bytes:
    """What can be decompressed, to the end or the damage."""
    if not compression:
        return data
    parts = []
    with suppress(Exception):  # each library has errors of its own
        decompressor = _decompressor(compression)
        for start in range(0, len(data), 4096):
            parts.append(decompressor.decompress(data[start : start + 4096]))
    return b"".join(parts)


def _decompressor(compression: str) -> Any:
    if compression == "lz4":
        from lz4.frame import LZ4FrameDecompressor

        return LZ4FrameDecompressor()
    try:
        from compression import zstd  # pyright: ignore[reportMissingImports]
    except ImportError:
        from backports import zstd
    return zstd.ZstdDecompressor()


def _unpacked(file: Path, scratch: Path) -> Path:
    """A file that was compressed as a whole, up to its damage."""
    out = scratch / file.stem
    decompressor = _decompressor("zstd")
    with file.open("rb") as stream, out.open("wb") as target, suppress(Exception):
        while block := stream.read(BLOCK):
            target.write(decompressor.decompress(block))
    return out


# --- SQLite ---------------------------------------------------------------------------------------------------------


def _of_sqlite(file: Path, scratch: Path) -> Iterator[Message]:
    """Messages of an SQLite file up to its damage, as its journal leaves it; the file itself is not touched."""
    copy = scratch / f"copy_{file.name}"
    shutil.copyfile(file, copy)
    for journal in ("-wal", "-journal"):
        if (beside := file.with_name(file.name + journal)).is_file():
            shutil.copyfile(beside, copy.with_name(copy.name + journal))
    _trim_pages(copy)
    with closing(sqlite3.connect(copy)) as database, suppress(sqlite3.DatabaseError):
        definitions = {}
        with suppress(sqlite3.DatabaseError):  # older bags have no such table
            texts = "SELECT topic_type, encoded_message_definition FROM message_definitions"
            definitions = dict(database.execute(texts).fetchall())
        topics = database.execute("SELECT id, name, type FROM topics").fetchall()
        sources = {row: Source(topic, kind, definitions.get(kind, "")) for row, topic, kind in topics}
        for row, time_ns, data in database.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id"):
            if row in sources:
                yield sources[row], time_ns, bytes(data)


def _trim_pages(file: Path) -> None:
    """Let a truncated file hold as many pages as its header says: SQLite refuses it otherwise."""
    with file.open("r+b") as stream:
        header = stream.read(100)
        if len(header) < 100 or file.with_name(file.name + "-wal").is_file():
            return
        (page,) = struct.unpack_from(">H", header, 16)
        page = 65536 if page == 1 else page
        pages = file.stat().st_size // page if page else 0
        if pages < struct.unpack_from(">I", header, 28)[0]:
            stream.seek(28)
            stream.write(struct.pack(">I", pages))
            stream.truncate(pages * page)
