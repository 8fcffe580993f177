"""Every kind of calibration: the pixels of our camera are OpenCV's with the file's numbers; damage is named."""

import os
import pickle
import re
from pathlib import Path

import cv2
import jax.numpy as jnp
import made_calibrations as made
import numpy as np
import pytest
from damage import CHANGES, FILES, damaged, is_refused, write
from hypothesis import example, given
from hypothesis import strategies as st
from made_calibrations import Y_DOWN, Y_UP, Source
from made_rigs import LENSES, make_camera

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.cameras.calibration_files import load_calibration, read_calibration, save_calibration
from markerless_biomech.cameras.camera import project
from markerless_biomech.cameras.rig import camera_arrays, save_rig
from markerless_biomech.errors import InputError

MM = Source(metres=1e-3)
FREEMOCAP = 'charuco_square_size = 39.0\ncharuco_board_object = "board"\ngroundplane_calibration = '

MAKERS = {
    "opencv, a map a camera": lambda folder: made.opencv_file(folder / "cams.yml", Source()),
    "opencv, keys end in the name": lambda folder: made.opencv_file(folder / "cams.yaml", Source(), nested=False),
    "opencv, by OpenCV": lambda folder: made.opencv_storage(folder / "cams.yml", Source()),
    "easymocap, folder": lambda folder: made.easymocap_files(folder, Source()),
    "easymocap, one file": lambda folder: made.easymocap_files(folder, Source()) / "extri.yml",
    "pose2sim": lambda folder: made.toml_file(folder / "Calib.toml", Source()),
    "freemocap, board on the floor": lambda folder: made.toml_file(folder / "c.toml", MM, FREEMOCAP + "true"),
    "freemocap, first camera": lambda folder: made.toml_file(
        folder / "c.toml", Source(Y_DOWN, 1e-3), FREEMOCAP + "false"
    ),
    "opencap, board on the wall": lambda folder: made.opencap_session(folder, Source(Y_DOWN, 1e-3)),
    "opencap, board upside down": lambda folder: made.opencap_session(folder, Source(Y_UP, 1e-3), protocol=2),
    "opencap, newest protocol": lambda folder: made.opencap_session(folder, MM, protocol=5),
    "qualisys": lambda folder: made.qualisys_file(folder / "Calib.qca.txt", MM),
    "ros": lambda folder: made.ros_files(folder, Source()),
    "ros, frames of ours": lambda folder: made.ros_files(folder, Source(), "{name}_optical"),
}


def assert_same_pixels(rig: Rig, source: Source) -> None:
    """Our projection of 40 points about a person against OpenCV's with the source's own numbers."""
    points_m = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (40, 3))
    names = tuple(rig.cameras)
    pixels, valid = project(camera_arrays(rig, names), jnp.asarray(points_m, jnp.float32))
    assert names == tuple(made.K) and np.all(valid)
    for index, name in enumerate(names):
        # float32 at 1000 px has 1e-4; a few operations in a row.
        np.testing.assert_allclose(pixels[index], source.project(name, points_m), atol=5e-3)
        assert (rig.cameras[name].width, rig.cameras[name].height) == (made.WIDTH, made.HEIGHT)


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_gives_the_pixels_that_opencv_gives_with_the_files_numbers(kind, tmp_path):
    rig = load_calibration(MAKERS[kind](tmp_path))
    # Where the file's unit and axes are its format's, the lab's world is z up in metres: the same points.
    assert_same_pixels(rig, Source())


@pytest.mark.parametrize(
    ("source", "unit", "up"),
    [
        (Source(metres=1e-3), "mm", None),
        (Source(metres=1e-2), "cm", None),
        (Source(Y_UP), None, "y"),
        (Source(Y_DOWN, 1e-3), "mm", "-y"),
        (Source(Y_DOWN, 1e-3), "mm", "upright"),
    ],
)
def test_a_persons_word_on_unit_and_axes_counts(source, unit, up, tmp_path):
    imported = read_calibration([made.toml_file(tmp_path / "c.toml", source)], unit, up)
    assert_same_pixels(imported.rig, Source())
    assert ("upright" in " ".join(imported.remarks)) == (up == "upright")


