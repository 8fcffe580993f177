"""The stamp of a message's header, read and changed in its CDR bytes: nothing else is decoded."""

from __future__ import annotations

import struct

from ..errors import InputError

_HEADER_STAMP = struct.Struct("<iI")
_STAMP_OFFSET = 4
"""CDR: four bytes of encapsulation, then the message, which begins with its header, which begins with its stamp."""
_STAMP_END = _STAMP_OFFSET + _HEADER_STAMP.size
SECOND_NS = 1_000_000_000


def stamp_of(data: bytes | bytearray) -> int:
    """Stamp (ns) of a message that starts with a header. Raises InputError for a short or big-endian one."""
    if len(data) < _STAMP_END:
        raise InputError(f"the message has {len(data)} bytes, too few for a header; see what published it")
    if data[1] != 1:
        raise InputError("the message is big-endian; send or record it on a machine like this one")
    seconds, nanoseconds = _HEADER_STAMP.unpack_from(data, _STAMP_OFFSET)
    return seconds * SECOND_NS + nanoseconds


def shifted_stamp(data: bytes, shift_ns: int) -> bytes:
    """The same bytes with the stamp moved."""
    moved = bytearray(data)
    stamp_ns = stamp_of(moved) + shift_ns
    _HEADER_STAMP.pack_into(moved, _STAMP_OFFSET, stamp_ns // SECOND_NS, stamp_ns % SECOND_NS)
    return bytes(moved)
