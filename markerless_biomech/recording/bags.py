"""rosbag2 directories (metadata.yaml + .mcap), written and read without a ROS install.

Our message definitions come from the msg/ files that are installed beside us, so that a bag holds the same types and
hashes as a live topic. A bag is written under a temporary name and takes its own when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import markerless_biomech

from ..errors import InputError
from ..files import refuse_existing
from .message_types import Types, bag_types, string_to_message

PACKAGE = "markerless_biomech"
LATCHED_TOPICS = ("/tf_static", "robot_description", "camera_info")
"""Topics of these endings, and definitions/*, are offered transient local: who joins late still gets them."""

MESSAGE_TYPES = {
    "keypoints": f"{PACKAGE}/msg/Keypoints2D",
    "camera_info": "sensor_msgs/msg/CameraInfo",
    "tf": "tf2_msgs/msg/TFMessage",
    "tf_static": "tf2_msgs/msg/TFMessage",
    "joint_states": "sensor_msgs/msg/JointState",
    "body_state": f"{PACKAGE}/msg/BodyState",
    "body_state_settled": f"{PACKAGE}/msg/BodyState",
    "body_state_refit": f"{PACKAGE}/msg/BodyState",
    "fitted_cameras": f"{PACKAGE}/msg/FittedCameras",
    "step_events": f"{PACKAGE}/msg/StepEvent",
    "gait_parameters": f"{PACKAGE}/msg/GaitParameters",
    "fit_report": f"{PACKAGE}/msg/FitReport",
    "robot_description": "std_msgs/msg/String",
}
"""Type by the last part of a topic's name; definitions/* are strings."""


def message_directory() -> Path:
    """Where our .msg files are: beside the package in a source tree, under share/ in an install (pip or colcon)."""
    packages = [Path(path) for path in markerless_biomech.__path__]
    prefixes = [package.parents[3] for package in packages if len(package.parents) > 3] + [Path(sys.prefix)]
    prefixes += [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    candidates = [package.parent / "msg" for package in packages]
    candidates += [prefix / "share" / PACKAGE / "msg" for prefix in prefixes]
    for folder in candidates:
        if (folder / "Keypoints2D.msg").is_file():
            return folder
    raise InputError(f"the message definitions of {PACKAGE} are not installed (share/{PACKAGE}/msg); install it again")


@cache
def typestore() -> Any:
    """rosbags' types of ROS 2 Jazzy (with tf2_msgs) and ours."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    for path in sorted(message_directory().glob("*.msg")):
        store.register(get_types_from_msg(path.read_text(), f"{PACKAGE}/msg/{path.stem}"))
    return store


@cache
def types() -> Types:
    """Message classes for bags."""
    return bag_types(typestore().types)


def message_type(topic: str) -> str:
    """Full type name of one of our topics."""
    if "/definitions/" in f"/{topic}":
        return "std_msgs/msg/String"
    return MESSAGE_TYPES[topic.rsplit("/", 1)[-1]]


def offered_qos(topic: str) -> list[Any]:
    """QoS profile with which our nodes offer `topic`: players offer it the same way."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    latched = topic.endswith(LATCHED_TOPICS) or "/definitions/" in topic
    keypoints = topic.endswith("/keypoints")
    forever = QosTime(9223372036, 854775807)
    return [
        Qos(
            history=QosHistory.KEEP_LAST,
            depth=1 if latched else 5 if keypoints else 10,
            reliability=QosReliability.BEST_EFFORT if keypoints else QosReliability.RELIABLE,
            durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
            deadline=forever,
            lifespan=forever,
            liveliness=QosLiveliness.AUTOMATIC,
            liveliness_lease_duration=forever,
            avoid_ros_namespace_conventions=False,
        )
    ]


def check_writable(path: Path, force: bool) -> None:
    """Raise InputError unless a bag may be written at `path`; --force replaces a bag, never another folder."""
    if not path.exists():
        return
    refuse_existing(path, force)
    if not path.is_dir() or (any(path.iterdir()) and not (path / "metadata.yaml").is_file()):
        raise InputError(f"{path} exists and is not a bag, so --force does not replace it; choose another name")


class BagWriter:
    """Writes one bag; a context manager. After an exception, or `abort`, nothing is left behind."""

    def __init__(self, path: str | Path, force: bool = False) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        self.path = Path(path)
        check_writable(self.path, force)
        self.types = types()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror})") from error
        self._writer = Writer(self._folder / self.path.name, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
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

    def close(self) -> Path:
        """Complete the bag and give it its name."""
        if not self._connections:
            self.abort()
            raise InputError(f"{self.path}: nothing to write; a bag without messages is of no use")
        self._writer.close()
        replaced = self._folder / "replaced"
        if self.path.exists():
            self.path.rename(replaced)
        (self._folder / self.path.name).rename(self.path)
        shutil.rmtree(self._folder, ignore_errors=True)
        return self.path

    def abort(self) -> None:
        """Give up: remove what was written."""
        with contextlib.suppress(Exception):  # the disk may be full; rosbags 0.11.0 cannot abort
            getattr(self._writer, "abort", self._writer.close)()
        shutil.rmtree(self._folder, ignore_errors=True)

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

    def __init__(self, path: Path, reader: Any) -> None:
        self.path = path
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


def decoded(deserialize: Callable[[bytes, str], Any], data: bytes, kind: str) -> Any:
    """A message of its CDR bytes.

    Fast CDR leaves 4 to 7 bytes of padding behind a message that ends in an empty sequence of doubles, such as a
    JointState without efforts; rosbags takes at most 3 for granted.
    """
    from rosbags.highlevel import AnyReaderError
    from rosbags.serde import SerdeError

    try:
        return deserialize(data, kind)
    except (AnyReaderError, SerdeError) as error:
        if "size mismatch" not in str(error):
            raise
        return deserialize(data[:-4], kind)


@contextmanager
def open_bag(path: str | Path) -> Iterator[BagReader]:
    """Open a bag for reading; whatever is wrong with its files becomes InputError."""
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.rosbag2 import ReaderError
    from rosbags.serde import SerdeError

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such bag; expected a folder with metadata.yaml and a .mcap file")
    if not (path / "metadata.yaml").is_file():
        raise InputError(_not_a_bag(path))
    try:
        with AnyReader([path], default_typestore=typestore()) as reader:
            bag = BagReader(path, reader)
            bag.check_definitions()
            yield bag
    except InputError:
        raise
    except (AnyReaderError, ReaderError, SerdeError, EOFError, struct.error, AssertionError, OSError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: damaged or incomplete bag ({what}); record or import it again") from error


def _not_a_bag(path: Path) -> str:
    """The sentence that says so, and what to do."""
    if path.suffix == ".mcap" and (path.parent / "metadata.yaml").is_file():
        return f"{path}: not a bag but a bag's file; give its folder, {path.parent}"
    if path.is_dir() and any(path.glob("*.mcap")):
        return f"{path}: metadata.yaml is missing, its recording was not ended; 'ros2 bag reindex {path}' writes one"
    return f"{path}: not a bag; expected a folder with metadata.yaml and a .mcap file"


def read_bag(path: str | Path, wanted: Collection[str] | None = None) -> Iterator[tuple[str, Any, int]]:
    """(topic, message, receive time in ns) of the wanted topics, or of all whose types are known, in order."""
    with open_bag(path) as bag:
        yield from bag.messages(wanted if wanted is not None else bag.topics)
