"""C3D read back by ezc3d: points, residuals, angles, events, units and axes."""

import numpy as np
import pytest
from made_motions import FPS, KEYPOINTS, LOST, SKIPPED, UNSEEN, walking_motion

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.errors import InputError
from markerless_biomech.recording import export_c3d
from markerless_biomech.recording.opensim_axes import pelvis_angles_deg

ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed (pip install ezc3d)")

MOTION = walking_motion()
HELD = np.flatnonzero(MOTION.held)
MISSING = [*range(LOST.start, LOST.stop), SKIPPED]
# float32 of numbers up to 2 m in millimetres, and of angles up to 360 degrees
POINT_MM = 2e-4
ANGLE_DEG = 3e-5


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("c3d") / "walk.c3d"
    export_c3d.write_c3d(MOTION, path)
    return ezc3d.c3d(str(path))


def _row(read, label: str) -> int:
    return read["parameters"]["POINT"]["LABELS"]["value"].index(label)


def test_points_come_back_in_millimetres_with_z_up(read):
    point = read["parameters"]["POINT"]
    assert point["UNITS"]["value"] == ["mm"] and point["X_SCREEN"]["value"] == ["+X"]
    assert point["Y_SCREEN"]["value"] == ["+Z"]
    assert point["RATE"]["value"][0] == pytest.approx(FPS, rel=1e-6)
    for column, name in enumerate(MOTION.site_names):
        found_mm = read["data"]["points"][:3, _row(read, name), HELD].T
        np.testing.assert_allclose(found_mm, MOTION.sites_m[HELD, column] * 1000, atol=POINT_MM, err_msg=name)


def test_angles_come_back_in_degrees_and_are_named_as_angles(read):
    point = read["parameters"]["POINT"]
    names = point["ANGLES"]["value"]
    assert names == [*JOINT_NAMES, "pelvis_tilt", "pelvis_list", "pelvis_rotation"]
    assert point["ANGLE_UNITS"]["value"] == ["deg"]
    expected = np.c_[np.degrees(MOTION.qpos[HELD, 7:]), pelvis_angles_deg(MOTION.qpos[HELD, 3:7])]
    for column, name in enumerate(names):
        found = read["data"]["points"][:3, _row(read, name), HELD]
        np.testing.assert_allclose(found[0], expected[:, column], atol=ANGLE_DEG, err_msg=name)
        assert not found[1:].any()


def test_residuals_say_seen_inferred_or_nothing(read):
    residual = read["data"]["meta_points"]["residuals"][0]
    unseen, seen = (_row(read, KEYPOINTS.names[index]) for index in (UNSEEN, UNSEEN + 1))
    np.testing.assert_allclose(residual[seen, HELD], 4.0, rtol=1e-5)  # the made standard deviation of 4 mm
    assert not residual[unseen, HELD].any()
    assert (residual[:, MISSING] == -1).all()
    assert np.isnan(read["data"]["points"][:3][:, :, MISSING]).all()


def test_step_events_come_back_with_side_kind_and_time(read):
    event = read["parameters"]["EVENT"]
    assert event["USED"]["value"][0] == 2
    assert event["CONTEXTS"]["value"] == ["Left", "Right"]
    assert event["LABELS"]["value"] == ["Foot Strike", "Foot Off"]
    minutes, seconds = event["TIMES"]["value"]
    np.testing.assert_allclose(minutes * 60 + seconds, [0.31, 0.45], atol=1e-6)  # float32 of less than a minute


def test_without_ezc3d_one_sentence_says_how_to_get_it(monkeypatch, tmp_path):
    import builtins

    known = builtins.__import__

    def without(name, *rest, **more):
        if name == "ezc3d":
            raise ImportError(name)
        return known(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="pip install ezc3d"):
        export_c3d.write_c3d(MOTION, tmp_path / "walk.c3d")