def test_ros_files_may_be_messages_as_echoed_and_given_in_any_order(tmp_path):
    made.ros_files(tmp_path, Source(), "{name}_eye")
    for name in made.K:
        (tmp_path / f"{name}.yaml").write_text(
            f"header:\n  stamp: {{sec: 1, nanosec: 2}}\n  frame_id: {name}_eye\nheight: {made.HEIGHT}\n"
            f"width: {made.WIDTH}\ndistortion_model: plumb_bob\nd: {made.flat(made.D[name])}\n"
            f"k: {made.flat(made.K[name])}\nr: {made.flat(np.zeros(9))}\np: {made.flat(np.zeros(12))}\n---\n"
        )
    rig = read_calibration([tmp_path / name for name in ("tf_static.yaml", "left.yaml", "right.yaml")]).rig
    assert_same_pixels(rig, Source())
    assert rig.cameras["left"].frame_id == "left_eye" and rig.cameras["left"].p is None


def test_a_stereo_pairs_world_is_camera_1_turned_upright(tmp_path):
    """OpenCV's stereo samples: p_2 = R p_1 + T, and R1, R2 that only rectify."""
    source = Source()
    relative = source.rotation("right") @ source.rotation("left").T
    shift = source.translation("right") - relative @ source.translation("left")
    intrinsics = "".join(
        made.opencv_matrix(f"{letter}{index}", values[name])
        for index, name in enumerate(made.K, start=1)
        for letter, values in (("M", made.K), ("D", made.D))
    )
    (tmp_path / "intrinsics.yml").write_text(f"%YAML:1.0\n---\nimage_width: 1280\nimage_height: 720\n{intrinsics}")
    (tmp_path / "extrinsics.yml").write_text(
        "%YAML:1.0\n---\n"
        + "".join(made.opencv_matrix(k, v) for k, v in (("R", relative), ("T", shift), ("R1", np.eye(3))))
    )
    rig = load_calibration(tmp_path)
    first, second = rig.cameras["cam1"], rig.cameras["cam2"]
    r1, t1 = first.camera_from_world
    r2, t2 = second.camera_from_world
    np.testing.assert_allclose(r2 @ r1.T, relative, atol=1e-9)
    np.testing.assert_allclose(t2 - r2 @ r1.T @ t1, shift, atol=1e-9)
    assert first.world_from_camera[0][2, 1] < -0.8, "its image's up is up"


def test_one_camera_a_file_is_named_by_its_file(tmp_path):
    source = Source()
    for name in made.K:
        text = f"%YAML:1.0\n---\nimage_width: {made.WIDTH}\nimage_height: {made.HEIGHT}\n"
        entries = {"camera_matrix": made.K[name], "distortion_coefficients": made.D[name]}
        entries |= {"rvec": source.rvec(name), "tvec": source.translation(name)}
        text += "".join(made.opencv_matrix(key, value) for key, value in entries.items())
        (tmp_path / f"{name}.yml").write_text(text)
    assert_same_pixels(load_calibration(tmp_path), source)


def test_a_size_that_the_file_does_not_say_is_asked_for(tmp_path):
    folder = made.easymocap_files(tmp_path, Source(), sizes=False)
    with pytest.raises(InputError, match="camera 'left' does not say its image's size .* --image-size"):
        load_calibration(folder)
    assert_same_pixels(read_calibration([folder], size_px=(made.WIDTH, made.HEIGHT)).rig, Source())


@pytest.mark.parametrize("kind", ["rig", "ros", "pose2sim"])
def test_what_is_written_is_read_back_the_same(kind, tmp_path):
    rig = Rig({model: make_camera(model, model, frame_id=f"{model}_optical") for model in LENSES}, "lab")
    rig.cameras["short"] = make_camera("short", d=np.zeros(0), position_m=np.array([0.1, 4.0, -2.0]))
    out = tmp_path / {"rig": "rig.yaml", "ros": "infos", "pose2sim": "Calib.toml"}[kind]
    save_calibration(rig, out, kind)
    again = load_calibration(out)
    assert again.world_frame == ("world" if kind == "pose2sim" else "lab")
    assert set(again.cameras) == set(rig.cameras)
    for name, camera in rig.cameras.items():
        read = again.cameras[name]
        assert (read.distortion_model, read.width, read.height) == (
            camera.distortion_model,
            camera.width,
            camera.height,
        )
        d = np.pad(camera.d, (0, len(read.d) - len(camera.d)))
        for got, want in ((read.k, camera.k), (read.d, d), (read.position_m, camera.position_m)):
            np.testing.assert_allclose(got, want, atol=1e-6)
        for got, want in zip(read.camera_from_world, camera.camera_from_world, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-6)


