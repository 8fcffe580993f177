"""Damage: random changes of files and of messages, as disks, detectors of others and editors make them.

`make faults-full` asks for more examples than a usual run (HYPOTHESIS_PROFILE=full, see conftest.py).
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from markerless_biomech.errors import InputError
from markerless_biomech.recording.bags import typestore

FULL = os.environ.get("HYPOTHESIS_PROFILE") == "full"
FILES = settings(max_examples=500 if FULL else 100, suppress_health_check=list(HealthCheck))
MESSAGES = settings(max_examples=2000 if FULL else 100, suppress_health_check=list(HealthCheck))
BAGS = settings(FILES, max_examples=1 + FILES.max_examples // 4)
"""How many examples of each reader; of bags, which take longer, of each of four kinds of damage.

Folders are shared by examples, each of which writes its file anew.
"""

LONGEST_SENTENCE = 1700

WORDS = st.one_of(
    st.sampled_from(
        [b"", b"\x00", b"-", b"1e999", b"nan", b"[", b"]", b"{", b"}", b": ", b"\n", b'"', b"null", b"true", b"- "]
        + [b"<", b"0", b"9" * 400, b"9" * 5000, b"&a ", b"*a", b"!!python/object:os.system ", b"2001-99-99", b"\xff"]
        + [b"-1", b"x", b"=", b"\n\n---\n", b"!!bool x", b"!!float x", b"\xff" * 8, b"\x00" * 8, b"\x7f", b"1.5"]
        + [b"\xf0\x9f\xa6\xb4", b"[" * 200, b"inf", b".inf", b"1e308", b",", b"''", b"../", b"<<: 3\n"]
    ),
    st.binary(max_size=8),
)
"""What is damaging to one format or another."""

CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40) | st.just(1 << 30), WORDS), min_size=1, max_size=3)
"""(where as a share of the file, bytes removed, bytes put there)"""


def damaged(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """The file after all changes."""
    for share, removed, word in changes:
        place = int(share * len(data))
        data = data[:place] + word + data[place + removed :]
    return data


def is_refused(read: Callable[[], Any], *names: str) -> bool:
    """Whether reading raises InputError, then one sentence that names what was read; anything else is let through."""
    try:
        read()
    except InputError as error:
        sentence = str(error)
        assert any(name in sentence for name in names), (names, sentence)
        assert "\n" not in sentence and len(sentence) < LONGEST_SENTENCE, sentence
        return True
    return False


# --- messages -------------------------------------------------------------------------------------------------------

_TEXTS = ["", "x", "cam0", "world", "/", "a/b", "\u2620\U0001f9b4", "a" * 3000, "coco_17", "nan", " world", "[", "{a"]
_FLOATS = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0, 1e30, -1e30, 1e-30, 3.4e38, 1e9]
_LIMITS = {name: np.iinfo(name) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")}


def messages(original: Any) -> st.SearchStrategy[Any]:
    """The message with one to three fields changed, however deep; a field keeps its type, as on a wire."""
    return CHANGED_FIELDS.map(lambda picks: changed(original, picks))


_NUMBER = st.integers(0, 1 << 30)
CHANGED_FIELDS = st.lists(st.tuples(_NUMBER, _NUMBER, _NUMBER), min_size=1, max_size=3)
"""(which field, which new value, where in an array), each counted round"""


def changed(original: Any, picks: list[tuple[int, int, int]]) -> Any:
    """The message after these changes."""
    message = copy.deepcopy(original)
    for field_pick, value_pick, place in picks:
        fields = list(_fields(message))
        owner, name, kind = fields[field_pick % len(fields)]
        setattr(owner, name, _new_value(getattr(owner, name), kind, value_pick, place))
    return message


def _fields(message: Any) -> Any:
    """(owner, field, type as in the definition) of a message and all messages in it."""
    _, fields = typestore().fielddefs[message.__msgtype__]
    for name, kind in fields:
        value = getattr(message, name)
        yield message, name, kind
        inner = value if isinstance(value, list) else [value]
        for one in inner:
            if dataclasses.is_dataclass(one):
                yield from _fields(one)


def _new_value(value: Any, kind: Any, pick: int, place: int) -> Any:
    """Another value of the same type."""
    if isinstance(value, np.ndarray):
        return _new_array(value, fixed=kind[0].name == "ARRAY", pick=pick, place=place)
    if isinstance(value, list):
        return [[], value * 2, value[1:], value[:1] * 3][pick % 4]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return _TEXTS[pick % len(_TEXTS)]
    if isinstance(value, float):
        return _FLOATS[pick % len(_FLOATS)]
    if isinstance(value, int):
        limits = _LIMITS.get(kind[1][0] if isinstance(kind[1], tuple) else str(kind[1]), _LIMITS["uint8"])
        return [int(limits.min), int(limits.max), 0, 1, 17, 255][pick % 6]
    return value


def _new_array(values: np.ndarray, fixed: bool, pick: int, place: int) -> np.ndarray:
    """Another length, or another number somewhere, or everywhere."""
    if not fixed and pick % 3 == 0:
        return np.resize(values, [0, 1, 7, len(values) + 1, 3 * len(values), max(0, len(values) - 1)][pick // 3 % 6])
    if not len(values):
        return values
    other = values.copy()
    where = slice(None) if pick % 5 == 0 else place % len(values)
    limits = None if values.dtype.kind == "f" else np.iinfo(values.dtype)
    with np.errstate(over="ignore"):
        other[where] = _FLOATS[pick // 7 % len(_FLOATS)] if limits is None else (limits.min, limits.max)[pick % 2]
    return other


def over_the_wire(message: Any) -> Any:
    """The message as a reader gets it: CDR there and back."""
    kind = message.__msgtype__
    return typestore().deserialize_cdr(typestore().serialize_cdr(message, kind), kind)


def same(one: Any, other: Any) -> bool:
    """Equal in every field, however deep; NaN equals NaN."""
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (np.ndarray, float)):
        return np.array_equal(one, other, equal_nan=True)
    return one == other


def write(path: Path, data: bytes) -> Path:
    """The file, which may replace that of the example before."""
    path.write_bytes(data)
    return path
