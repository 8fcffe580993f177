"""Bags as rosbag2 writes them (SQLite, zstd, split, older) and bags that lost their end: all that is there is read."""

import logging
import os
import signal
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from test_bags import KEYPOINTS, a_rig, some_frames

from markerless_biomech.errors import InputError
from markerless_biomech.recording import bags
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.salvage import MCAP_MAGIC, storage_files
from markerless_biomech.recording.session_bag import write_inputs

COUNT = 2000
"""Frames of each of two cameras."""
STORAGES = [
    ("mcap", "none"),
    ("mcap", "storage"),
    ("mcap", "message"),
    ("mcap", "file"),
    ("sqlite3", "none"),
    ("sqlite3", "message"),
    ("sqlite3", "file"),
]


def rewritten(source: Path, out: Path, storage: str, compression: str, version: int = 9) -> Path:
    """The same messages in another kind of bag."""
    writer = Writer(out, version=version, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer, bags.open_bag(source) as bag:
        connections = {}
        for like, time_ns, data in bag.raw_messages():
            if like.topic not in connections:
                qos = bags.offered_qos(like.topic)
                connections[like.topic] = writer.add_connection(
                    like.topic, like.msgtype, typestore=bags.typestore(), offered_qos_profiles=qos
                )
            writer.write(connections[like.topic], time_ns, data)
    return out


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("source") / "bag", KEYPOINTS, a_rig(), some_frames(COUNT))


@pytest.fixture(autouse=True)
def unsaid():
    """Each warning may be said again."""
    bags._warn.cache_clear()


def cut(bag: Path, share: float) -> None:
    """Keep the first part of the bag's file."""
    (file,) = storage_files(bag)
    file.write_bytes(file.read_bytes()[: round(share * file.stat().st_size)])


def is_beginning(frames, count_least: int) -> None:
    """The frames are the first that were written, none left out, and at least so many."""
    written = some_frames(COUNT)
    assert count_least <= len(frames) <= len(written)
    for one, other in zip(frames, written[: len(frames)], strict=True):
        assert (one.camera, one.stamp_ns) == (other.camera, other.stamp_ns)
        assert np.array_equal(one.points, other.points)


@pytest.mark.parametrize(("storage", "compression"), STORAGES)
def test_every_kind_of_storage_is_read(source, tmp_path, storage, compression, caplog):
    session = read_session(rewritten(source, tmp_path / "bag", storage, compression))
    is_beginning(session.frames, 2 * COUNT)
    assert list(session.rig.cameras) == ["left", "right"] and not caplog.records


def test_an_older_rosbag2_is_read(source, tmp_path):
    """Humble's metadata: version 5, no hashes, QoS as YAML in a string with numbers for its policies."""
    bag = rewritten(source, tmp_path / "bag", "sqlite3", "none", version=8)
    (file,) = storage_files(bag)
    with sqlite3.connect(file) as database:
        for table in ("schema", "metadata", "message_definitions"):
            database.execute(f"DROP TABLE {table}")
    path = bag / "metadata.yaml"
    content = yaml.safe_load(path.read_text())
    information = content["rosbag2_bagfile_information"]
    information["version"] = 5
    for name in ("custom_data", "ros_distro"):
        information.pop(name)
    for topic in information["topics_with_message_count"]:
        topic["topic_metadata"].pop("type_description_hash")
    path.write_text(yaml.safe_dump(content))
    is_beginning(read_session(bag).frames, 2 * COUNT)


def test_a_bag_in_several_files_is_read_in_their_order(source, tmp_path, caplog):
    """Split after n messages each; file 10 comes after file 9; without metadata as well."""
    folder = tmp_path / "bag"
    folder.mkdir()
    parts = []
    frames = some_frames(COUNT)
    for number, start in enumerate(range(0, len(frames), 350)):
        part = write_inputs(tmp_path / f"part{number}", KEYPOINTS, a_rig(), frames[start : start + 350])
        (file,) = storage_files(part)
        file.rename(folder / f"bag_{number}.mcap")
        parts.append(f"bag_{number}.mcap")
    content = yaml.safe_load((tmp_path / "part0" / "metadata.yaml").read_text())
    content["rosbag2_bagfile_information"]["relative_file_paths"] = parts
    (folder / "metadata.yaml").write_text(yaml.safe_dump(content))
    is_beginning(read_session(folder).frames, 2 * COUNT)
    assert not caplog.records
    (folder / "metadata.yaml").unlink()
    is_beginning(read_session(folder).frames, 2 * COUNT)


