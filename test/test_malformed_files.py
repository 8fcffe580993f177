"""Damaged files into every reader: refused in one sentence that names the file, or read; never a crash."""

import dataclasses
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from damage import BAGS, CHANGES, FILES, damaged, is_refused, write
from hypothesis import example, given
from hypothesis import strategies as st
from made_rigs import make_camera
from test_bags import KEYPOINTS, a_rig, some_frames

from markerless_biomech.body.population import offset_rule_from_dict, population_from_text, scale_prior_from_dict
from markerless_biomech.body.subject import load_subject, save_subject, subject_from_height
from markerless_biomech.cameras.calibration_files import load_calibration, session_from_rig
from markerless_biomech.cameras.rig import Rig, load_rig, save_rig
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.bags import BagWriter, open_bag
from markerless_biomech.recording.force_plates import read_plate_walk
from markerless_biomech.recording.imports import read_recording
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.reference import read_joints_csv
from markerless_biomech.recording.session_bag import write_inputs
from markerless_biomech.recording.trials import time_offsets_s
from markerless_biomech.settings import EstimatorSettings, from_dict


def two_cameras() -> Rig:
    return Rig({"left": make_camera("left"), "right": make_camera("right", position_m=np.ones(3))})


def a_subject(path: Path) -> None:
    subject = subject_from_height(1.7, "coco_17")
    save_subject(subject, path)


def a_session_npz(path: Path) -> None:
    names = load_keypoint_set("coco_17").names
    points = np.random.default_rng(0).uniform(0, 900, (2, 2, 17, 3))
    np.savez(path, keypoints=points, names=np.array(names), fps=30.0, height_m=1.7, **session_from_rig(two_cameras()))


def a_calibration_npz(path: Path) -> None:
    np.savez(path, **session_from_rig(two_cameras()))


def a_plate_walk(path: Path) -> None:
    rng = np.random.default_rng(0)
    names = np.array(["L.Heel", "R.Heel", "L.Toe", "R.Toe", "L.ASIS", "R.ASIS"])
    np.savez(
        path, markers=rng.normal(size=(9, 6, 3)), marker_names=names, marker_t=np.arange(9) * 0.1, up="z",
        grf=rng.uniform(0, 50, (30, 2, 9)), grf_t=np.arange(30) * 0.03,
    )  # fmt: skip


def a_joints_csv(path: Path) -> None:
    path.write_text("time_s,knee_angle_r,hip_flexion_l\n0.0,1.5,2\n0.1,,3\n0.2,4.5,5\n")


def read_population(path: Path) -> None:
    content = population_from_text(path.read_text(errors="replace"), str(path))
    scale_prior_from_dict(content, str(path))
    offset_rule_from_dict(content, str(path))


def shipped(folder: str, name: str):
    import markerless_biomech

    return lambda path: shutil.copyfile(Path(markerless_biomech.__path__[0]) / folder / name, path)


