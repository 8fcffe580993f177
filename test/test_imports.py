"""Imports: the exchange npz and folders of JSON become bags; what is wrong is named."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.imports import import_recording, read_session_npz, topic_name
from markerless_biomech.recording.json_folders import frame_files
from markerless_biomech.recording.recorded_session import read_session

COCO = load_keypoint_set("coco_17")
RECORDED = Path(__file__).parents[2] / "shared" / "data" / "pose2sim_balancing" / "openpose_body25b.npz"


def a_session(**changes) -> dict[str, np.ndarray]:
    """Two cameras, four frames, one person; frame 2 of camera 1 sees nobody."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(10, 400, (2, 4, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 0.9
    keypoints[1, 2, :, 2] = 0
    content = {
        "keypoints": keypoints,
        "names": np.array(COCO.names),
        "K": np.tile([[800.0, 0, 320], [0, 810, 240], [0, 0, 1]], (2, 1, 1)),
        "dist": np.array([[0.1, -0.01, 0.001, 0.002, 0.03], [0.0, 0, 0, 0, 0]]),
        "rvec": rng.normal(size=(2, 3)),
        "tvec": rng.normal(size=(2, 3)),
        "size": np.array([[640, 480], [640, 480]]),
        "fps": np.array(50.0),
        "something_else": np.array("ignored"),
    }
    return {key: value for key, value in {**content, **changes}.items() if value is not None}


def saved(path: Path, **changes) -> Path:
    np.savez(path / "session.npz", **a_session(**changes))  # type: ignore[arg-type]
    return path / "session.npz"


def test_a_session_npz_becomes_a_bag_with_all_its_points(tmp_path):
    content = a_session()
    import_recording(saved(tmp_path), tmp_path / "bag")
    session = read_session(tmp_path / "bag")
    assert session.keypoint_set.name == "coco_17"
    assert session.cameras == ("cam0", "cam1")
    frames = [frame for frame in session.frames if frame.camera == "cam1"]
    assert [frame.stamp_ns for frame in frames] == [0, 20_000_000, 40_000_000, 60_000_000]
    assert [len(frame.points) for frame in frames] == [1, 1, 0, 1], "nobody seen is an empty frame"
    assert np.array_equal(frames[3].points[0], content["keypoints"][1, 3])


def test_camera_poses_are_the_inverse_of_opencvs(tmp_path):
    content = a_session()
    camera = read_session_npz(saved(tmp_path)).rig.cameras["cam1"]
    rotation, translation = camera.camera_from_world
    # float64 throughout
    assert np.allclose(rotation, cv2.Rodrigues(content["rvec"][1])[0], atol=1e-12)
    assert np.allclose(translation, content["tvec"][1], atol=1e-12)


def test_optional_keys_are_taken(tmp_path):
    stamps_s = np.array([[0.0, 0.1, 0.2, 0.3], [0.01, 0.11, 0.21, 0.31]])
    session = read_session_npz(
        saved(
            tmp_path,
            camera_names=np.array(["Front Left", "2nd"]),
            distortion_model=np.array(["equidistant", "plumb_bob"]),
            dist=np.array([[0.1, 0.2, 0.3, 0.4, 0.0], [0.1, 0, 0, 0, 0.2]]),
            stamps_s=stamps_s,
            height_m=np.array(1.8),
        )
    )
    assert list(session.rig.cameras) == ["Front_Left", "cam2nd"]
    assert [camera.distortion_model for camera in session.rig.cameras.values()] == ["equidistant", "plumb_bob"]
    assert [len(camera.d) for camera in session.rig.cameras.values()] == [4, 5]
    assert session.height_m == 1.8
    assert [frame.stamp_ns for frame in session.frames[:3]] == [0, 10_000_000, 100_000_000], "in order of arrival"


def test_several_people_keep_their_ids_and_the_unseen_are_left_out(tmp_path):
    keypoints = np.repeat(a_session()["keypoints"][:, None], 2, axis=1)
    keypoints[0, 0, :, :, 2] = 0
    session = read_session_npz(saved(tmp_path, keypoints=keypoints, person_ids=np.array([7, 9])))
    ids = {frame.camera: frame.person_ids for frame in session.frames[:2]}
    assert ids == {"cam0": (9,), "cam1": (7, 9)}


def test_points_that_are_not_finite_are_not_seen(tmp_path):
    keypoints = a_session()["keypoints"]
    keypoints[0, 0, 3] = np.nan
    frame = read_session_npz(saved(tmp_path, keypoints=keypoints)).frames[0]
    assert np.isfinite(frame.points).all() and not frame.points[0, 3].any()


def test_names_in_another_order_are_put_into_the_sets(tmp_path):
    content = a_session()
    order = np.arange(17)[::-1]
    session = read_session_npz(
        saved(tmp_path, keypoints=content["keypoints"][:, :, order], names=content["names"][order])
    )
    assert np.array_equal(session.frames[0].points[0], content["keypoints"][0, 0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": None}, "no key 'fps'"),
        ({"fps": np.array(0.0)}, "frame rate is 0 Hz"),
        ({"keypoints": np.zeros((2, 4, 17, 2))}, r"keypoints is float64 \(2, 4, 17, 2\)"),
        ({"names": np.array(["x"] * 17)}, "--keypoint-set"),
        ({"K": np.zeros((2, 3, 3))}, "camera 'cam0'.*K|camera 'cam0' is not calibrated"),
        ({"K": np.zeros((1, 3, 3))}, r"rvec has the shape \(2, 3\); expected \(1, 3\)"),
        ({"rvec": np.full((2, 3), np.nan)}, "camera 'cam0' has a pose .* not finite"),
        ({"dist": np.ones((2, 6))}, r"dist has the shape \(2, 6\)"),
        ({"distortion_model": np.array(["fish", "fish"])}, "camera 'cam0' has distortion_model 'fish'"),
        ({"stamps_s": np.zeros((2, 3))}, r"stamps_s is float64 \(2, 3\)"),
        ({"camera_names": np.array(["a", "a"])}, "expected 2 different ones"),
        ({"person_ids": np.array([1, 2])}, "person_ids"),
    ],
)
def test_a_faulty_npz_is_named_by_file_and_key(tmp_path, changes, words):
    with pytest.raises(InputError, match=words) as error:
        import_recording(saved(tmp_path, **changes), tmp_path / "bag")
    assert "session.npz" in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "bag").exists()


