"""rosbag2 directories (metadata.yaml + .mcap), written and read without a ROS install.

Our message definitions come from the msg/ files that are installed beside us, so that a bag holds the same types and
hashes as a live topic. A bag is written under a temporary name and takes its own when it is complete.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import struct
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from ..errors import InputError
from ..files import refuse_existing
from .bag_types import PACKAGE, message_directory, message_type, types, typestore
from .message_types import string_to_message
from .salvage import salvage, storage_files
from .topic_roles import offered_qos

__all__ = ["PACKAGE", "message_directory", "message_type", "offered_qos", "types", "typestore"]
__all__ += ["BagReader", "BagWriter", "check_writable", "decode_errors", "decoded", "open_bag", "read_bag"]


def check_writable(path: Path, force: bool) -> None:
    """Raise InputError unless a bag may be written at `path`; --force replaces a bag, never another folder."""
    if not path.exists():
        return
    refuse_existing(path, force)
    if not path.is_dir() or (any(path.iterdir()) and not (path / "metadata.yaml").is_file()):
        raise InputError(f"{path} exists and is not a bag, so --force does not replace it; choose another name")


class BagWriter:
    """Writes one bag; a context manager. After an exception, or `abort`, nothing is left behind.

    live: a recording, which cannot be repeated. It has its name from the beginning, so that what was written
    until the last `flush` can be read whatever becomes of the process; nothing is ever replaced or removed.
    """

    def __init__(self, path: str | Path, force: bool = False, live: bool = False) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        self.path = Path(path)
        self._live = live
        check_writable(self.path, force and not live)
        self.types = types()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if live:
                self._folder = self.path.parent
                with contextlib.suppress(FileNotFoundError):
                    self.path.rmdir()  # an empty one
            else:
                self._folder = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
            self._writer = Writer(self._folder / self.path.name, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror})") from error
        self._connections: dict[tuple[str, str], Any] = {}

    def write(self, topic: str, message: Any, time_ns: int) -> None:
        """Append a message of `self.types` as received at `time_ns`."""
        kind = message.__msgtype__
        self.write_raw(topic, kind, typestore().serialize_cdr(message, kind), time_ns)

    def write_text(self, topic: str, text: str, time_ns: int) -> None:
        """Append a std_msgs/String, such as a definition."""
        self.write(topic, string_to_message(self.types, text), time_ns)

    def add_file(self, name: str, text: str) -> None:
        """Put a text file into the bag's folder; readers of bags pass over it."""
        (self._folder / self.path.name / name).write_text(text)

    def write_raw(self, topic: str, kind: str, data: Any, time_ns: int, like: Any = None) -> None:
        """Append CDR bytes; `like` is the connection of another bag whose definition and QoS are kept."""
        topic = topic if topic.startswith("/") else f"/{topic}"
        connection = self._connections.get((topic, kind))
        if connection is None:
            connection = self._connect(topic, kind, like)
        self._writer.write(connection, int(time_ns), data)

    def _connect(self, topic: str, kind: str, like: Any) -> Any:
        qos = list(like.ext.offered_qos_profiles) if like is not None else offered_qos(topic)
        if like is not None and kind not in typestore().types:
            definition = {"msgdef": like.msgdef.data, "rihs01": like.digest or "RIHS01_" + "0" * 64}
        else:
            definition = {"typestore": typestore()}
        self._connections[topic, kind] = self._writer.add_connection(
            topic, kind, offered_qos_profiles=qos, **definition
        )
        return self._connections[topic, kind]

    def flush(self) -> None:
        """Hand everything that was written to the operating system."""
        storage: Any = self._writer.storage
        if storage is not None and storage.chunk.msgs:
            storage.close_chunk()
            storage.bio.flush()

    def close(self) -> Path:
        """Complete the bag and give it its name."""
        if not self._connections:
            self.abort()
            raise InputError(f"{self.path}: nothing to write; a bag without messages is of no use")
        self._writer.close()
        if self._live:
            return self.path
        replaced = self._folder / "replaced"
        if self.path.exists():
            self.path.rename(replaced)
        (self._folder / self.path.name).rename(self.path)
        shutil.rmtree(self._folder, ignore_errors=True)
        return self.path

    def abort(self) -> None:
        """Give up: remove what was written. A recording with messages stays, as far as it was written."""
        with contextlib.suppress(Exception):  # the disk may be full; rosbags 0.11.0 cannot abort
            self.flush()
            getattr(self._writer, "abort", self._writer.close)()
        if not self._live or not self._connections:
            shutil.rmtree(self.path if self._live else self._folder, ignore_errors=True)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class BagReader:
    """Reads one bag; make it with `open_bag`. Messages come in the order in which they were received."""

    def __init__(self, path: Path, reader: Any, remark: str = "") -> None:
        self.path = path
        self.remark = remark
        """What is wrong with the bag; empty: nothing."""
        self._reader = reader

    @property
    def topics(self) -> dict[str, str]:
        """Message type by topic."""
        return {connection.topic: connection.msgtype for connection in self._reader.connections}

    def count(self, topic: str) -> int:
        """How many messages `topic` has."""
        return sum(connection.msgcount for connection in self._reader.connections if connection.topic == topic)

    def messages(self, wanted: Collection[str] | Callable[[str], bool]) -> Iterator[tuple[str, Any, int]]:
        """(topic, message, receive time in ns) of the wanted topics."""
        for connection, time_ns, data in self.raw_messages(wanted):
            yield connection.topic, decoded(self._reader.deserialize, data, connection.msgtype), time_ns

    def readable(self, wanted: Collection[str] | Callable[[str], bool], refused: dict[str, int]) -> Iterator[Any]:
        """As `messages`, less those whose bytes are none of their type: `refused` counts them, by a sentence."""
        for connection, time_ns, data in self.raw_messages(wanted):
            try:
                message = decoded(self._reader.deserialize, data, connection.msgtype)
            except decode_errors():
                reason = f"{connection.topic}: bytes that are no {connection.msgtype}; see what publishes them"
                refused[reason] = refused.get(reason, 0) + 1
            else:
                yield connection.topic, message, time_ns

    def raw_messages(
        self, wanted: Collection[str] | Callable[[str], bool] = lambda _: True
    ) -> Iterator[tuple[Any, int, bytes]]:
        """(connection, receive time in ns, CDR bytes), not decoded."""
        choose = wanted if callable(wanted) else wanted.__contains__
        connections = [connection for connection in self._reader.connections if choose(connection.topic)]
        if connections:
            yield from self._reader.messages(connections=connections)

    def check_definitions(self) -> None:
        """Raise InputError when the bag's messages of ours are not of this version."""
        for connection in self._reader.connections:
            ours = connection.msgtype.startswith(f"{PACKAGE}/")
            known = connection.msgtype in typestore().types
            if (
                ours
                and connection.digest
                and (not known or typestore().hash_rihs01(connection.msgtype) != connection.digest)
            ):
                raise InputError(
                    f"{self.path}: {connection.topic} was recorded with another version of {connection.msgtype}; "
                    f"read it with the version of {PACKAGE} that recorded it"
                )