READERS = {
    "subject.yaml": (a_subject, load_subject),
    "rig.yaml": (lambda path: save_rig(two_cameras(), path), load_rig),
    "set.yaml": (shipped("keypoint_sets", "coco_17.yaml"), load_keypoint_set),
    "population.yaml": (shipped("body", "population.yaml"), read_population),
    "joints.csv": (a_joints_csv, read_joints_csv),
    "session.npz": (a_session_npz, read_recording),
    "calibration.npz": (a_calibration_npz, load_calibration),
    "plates.npz": (a_plate_walk, read_plate_walk),
}
"""How a file is made and read. Other calibrations are in test_calibration_kinds.py."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def originals(folder) -> dict[str, bytes]:
    found = {}
    for name, (make, _) in READERS.items():
        make(path := folder / name)
        found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("name", READERS)
def test_each_file_is_read_before_it_is_damaged(name, folder, originals):
    READERS[name][1](write(folder / name, originals[name]))


@pytest.mark.parametrize("name", READERS)
@FILES
@given(changes=CHANGES)
@example(changes=[(0.0, 1 << 30, b"")])
@example(changes=[(0.0, 1 << 30, b"[" * 100_000)])
@example(changes=[(0.0, 1 << 30, b"PK\x05\x06" + b"\x00" * 18)])
@example(changes=[(0.5, 1 << 30, b"")])
def test_a_damaged_file_is_refused_by_name_or_read(name, folder, originals, changes):
    path = write(folder / name, damaged(originals[name], changes))
    with np.errstate(all="ignore"):
        is_refused(lambda: READERS[name][1](path), str(path))


# --- bags -----------------------------------------------------------------------------------------------------------


def a_bag(path: Path) -> Path:
    """Cameras, keypoints, a definition of settings."""
    write_inputs(path, KEYPOINTS, a_rig(), some_frames())
    return path


def a_sqlite_bag(path: Path) -> Path:
    """The same as older rosbag2 wrote it, without metadata."""
    with open_bag(a_bag(path.with_name("source"))) as bag:
        messages = [
            (connection.topic, connection.msgtype, t, bytes(data)) for connection, t, data in bag.raw_messages()
        ]
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    database = sqlite3.connect(path / "bag_0.db3")
    database.execute("CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)")
    database.execute("CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)")
    kinds = {topic: kind for topic, kind, _, _ in messages}
    for row, (topic, kind) in enumerate(kinds.items()):
        database.execute("INSERT INTO topics VALUES(?, ?, ?, 'cdr')", (row, topic, kind))
    for topic, _, time_ns, data in messages:
        place = list(kinds).index(topic)
        database.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)", (place, time_ns, data))
    database.commit()
    database.close()
    return path


BAG_FILES = {"mcap": (a_bag, "*.mcap"), "metadata": (a_bag, "metadata.yaml"), "sqlite": (a_sqlite_bag, "*.db3")}


@pytest.fixture(scope="module")
def bag_files(tmp_path_factory) -> dict[str, tuple[Path, Path, bytes]]:
    """(bag, the file in it, its content) by kind."""
    found = {}
    for kind, (make, pattern) in BAG_FILES.items():
        bag = make(tmp_path_factory.mktemp(kind) / "bag")
        (file,) = bag.glob(pattern)
        found[kind] = (bag, file, file.read_bytes())
    return found


@pytest.mark.parametrize("kind", BAG_FILES)
@BAGS
@given(changes=CHANGES)
@example(changes=[(0.0, 1 << 30, b"")])
@example(changes=[(0.5, 1 << 30, b"")])
@example(changes=[(0.005859375, 0, b"\x00")])
def test_a_damaged_bag_is_refused_by_name_or_read_as_far_as_it_goes(kind, bag_files, changes):
    bag, file, data = bag_files[kind]
    write(file, damaged(data, changes))
    is_refused(lambda: read_session(bag), str(bag))


@BAGS
@given(
    changes=CHANGES,
    which=st.sampled_from(["/left/keypoints", "/left/camera_info", "/tf_static", "/definitions/keypoint_set"]),
)
@example(changes=[(0.5, 0, b"\x00")], which="/left/camera_info")
def test_a_bag_with_damaged_messages_is_refused_by_name_or_read(changes, which, folder, bag_files):
    bag, file, data = bag_files["mcap"]
    write(file, data)
    out = folder / "messages"
    with open_bag(bag) as source, BagWriter(out, force=True) as writer:
        for connection, time_ns, message in source.raw_messages():
            raw = damaged(bytes(message), changes) if connection.topic == which else message
            writer.write_raw(connection.topic, connection.msgtype, raw, time_ns)
    is_refused(lambda: read_session(out), str(out))


SETTINGS_TEXT = (
    "cameras: [left, right]\ncamera_time_offsets_s: [0.0, 0.01]\nlag_s: 0.1\nbelt_speed_m_s: 0.5\nrefit: {a: 1}\n"
)


@pytest.fixture(scope="module")
def sound_session(tmp_path_factory):
    return read_session(a_bag(tmp_path_factory.mktemp("sound") / "bag"))


@FILES
@given(changes=CHANGES)
@example(changes=[(0.0, 1 << 30, b"3")])
@example(changes=[(0.0, 1 << 30, b"camera_time_offsets_s: [a, b]\ncameras: [left, right]")])
@example(changes=[(0.0, 1 << 30, b"camera_time_offsets_s: [" + b"9" * 400 + b"]\ncameras: [left]")])
def test_damaged_settings_of_a_bag_are_refused_by_name_or_read(changes, sound_session):
    text = damaged(SETTINGS_TEXT.encode(), changes).decode(errors="replace")
    session = dataclasses.replace(sound_session, definitions={"settings": text})
    is_refused(lambda: time_offsets_s(session), "definitions/settings")


# --- folders of JSON ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def json_folder(tmp_path_factory) -> Path:
    """Two cameras, two frames."""
    source = tmp_path_factory.mktemp("json") / "trial"
    for name in ("left", "right"):
        (source / f"{name}_json").mkdir(parents=True)
        for number in (0, 1):
            people = [{"person_id": [-1], "pose_keypoints_2d": [1.0] * 51}]
            file = source / f"{name}_json" / f"{name}.{number:04d}.json"
            file.write_text(json.dumps({"version": 1.3, "people": people}))
    save_rig(two_cameras(), source / "rig.yaml")
    (source / "Config.toml").write_text(
        '[project]\nframe_rate = 30\nparticipant_height = 1.7\n[pose]\npose_model = "coco_17"\n'
    )
    return source


@pytest.mark.parametrize("file", ["left_json/left.0001.json", "Config.toml"])
@FILES
@given(changes=CHANGES)
@example(changes=[(0.0, 1 << 30, b"[" * 100_000)])
@example(changes=[(0.0, 1 << 30, b"pose = 3\nproject = 4")])
@example(
    changes=[(0.0, 1 << 30, b'{"people": [{"pose_keypoints_2d": [' + b"1e999," * 50 + b'1], "person_id": ["x"]}]}')]
)
@example(changes=[(0.0, 1 << 30, b'{"people": [{"pose_keypoints_2d": [' + b"9" * 400 + b",1" * 50 + b"]}]}")])
def test_damaged_json_of_a_detector_is_refused_by_name_or_read(file, json_folder, changes):
    path = json_folder / file
    original = path.read_bytes()
    write(path, damaged(original, changes))
    try:
        is_refused(lambda: read_recording(json_folder), str(json_folder))
    finally:
        write(path, original)


def test_a_setting_out_of_its_bounds_is_named_with_the_place_that_holds_it():
    with pytest.raises(InputError, match="definitions/settings: setting camera_time_offsets_s is 150"):
        from_dict(EstimatorSettings, {"camera_time_offsets_s": [150.0]}, "bag: definitions/settings")
    with pytest.raises(InputError, match=r"setting window_frames is 1000.*\.\.\..*expected 4 to 256"):
        from_dict(EstimatorSettings, {"window_frames": 10**400})