@pytest.mark.parametrize(("storage", "compression"), STORAGES)
def test_without_metadata_everything_is_read_and_a_sentence_says_why(source, tmp_path, storage, compression, caplog):
    bag = rewritten(source, tmp_path / "bag", storage, compression)
    (bag / "metadata.yaml").unlink()
    is_beginning(read_session(bag).frames, 2 * COUNT)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "\n" not in record.message
    assert "its recording was not ended: metadata.yaml is missing" in record.message and str(bag) in record.message


@pytest.mark.parametrize("with_metadata", [True, False])
@pytest.mark.parametrize(("storage", "compression"), STORAGES)
def test_a_truncated_bag_is_read_up_to_there(source, tmp_path, storage, compression, with_metadata, caplog):
    bag = rewritten(source, tmp_path / "bag", storage, compression)
    cut(bag, 0.4)
    if not with_metadata:
        (bag / "metadata.yaml").unlink()
    frames = read_session(bag).frames
    # definitions come first, the index at last, and zstd gives whole blocks of 128 KiB
    is_beginning(frames, 40)
    assert len(frames) < 2 * COUNT
    assert len(caplog.records) == 1 and "read up to there" in caplog.records[0].message


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_of_which_nothing_is_left_says_so_in_one_sentence(source, tmp_path, storage, share):
    bag = rewritten(source, tmp_path / "bag", storage, "none")
    cut(bag, share)
    with pytest.raises(InputError) as error:
        read_session(bag)
    assert str(bag) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("share", np.linspace(0.02, 0.98, 9))
def test_wherever_a_bag_is_cut_it_is_read_or_refused(source, tmp_path, share):
    for storage in ("mcap", "sqlite3"):
        bag = rewritten(source, tmp_path / storage, storage, "none")
        cut(bag, share)
        try:
            is_beginning(read_session(bag).frames, 0)
        except InputError as error:
            assert str(bag) in str(error)


def test_a_file_without_index_and_out_of_order_is_put_in_order(source, tmp_path):
    """rosbag2's preset fastwrite: messages without chunks, as they came from several threads."""
    bag = rewritten(source, tmp_path / "bag", "mcap", "none")
    (file,) = storage_files(bag)
    data, records, at = file.read_bytes(), [], len(MCAP_MAGIC)
    while at < len(data) - len(MCAP_MAGIC):
        kind, size = struct.unpack_from("<BQ", data, at)
        records.append((kind, data[at : at + 9 + size]))
        at += 9 + size
    inner = b"".join(record[9 + 28 + 4 + 8 :] for kind, record in records if kind == 6)
    messages, at = [], 0
    while at < len(inner):
        size = struct.unpack_from("<Q", inner, at + 1)[0]
        messages.append(inner[at : at + 9 + size])
        at += 9 + size
    messages[-5], messages[-9] = messages[-9], messages[-5]
    header = next(record for kind, record in records if kind == 1)
    end = struct.pack("<BQIBQQQI", 15, 4, 0, 2, 20, 0, 0, 0)
    file.write_bytes(MCAP_MAGIC + header + b"".join(messages) + end + MCAP_MAGIC)
    is_beginning(read_session(bag).frames, 2 * COUNT)


