"""Rigs that are wrong in known ways, made by altering the rig of a small simulated recording, are named as such."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.errors import InputError
from markerless_biomech.rig_check.check import check_rig
from markerless_biomech.rotations import matrix_from_xyzw, xyzw_from_matrix
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.virtual_rig import simulate

BEAM = Path(__file__).parents[2] / "shared" / "data" / "pose2sim_balancing" / "openpose_body25b.npz"


def recorded(cameras=4, **settings):
    given = {"keypoint_set": "coco_17", "seconds": 3.0, "fps": 60.0, "noise_px": 3.0, **settings}
    return simulate(SimulationSettings(cameras=cameras, **given))


@pytest.fixture(scope="module")
def session():
    return recorded(realistic=True)


@pytest.fixture(scope="module")
def frames(session):
    return list(session.frames())


def kinds(check):
    return {(one.camera, one.kind) for one in check.findings}


def altered(rig, change, only=None):
    """Every camera, or the one named, put through `change`."""
    cameras = {name: change(camera) if only in (None, name) else camera for name, camera in rig.cameras.items()}
    return Rig(cameras, rig.world_frame)


def with_calibrations(rig, sources):
    """Camera -> whose calibration it is given."""
    return Rig({name: replace(rig.cameras[sources.get(name, name)], name=name) for name in rig.cameras})


def zoomed(factor):
    return lambda camera: replace(camera, k=camera.k * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]]))


def halved(camera):
    """Calibrated on images of half the size."""
    scale = np.array([[0.5], [0.5], [1.0]])
    return replace(camera, width=camera.width // 2, height=camera.height // 2, k=camera.k * scale)


def turned(degrees, metres):
    def change(camera):
        turn = Rotation.from_rotvec(np.radians(degrees) * np.array([0.6, 0.0, 0.8]))
        orientation = (turn * Rotation.from_quat(camera.orientation_xyzw)).as_quat()
        return replace(camera, orientation_xyzw=orientation, position_m=camera.position_m + [0.0, metres, 0.0])

    return change


def mirrored(axis, orientation):
    """A world axis negated: in positions alone, or in the rotations too (S R S is a rotation again)."""
    mirror = np.eye(3)
    mirror[axis, axis] = -1.0

    def change(camera):
        rotation = matrix_from_xyzw(camera.orientation_xyzw)
        turned = xyzw_from_matrix(mirror @ rotation @ mirror) if orientation else camera.orientation_xyzw
        return replace(camera, position_m=mirror @ camera.position_m, orientation_xyzw=turned)

    return change


def inverted(camera):
    rotation, translation = camera.camera_from_world
    return replace(camera, position_m=translation, orientation_xyzw=xyzw_from_matrix(rotation))


def delayed(frames, camera, seconds):
    shift_ns = round(seconds * 1e9)
    return [replace(one, stamp_ns=one.stamp_ns + shift_ns) if one.camera == camera else one for one in frames]


@pytest.mark.parametrize(
    ("cameras", "settings"),
    [
        (2, {"noise_px": 7.0}),
        (3, {"path": "stand", "realistic": True}),
        (4, {"path": "treadmill", "realistic": True, "noise_px": 7.0, "seed": 3}),
        (8, {"keypoint_set": "bml_movi_87", "realistic": True, "seed": 4}),
        (16, {"path": "stand", "seed": 5}),
    ],
)
def test_a_sound_rig_has_no_finding(cameras, settings):
    session = recorded(cameras, **settings)
    assert check_rig(session.rig_nominal, session.frames(), session.keypoint_set).findings == ()


@pytest.mark.parametrize("pair", [("cam0", "cam1"), ("cam0", "cam2"), ("cam1", "cam2")])
def test_two_swapped_cameras_are_both_named(session, frames, pair):
    a, b = pair
    check = check_rig(with_calibrations(session.rig_nominal, {a: b, b: a}), frames, session.keypoint_set)
    assert kinds(check) == {(a, "swapped"), (b, "swapped")}
    assert all(name in check.findings[0].sentence for name in pair)


def test_two_opposite_cameras_that_are_swapped_are_told_by_little():
    """Seen from each other their images nearly agree: only the heights of the cameras differ."""
    session = recorded(2)
    wrong = with_calibrations(session.rig_nominal, {"cam0": "cam1", "cam1": "cam0"})
    assert kinds(check_rig(wrong, session.frames(), session.keypoint_set)) == {("cam0", "swapped"), ("cam1", "swapped")}


@pytest.mark.parametrize(("factor", "unit"), [(100.0, "centimetres"), (1000.0, "millimetres")])
def test_a_rig_in_another_unit_is_named_by_its_unit(session, frames, factor, unit):
    rig = altered(session.rig_nominal, lambda camera: replace(camera, position_m=camera.position_m * factor))
    check = check_rig(rig, frames, session.keypoint_set)
    assert kinds(check) == {("all", "units")} and unit in check.findings[0].sentence
    # The simulated person is as tall as the base model; its segments vary by 4 %.
    assert check.findings[0].value == pytest.approx(factor, rel=0.1)


@pytest.mark.parametrize(
    ("axis", "orientation", "says"), [(0, False, "x"), (1, False, "y"), (1, True, "y"), (2, True, "z")]
)
def test_a_mirrored_axis_is_named(session, frames, axis, orientation, says):
    rig = altered(session.rig_nominal, mirrored(axis, orientation))
    check = check_rig(rig, frames, session.keypoint_set)
    assert kinds(check) == {("all", "mirrored")} and f"the {says} axis" in check.findings[0].sentence


def test_poses_the_wrong_way_round_are_named(session, frames):
    check = check_rig(altered(session.rig_nominal, inverted), frames, session.keypoint_set)
    assert kinds(check) == {("all", "inverse_pose")}


@pytest.mark.parametrize("only", [None, "cam1"])
def test_another_image_size_is_named_with_its_factor(session, frames, only):
    check = check_rig(altered(session.rig_nominal, halved, only), frames, session.keypoint_set)
    wrong = [only] if only else list(session.rig_nominal.cameras)
    assert kinds(check) == {(name, "image_size") for name in wrong}
    assert all(one.value == pytest.approx(2.0) and "fx, fy, cx and cy" in one.sentence for one in check.findings)


def test_where_only_the_stated_image_size_is_wrong_the_calibration_is_not_blamed(session, frames):
    rig = altered(session.rig_nominal, lambda camera: replace(camera, width=640, height=512), "cam2")
    check = check_rig(rig, frames, session.keypoint_set)
    assert kinds(check) == {("cam2", "image_size")} and "only the stated size is wrong" in check.findings[0].sentence


def test_scaled_images_are_named_where_nobody_states_their_size(session, frames):
    check = check_rig(altered(session.rig_nominal, zoomed(1.0), None), frames, session.keypoint_set)
    assert check.findings == ()
    rig = altered(
        session.rig_nominal, lambda camera: replace(camera, k=camera.k * np.array([[1.5], [1.5], [1.0]])), "cam1"
    )
    check = check_rig(rig, frames, session.keypoint_set)
    assert kinds(check) == {("cam1", "image_size")} and "1.5" in check.findings[0].sentence


def test_a_camera_that_moved_is_named_with_degrees(session, frames):
    for degrees in (1.0, 10.0):
        check = check_rig(altered(session.rig_nominal, turned(degrees, 0.02), "cam1"), frames, session.keypoint_set)
        assert kinds(check) == {("cam1", "moved")}
        # The person fills little of the image, so that turn and shift are told apart badly: 3 cm are half a degree.
        assert check.findings[0].value == pytest.approx(degrees, abs=0.3 + 0.05 * degrees)


def test_a_zoomed_camera_is_named_with_percent(session, frames):
    check = check_rig(altered(session.rig_nominal, zoomed(1.05), "cam1"), frames, session.keypoint_set)
    assert kinds(check) == {("cam1", "focal_length")}
    assert check.findings[0].value == pytest.approx(100.0 * (1 / 1.05 - 1.0), abs=1.0)


def test_where_every_camera_is_a_little_off_none_is_said_to_have_moved(session, frames):
    rng = np.random.default_rng(0)

    def off(camera):
        turn = Rotation.from_rotvec(np.radians(0.7) * rng.normal(size=3))
        return replace(camera, orientation_xyzw=(turn * Rotation.from_quat(camera.orientation_xyzw)).as_quat())

    check = check_rig(altered(session.rig_nominal, off), frames, session.keypoint_set)
    assert {one.kind for one in check.findings} == {"residual"}


@pytest.mark.parametrize("seconds", [0.008, 1.0 / 60.0, 0.2, 5.0])
def test_a_late_camera_is_named_with_milliseconds(session, frames, seconds):
    check = check_rig(session.rig_nominal, delayed(frames, "cam1", seconds), session.keypoint_set)
    assert kinds(check) == {("cam1", "time_offset")}
    # Stamps too late by so much: the pictures were taken earlier. 1.5 ms is what the estimate is good for.
    assert check.findings[0].value == pytest.approx(-1e3 * seconds, abs=max(1.5, 10.0 * (seconds > 0.1)))


def test_known_time_offsets_are_taken_into_account(session, frames):
    late = delayed(frames, "cam1", 0.05)
    assert check_rig(session.rig_nominal, late, session.keypoint_set, {"cam1": -0.05}).findings == ()


def test_a_frozen_camera_accuses_nobody_else(session, frames):
    still = next(one for one in frames if one.camera == "cam1" and len(one.points))
    changed = [replace(one, points=still.points) if one.camera == "cam1" else one for one in frames]
    assert kinds(check_rig(session.rig_nominal, changed, session.keypoint_set)) == {("cam1", "frozen")}


def test_one_camera_under_two_names_is_a_duplicate(session, frames):
    rest = [one for one in frames if one.camera != "cam1"]
    twice = [*rest, *(replace(one, camera="cam1") for one in rest if one.camera == "cam0")]
    assert kinds(check_rig(session.rig_nominal, twice, session.keypoint_set)) == {("cam1", "duplicate_pictures")}


def test_one_calibration_for_two_cameras_is_a_duplicate(session, frames):
    check = check_rig(with_calibrations(session.rig_nominal, {"cam1": "cam0"}), frames, session.keypoint_set)
    assert kinds(check) == {("cam1", "duplicate_calibration")}


def test_a_camera_without_keypoints_is_silent(session, frames):
    rest = [one for one in frames if one.camera != "cam3"]
    assert kinds(check_rig(session.rig_nominal, rest, session.keypoint_set)) == {("cam3", "silent")}


def test_the_floor_and_the_way_up_are_told_by_the_person(session, frames):
    def raised(camera):
        return replace(camera, position_m=camera.position_m + [0.0, 0.0, 0.3])

    check = check_rig(altered(session.rig_nominal, raised), frames, session.keypoint_set)
    assert kinds(check) == {("all", "floor")}
    assert check.findings[0].value == pytest.approx(300.0, abs=30.0)  # sites' offsets are 8 mm SD

    z_to_y = Rotation.from_euler("x", -90.0, degrees=True)

    def y_up(camera):
        orientation = (z_to_y * Rotation.from_quat(camera.orientation_xyzw)).as_quat()
        return replace(camera, position_m=z_to_y.apply(camera.position_m), orientation_xyzw=orientation)

    check = check_rig(altered(session.rig_nominal, y_up), frames, session.keypoint_set)
    assert kinds(check) == {("all", "up")} and "--up y" in check.findings[0].sentence


def test_a_detector_that_exchanges_left_and_right_is_named(session, frames):
    exchanged = [replace(one, points=one.points[:, session.keypoint_set.partners]) for one in frames]
    assert kinds(check_rig(session.rig_nominal, exchanged, session.keypoint_set)) == {("all", "left_right")}


def test_bystanders_confuse_nothing(session, frames):
    """Somebody else stands in the images, before or after the subject in the list."""
    rng = np.random.default_rng(1)

    def joined(one):
        if not len(one.points):
            return one
        other = one.points[0].copy()
        other[:, :2] += [260.0, -20.0] + rng.normal(0.0, 3.0, (len(other), 2))
        people = [one.points[0], other] if rng.random() < 0.5 else [other, one.points[0]]
        return replace(one, points=np.stack(people).astype(np.float32))

    crowd = [joined(one) for one in frames]
    assert check_rig(session.rig_nominal, crowd, session.keypoint_set).findings == ()
    wrong = with_calibrations(session.rig_nominal, {"cam0": "cam1", "cam1": "cam0"})
    assert kinds(check_rig(wrong, crowd, session.keypoint_set)) == {("cam0", "swapped"), ("cam1", "swapped")}


def test_one_camera_is_no_rig(session, frames):
    with pytest.raises(InputError, match="at least two"):
        check_rig(Rig({"cam0": session.rig_nominal.cameras["cam0"]}), frames, session.keypoint_set)


def test_a_recording_without_people_is_said_to_be_one(session, frames):
    empty = [replace(one, points=one.points[:0]) for one in frames]
    check = check_rig(session.rig_nominal, empty, session.keypoint_set)
    assert {one.kind for one in check.findings} == {"silent"} and len(check.findings) == 4


@pytest.mark.skipif(not BEAM.exists(), reason="the recording pose2sim_balancing is not here")
def test_a_calibration_that_is_really_off_is_to_be_refined_and_nothing_worse(tmp_path):
    """Its poses reproject at 14 px; refined on the keypoints 9 px."""
    from markerless_biomech.recording.imports import import_recording
    from markerless_biomech.recording.rig_recording import read_rig_recording

    import_recording(BEAM, tmp_path / "bag", None, None, None, False)
    beam = read_rig_recording(tmp_path / "bag")
    check = check_rig(beam.rig, beam.frames, beam.keypoint_set)
    assert {one.kind for one in check.findings} == {"residual"}
    assert all("refine" in one.sentence for one in check.findings)
    assert np.nanmax(check.refined_px) < 0.6 * np.nanmax(check.reprojection_px)