def decode_errors() -> tuple[type[Exception], ...]:
    """What bytes that are no message of their type make rosbags raise."""
    from rosbags.highlevel import AnyReaderError
    from rosbags.serde import SerdeError

    return AnyReaderError, SerdeError, MemoryError


def decoded(deserialize: Callable[[bytes, str], Any], data: bytes, kind: str) -> Any:
    """A message of its CDR bytes.

    Fast CDR leaves 4 to 7 bytes of padding behind a message that ends in an empty sequence of doubles, such as a
    JointState without efforts; rosbags takes at most 3 for granted.
    """
    try:
        return deserialize(data, kind)
    except decode_errors() as error:
        if "size mismatch" not in str(error):
            raise
        return deserialize(data[:-4], kind)


@contextmanager
def open_bag(path: str | Path) -> Iterator[BagReader]:
    """Open a bag for reading; whatever is wrong with its files becomes InputError.

    One that was not ended, or lost its end, is read up to there, and a warning says so.
    """
    path = Path(path)
    _check_bag(path)
    with ExitStack() as stack:
        reader, remark = _reader(path, stack)
        if remark:
            _warn(remark)
        bag = BagReader(path, reader, remark)
        bag.check_definitions()
        try:
            yield bag
        except InputError:
            raise
        except _read_errors() as error:
            raise InputError(
                f"{path}: damaged or incomplete bag ({_words(error)}); record or import it again"
            ) from error


def _reader(path: Path, stack: ExitStack) -> tuple[Any, str]:
    """(rosbags' reader of the bag, or of what can be saved of it, what to tell the user), closed with the stack."""
    from .tolerant_reader import tolerant_reader

    reason = "its recording was not ended: metadata.yaml is missing"
    if (path / "metadata.yaml").is_file():
        try:
            reader = tolerant_reader(path)
            reader.open()
            stack.callback(reader.close)
            _check_order(reader)
            return reader, ""
        except (*_read_errors(), TypeError, ValueError, KeyError, IndexError) as error:
            reason = _words(error)
    scratch = Path(stack.enter_context(TemporaryDirectory(prefix="bag_")))
    folder, remark = salvage(path, scratch, reason)
    return stack.enter_context(tolerant_reader(folder)), remark


def _check_order(reader: Any) -> None:
    """rosbags finds out only on the way that a file without an index is not in order: look before."""
    storages = [storage for one in reader.readers for storage in getattr(getattr(one, "storage", None), "storages", [])]
    if any(getattr(storage, "chunks", None) == [] for storage in storages):
        for _ in reader.messages(connections=reader.connections):
            pass


@cache
def _warn(remark: str) -> None:
    """Once for each bag."""
    logging.getLogger(PACKAGE).warning(remark)


def _read_errors() -> tuple[type[Exception], ...]:
    """What a damaged file makes rosbags raise."""
    from rosbags.rosbag2 import ReaderError

    return *decode_errors(), ReaderError, EOFError, struct.error, AssertionError, OSError, OverflowError


def _words(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_bag(path: Path) -> None:
    """Raise InputError, with what to do, unless there are files of a bag."""
    if not path.exists():
        raise InputError(f"{path}: no such bag; expected a folder with metadata.yaml and a .mcap file")
    if path.suffix in (".mcap", ".db3") and path.is_file():
        raise InputError(f"{path}: not a bag but a bag's file; give its folder, {path.parent}")
    if not path.is_dir() or not storage_files(path):
        raise InputError(f"{path}: not a bag; expected a folder with metadata.yaml and a .mcap file")


def read_bag(path: str | Path, wanted: Collection[str] | None = None) -> Iterator[tuple[str, Any, int]]:
    """(topic, message, receive time in ns) of the wanted topics, or of all whose types are known, in order."""
    with open_bag(path) as bag:
        yield from bag.messages(wanted if wanted is not None else bag.topics)