def test_a_transaction_that_was_not_ended_is_taken_from_the_journal(source, tmp_path):
    """SQLite in WAL mode, as rosbag2 writes: what a killed recorder has committed is beside the file."""
    bag = rewritten(source, tmp_path / "bag", "sqlite3", "none")
    (file,) = storage_files(bag)
    (bag / "metadata.yaml").unlink()
    script = (
        "import os, signal, sqlite3, sys\n"
        "d = sqlite3.connect(sys.argv[1])\n"
        "d.execute('PRAGMA journal_mode=WAL'); d.execute('PRAGMA wal_autocheckpoint=0')\n"
        "d.execute('UPDATE messages SET timestamp = timestamp + 0'); d.commit()\n"
        "d.execute('DELETE FROM messages WHERE id > (SELECT max(id) - 10 FROM messages)'); d.commit()\n"
        "d.execute('DELETE FROM messages WHERE id > 100')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=False)
    assert file.with_name(file.name + "-wal").stat().st_size > 0
    before = file.read_bytes()
    assert len(read_session(bag).frames) == 2 * COUNT - 10
    assert file.read_bytes() == before


def test_a_killed_recording_is_read_up_to_its_last_flush(tmp_path):
    script = (
        "import os, signal, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_bags import KEYPOINTS, a_rig, some_frames\n"
        "from markerless_biomech.recording.bags import BagWriter\n"
        "from markerless_biomech.recording.definitions import definition_texts\n"
        "from markerless_biomech.recording.session_bag import write_cameras, write_definitions, write_frame\n"
        "writer = BagWriter(sys.argv[1], live=True)\n"
        "write_definitions(writer, definition_texts(KEYPOINTS, a_rig()), 1)\n"
        "for index, frame in enumerate(some_frames(50)):\n"
        "    write_frame(writer, frame, KEYPOINTS, a_rig())\n"
        "    if index == 79:\n"
        "        writer.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    out = tmp_path / "killed"
    ended = subprocess.run([sys.executable, "-c", script, str(out), str(Path(__file__).parent)], check=False)
    assert ended.returncode == -signal.SIGKILL
    is_beginning(read_session(out).frames, 80)


def test_a_recording_never_replaces_another_and_stays_when_it_is_given_up(source, tmp_path):
    with pytest.raises(InputError, match="exists"):
        bags.BagWriter(source, force=True, live=True)
    with pytest.raises(OSError), bags.BagWriter(tmp_path / "bag", live=True) as writer:
        writer.write_text("/definitions/subject", "name: anna", 1)
        raise OSError("No space left on device")
    assert [message.data for _, message, _ in bags.read_bag(tmp_path / "bag")] == ["name: anna"]
    with pytest.raises(InputError, match="nothing to write"), bags.BagWriter(tmp_path / "none", live=True):
        pass
    assert not (tmp_path / "none").exists() and os.listdir(tmp_path) == ["bag"]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_metadata_that_states_another_quality_of_service_than_the_file_loses_no_message(storage, source, tmp_path):
    """`ros2 bag convert` and `ros2 bag reindex` write such bags."""
    path = rewritten(source, tmp_path / storage, storage, "none", version=8)
    information = yaml.safe_load((path / "metadata.yaml").read_text())
    for topic in information["rosbag2_bagfile_information"]["topics_with_message_count"]:
        topic["topic_metadata"]["offered_qos_profiles"] = []
    (path / "metadata.yaml").write_text(yaml.safe_dump(information))
    expected = [(like.topic, time_ns) for like, time_ns, _ in raw(source)]
    assert [(like.topic, time_ns) for like, time_ns, _ in raw(path)] == expected


@pytest.mark.parametrize(
    ("definition", "digest"),
    [
        ("int32 info\n" + "=" * 80 + "\nMSG: a_lab/srv/Thing_Event\nint32 a\n---\nint32 b\n", ""),
        ("int32 a\n", "RIHS01_" + "1" * 64),
    ],
)
def test_a_topic_whose_definition_cannot_be_parsed_spoils_no_other(definition, digest, source, tmp_path):
    """Service events have such definitions; `ros2 bag record --all` takes them along."""
    with Writer(tmp_path / "bag", version=9) as writer, bags.open_bag(source) as bag:
        event = writer.add_connection(
            "/thing/_service_event", "a_lab/srv/Thing_Event", msgdef=definition, rihs01=digest or "RIHS01_" + "0" * 64
        )
        writer.write(event, 1, b"\x00\x01\x00\x00\x01\x00\x00\x00")
        connections = {}
        for like, time_ns, data in bag.raw_messages():
            if like.topic not in connections:
                connections[like.topic] = writer.add_connection(like.topic, like.msgtype, typestore=bags.typestore())
            writer.write(connections[like.topic], time_ns, data)
    session = read_session(tmp_path / "bag")
    assert len(session.frames) == len(read_session(source).frames)
    with bags.open_bag(tmp_path / "bag") as bag:
        assert not bag.remark and bag.count("/thing/_service_event") == 1


def raw(path: Path) -> list:
    with bags.open_bag(path) as bag:
        return list(bag.raw_messages())