def test_a_file_that_is_no_npz_says_so(tmp_path):
    (tmp_path / "notes.npz").write_text("hello")
    with pytest.raises(InputError, match="not a session npz; import reads that .*keypoints, names.* or a folder"):
        import_recording(tmp_path / "notes.npz", tmp_path / "bag")


def test_a_bag_need_not_be_imported(tmp_path):
    import_recording(saved(tmp_path), tmp_path / "bag")
    with pytest.raises(InputError, match="a bag already"):
        import_recording(tmp_path / "bag", tmp_path / "again")


def test_the_wrong_keypoint_set_names_what_is_missing(tmp_path):
    with pytest.raises(InputError, match="no keypoint 'Neck'"):
        read_session_npz(saved(tmp_path), "body_25")


CALIBRATION = """<calibration><cameras>{}</cameras></calibration>"""
CAMERA = """<camera serial="{0}"><fov_video left="0" right="639" top="0" bottom="479"/>
<transform r11="1" r12="0" r13="0" r21="0" r22="0" r23="1" r31="0" r32="-1" r33="0" x="{1}" y="-3000" z="1000"/>
<intrinsic focalLengthU="51200" focalLengthV="51200" centerPointU="20480" centerPointV="15360" radialDistortion1="0"
 radialDistortion2="0" radialDistortion3="0" tangentalDistortion1="0" tangentalDistortion2="0"/></camera>"""


@pytest.fixture
def folders(tmp_path) -> Path:
    """Two cameras, three frames; the second camera misses frame 2; a left-over file in the first."""
    (tmp_path / "calibration").mkdir()
    cameras = CAMERA.format("cam_01", 0) + CAMERA.format("cam_02", 500)
    (tmp_path / "calibration" / "Calib.qca.txt").write_text(CALIBRATION.format(cameras))
    for camera, numbers in (("cam01", (1, 2, 3)), ("cam02", (1, 3))):
        folder = tmp_path / "pose" / f"{camera}_json"
        folder.mkdir(parents=True)
        for number in numbers:
            people = [{"person_id": [-1], "pose_keypoints_2d": [100.0 + number, 50, 0.8] * 17}] * (number % 3)
            (folder / f"{camera}.{number:04d}.json").write_text(json.dumps({"version": 1.3, "people": people}))
    (tmp_path / "pose" / "cam01_json" / "del_000001_0.json").write_text("{}")
    return tmp_path


def test_json_folders_become_a_bag(folders):
    session = import_recording(folders, folders / "bag", fps=30)
    assert session.keypoint_set.name == "coco_17"
    recorded = read_session(folders / "bag")
    got = [(frame.camera, frame.frame_number, frame.stamp_ns, len(frame.points)) for frame in recorded.frames]
    third_ns = 66_666_667  # 2 / 30 s
    assert sorted(got) == [
        ("cam01", 1, 0, 1),
        ("cam01", 2, 33_333_333, 2),
        ("cam01", 3, third_ns, 0),
        ("cam02", 1, 0, 1),
        ("cam02", 3, third_ns, 0),
    ]


def test_left_over_files_are_passed_over(folders):
    assert list(frame_files(folders / "pose" / "cam01_json")) == [1, 2, 3]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "calibration" / "Calib.qca.txt").unlink(), "give one with --calibration"),
        (lambda f: (f / "calibration" / "Calib.qca.txt").write_text("<a"), "not valid XML"),
        (lambda f: (f / "pose" / "cam02_json" / "cam02.0001.json").write_text("{}"), "cam02.0001.json"),
        (lambda f: (f / "pose" / "cam02_json").rename(f / "pose" / "side_json"), ""),
        (
            lambda f: [
                (f / "pose" / f"cam0{i}_json").rename(f / "pose" / new) for i, new in ((1, "x"), (2, "front_json"))
            ],
            "folders front, but the calibration has cam_01, cam_02",
        ),
    ],
)
def test_faulty_folders_are_named(folders, damage, words):
    damage(folders)
    if not words:  # other names, the same number: cameras go in order
        assert list(import_recording(folders, folders / "bag", fps=30).rig.cameras) == ["cam01", "side"]
        return
    with pytest.raises(InputError, match=words):
        import_recording(folders, folders / "bag", fps=30)


def test_an_unknown_frame_rate_asks_for_it(folders):
    with pytest.raises(InputError, match="--fps"):
        import_recording(folders, folders / "bag")


@pytest.mark.parametrize(
    ("name", "topic"), [("cam0", "cam0"), ("Front Left", "Front_Left"), ("2", "cam2"), ("é", "camera")]
)
def test_camera_names_become_topic_names(name, topic):
    assert topic_name(name) == topic


def test_a_real_recording_is_imported(tmp_path):
    if not RECORDED.is_file():
        pytest.skip("the recorded data are not beside the repository")
    session = import_recording(RECORDED, tmp_path / "bag")
    assert (session.keypoint_set.name, session.height_m, len(session.frames)) == ("body_25b", 1.72, 400)
    assert read_session(tmp_path / "bag").refused == {}