def test_a_folder_of_ros_files_is_not_mixed_with_anothers(tmp_path):
    rig = Rig({"a": make_camera("a"), "b": make_camera("b", position_m=np.ones(3))})
    save_calibration(rig, tmp_path / "infos", "ros")
    with pytest.raises(InputError, match="--force"):
        save_calibration(rig, tmp_path / "infos", "ros")
    save_calibration(rig, tmp_path / "infos", "ros", force=True)
    with pytest.raises(InputError, match="holds b.yaml already, which is not of this rig"):
        save_calibration(Rig({"a": rig.cameras["a"]}), tmp_path / "infos", "ros", force=True)
    with pytest.raises(InputError, match="cannot name a file"):
        save_calibration(Rig({"../x": make_camera("../x")}), tmp_path / "other", "ros")


def mirrored(text: str) -> str:
    """The first row of the first rotation matrix R of an OpenCV file with its signs turned."""
    return re.sub(
        r"(R: !!opencv-matrix\s+rows: 3\s+cols: 3\s+dt: d\s+data: \[)([^,]+), ([^,]+), ([^,]+),",
        lambda m: m[1] + ", ".join(repr(-float(x)) for x in m.groups()[1:]) + ",",
        text,
        count=1,
    )


@pytest.mark.parametrize(
    ("kind", "file", "change", "sentence"),
    [
        ("opencv, a map a camera", "cams.yml", mirrored, "camera 'left' has R with determinant -1, a mirror image"),
        ("opencv, a map a camera", "cams.yml", lambda t: t.replace("900.0", "-900.0"), "axes are reversed"),
        ("opencv, a map a camera", "cams.yml", lambda t: t.replace("   T: ", "   U: ", 1), "camera 'left' lacks its T"),
        ("opencv, a map a camera", "cams.yml", lambda t: t.replace("rows: 3", "rows: 3\n   ]", 1), "not valid YAML"),
        ("opencv, a map a camera", "cams.yml", lambda t: t.replace("900.0", "many"), "camera 'left' has K"),
        ("easymocap, folder", "extri.yml", lambda t: t.replace("T_left", "T_link"), "camera 'left' lacks its T"),
        ("easymocap, folder", "intri.yml", lambda t: t.replace("K_", "k_"), "camera 'left' lacks its K"),
        ("ros", "left.yaml", lambda t: t.replace("plumb_bob", "brown"), "camera 'left' has distortion_model 'brown'"),
        ("ros", "left.yaml", lambda t: t.replace("900.0", "0.0").replace("905.0", "0.0"), "'left' is not calibrated"),
        ("ros", "left.yaml", lambda t: t.replace("image_height", "tallness"), "lacks the field 'image_height'"),
        ("ros", "left.yaml", lambda t: t.replace("image_width", "wideness"), "lacks the field 'image_width'"),
        ("ros", "tf_static.yaml", lambda t: t.replace("left_optical_frame", "eye"), "no transform has the child"),
        ("ros", "tf_static.yaml", lambda t: t.replace("w: 0.5", "w: 5.0", 1), "no unit quaternion"),
        ("ros", "tf_static.yaml", lambda t: t.replace("      w:", "      v:", 1), "transform 0 lacks 'w'"),
        ("ros", "tf_static.yaml", lambda t: t.replace(": world", ": left_link", 1), "names itself as parent"),
        ("ros", "tf_static.yaml", lambda t: t.replace(": world", ": here", 1), "not connected to 'world'"),
        ("qualisys", "Calib.qca.txt", lambda t: t.replace('r11="', 'r11="-1'), "camera 'left' has transform"),
        ("qualisys", "Calib.qca.txt", lambda t: t.replace("<transform", "<pose", 1), "'left' has transform r11 None"),
        ("pose2sim", "Calib.toml", lambda t: t.replace("translation", "shift", 1), "camera 'left' lacks the field"),
        ("pose2sim", "Calib.toml", lambda t: t.replace("0.05,", "nan,", 1), "camera 'left' has distortions"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_place_and_field(kind, file, change, sentence, tmp_path):
    path = MAKERS[kind](tmp_path)
    damaged = tmp_path / file
    text = damaged.read_text()
    assert change(text) != text
    damaged.write_text(change(text))
    with pytest.raises(InputError, match=sentence):
        load_calibration(path)


def test_a_left_handed_rotation_of_qualisys_is_a_mirror_image(tmp_path):
    path = made.qualisys_file(tmp_path / "Calib.qca.txt", MM)
    text = re.sub(r'r1(\d)="(-?)', lambda m: f'r1{m[1]}="{"" if m[2] else "-"}', path.read_text())
    path.write_text(text)
    with pytest.raises(InputError, match="determinant -1, a mirror image"):
        load_calibration(path)


def test_millimetres_are_not_taken_for_metres_nor_metres_for_millimetres(tmp_path):
    with pytest.raises(InputError, match="expected metres, not millimetres .*--units mm"):
        load_calibration(made.toml_file(tmp_path / "a.toml", MM))
    with pytest.raises(InputError, match="at most 2.8 mm from their middle; expected a rig of metres"):
        read_calibration([made.toml_file(tmp_path / "b.toml", Source())], unit="mm")


def test_files_of_two_calibrations_are_not_mixed(tmp_path):
    toml = made.toml_file(tmp_path / "a.toml", Source())
    other = made.toml_file(tmp_path / "b.toml", Source())
    yml = made.opencv_file(tmp_path / "cams.yml", Source())
    with pytest.raises(InputError, match="are of different kinds"):
        read_calibration([toml, yml])
    with pytest.raises(InputError, match="are whole calibrations each"):
        read_calibration([toml, other])
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="no calibration in this folder; expected a rig.yaml, Calib.toml"):
        load_calibration(tmp_path / "nothing")


class Harmful:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_would_run_something_runs_nothing(tmp_path):
    path = tmp_path / "cam.pickle"
    path.write_bytes(pickle.dumps({"intrinsicMat": Harmful(tmp_path / "made")}))
    with pytest.raises(InputError, match=r"asks for \w+.mkdir, which is not loaded"):
        load_calibration(path)
    assert not (tmp_path / "made").exists()
    path.write_bytes(pickle.dumps({"intrinsicMat": np.array([Harmful(tmp_path / "made")], dtype=object)}))
    with pytest.raises(InputError, match="which is not loaded"):
        load_calibration(path)
    path.write_bytes(pickle.dumps({"intrinsicMat": np.array([{}], dtype=object)}))
    with pytest.raises(InputError, match="expected numbers"):
        load_calibration(path)


def _originals(folder: Path) -> dict[str, bytes]:
    """One small file of each kind that stands for itself, by the name that it must have."""
    made.opencv_file(folder / "cams.yml", Source())
    made.toml_file(folder / "Calib.toml", Source())
    made.qualisys_file(folder / "Calib.qca.txt", MM)
    (folder / "o").mkdir()
    pickled = made.opencap_session(folder / "o", MM) / "Videos" / "left" / "cameraIntrinsicsExtrinsics.pickle"
    (folder / "r").mkdir()
    made.ros_files(folder / "r", Source())
    rig = Rig({"a": make_camera("a"), "b": make_camera("b", position_m=np.ones(3))})
    save_rig(rig, folder / "rig.yaml")
    ros = (folder / "r" / "left.yaml").read_bytes() + b"---\n" + (folder / "r" / "tf_static.yaml").read_bytes()
    found = {name: (folder / name).read_bytes() for name in ("cams.yml", "Calib.toml", "Calib.qca.txt", "rig.yaml")}
    return {**found, "one.pickle": pickled.read_bytes(), "ros.yaml": ros}


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    return _originals(tmp_path_factory.mktemp("originals"))


@pytest.mark.parametrize("name", ["cams.yml", "Calib.toml", "Calib.qca.txt", "rig.yaml", "one.pickle", "ros.yaml"])
@FILES
@given(changes=CHANGES)
@example(changes=[(0.0, 10_000_000, b"")])
@example(changes=[(0.0, 10_000_000, b"[" * 100_000)])
def test_a_damaged_file_never_raises_anything_but_a_sentence(name, originals, changes, tmp_path):
    path = write(tmp_path / name, damaged(originals[name], changes))
    is_refused(lambda: load_calibration(path), str(path))


@FILES
@given(data=st.binary(max_size=200), name=st.sampled_from(["a.yaml", "a.toml", "a.qca.txt", "a.npz", "a.pickle"]))
def test_noise_is_no_calibration(data, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=re.escape(str(path))):
        load_calibration(path)


def test_the_projection_of_the_made_cameras_is_opencvs_own():
    """The oracle itself: the point that both cameras look at is near the middle of both images."""
    for name in made.K:
        pixel = Source().project(name, np.array([[0.0, 0.0, 1.0]]))[0]
        np.testing.assert_allclose(pixel, made.K[name][:2, 2], atol=1e-6)
    assert np.allclose(cv2.Rodrigues(Source().rvec("left"))[0], Source().rotation("left"))
