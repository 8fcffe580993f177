"""`export` as a user types it: every format of one bag, read by its tool, agrees with what the bag holds."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree

import mujoco
import numpy as np
import pytest
from click.testing import CliRunner
from made_motions import made_steps
from made_results import made_session, write_made_bag

from markerless_biomech import cli
from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.subject import save_subject
from markerless_biomech.cli import exports as options
from markerless_biomech.recording.export_motion import read_motion
from markerless_biomech.recording.export_opensim import OPENSIM_MODELS
from markerless_biomech.recording.exports import FORMATS

FRAMES = 20


def run(*arguments: object):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def answer(*arguments: object) -> dict:
    """The JSON object that a command prints last."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def session():
    return made_session(frames=FRAMES, cameras=2)


@pytest.fixture(scope="module")
def bag(session, tmp_path_factory):
    return write_made_bag(session, tmp_path_factory.mktemp("export") / "bag")


@pytest.fixture(scope="module")
def motion(bag):
    return read_motion(bag)


def test_the_options_are_the_formats_models_and_results_that_there_are():
    assert options.FORMATS == FORMATS and options.MODELS == OPENSIM_MODELS


def test_the_best_result_of_the_bag_is_exported_unless_another_is_named(bag, tmp_path):
    best = answer("export", bag, "--format", "mot", "--out", tmp_path / "walk.mot")
    live = answer("export", bag, "--format", "mot", "--result", "live", "--out", tmp_path / "live.mot")
    assert best["result"] == "settled" and live["result"] == "live"
    assert best["rows"] == FRAMES and best["empty_rows"] == 0
    assert best["rate_hz"] == pytest.approx(60.0, rel=1e-6) and best["time_0"] == "1700000000.000000000"
    assert (tmp_path / "walk.mot").read_text() != (tmp_path / "live.mot").read_text()


def test_csv_mot_and_trc_hold_the_bags_numbers(bag, motion, tmp_path):
    for kind in ("csv", "mot", "trc"):
        answer("export", bag, "--format", kind, "--out", tmp_path / f"walk.{kind}")
    joints_deg = np.degrees(motion.qpos[:, 7:])
    with (tmp_path / "walk.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = np.array([[float(row[name]) for name in JOINT_NAMES] for row in rows])
    np.testing.assert_allclose(found, joints_deg, atol=1e-6)  # six decimals
    lines = (tmp_path / "walk.mot").read_text().splitlines()
    head = lines.index("endheader")
    table = np.loadtxt(lines[head + 2 :])
    column = lines[head + 1].split("\t").index("knee_angle_l")
    np.testing.assert_allclose(table[:, column], joints_deg[:, JOINT_NAMES.index("knee_angle_l")], atol=1e-8)
    points_mm = np.loadtxt((tmp_path / "walk.trc").read_text().splitlines()[6:])[:, 2:].reshape(FRAMES, -1, 3)
    np.testing.assert_allclose(points_mm[..., 1], motion.sites_m[..., 2] * 1000, atol=1e-5)  # up is y


def test_c3d_holds_the_bags_points(bag, motion, tmp_path):
    ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed (pip install ezc3d)")
    answer("export", bag, "--format", "c3d", "--out", tmp_path / "walk.c3d")
    read = ezc3d.c3d(str(tmp_path / "walk.c3d"))
    points_mm = read["data"]["points"][:3, : len(motion.site_names)].transpose(2, 1, 0)
    np.testing.assert_allclose(points_mm, motion.sites_m * 1000, atol=2e-4)  # float32 of up to 2 m


def test_the_person_is_exported_from_a_bag_or_from_a_subjects_file(bag, session, tmp_path):
    save_subject(session.subject, tmp_path / "anna.yaml")
    for kind in ("urdf", "mjcf"):
        texts = []
        for source in (bag, tmp_path / "anna.yaml"):
            out = tmp_path / f"{source.name}.{kind}"
            assert answer("export", source, "--format", kind, "--out", out)["subject"] == session.subject.name
            texts.append(out.read_text())
        assert texts[0] == texts[1]
    robot = ElementTree.parse(tmp_path / "bag.urdf").getroot()
    assert tuple(joint.attrib["name"] for joint in robot.findall("joint")) == JOINT_NAMES
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "bag.mjcf"))
    assert model.body_mass.sum() == pytest.approx(session.subject.mass_kg, rel=1e-5)


@pytest.mark.parametrize("kind", ["c3d", "bvh", "urdf"])
def test_nothing_is_overwritten_and_a_bag_without_a_result_is_refused(kind, bag, tmp_path):
    (tmp_path / "there").write_text("mine")
    failed = run("export", bag, "--format", kind, "--out", tmp_path / "there")
    assert failed.exit_code == 1 and "--force" in failed.stderr
    assert (tmp_path / "there").read_text() == "mine"
    failed = run("export", tmp_path / "nowhere", "--format", kind, "--out", tmp_path / "out")
    assert failed.exit_code == 1 and "nowhere" in failed.stderr and not (tmp_path / "out").exists()


def test_step_events_lie_beside_the_joints(session, tmp_path):
    bag = write_made_bag(session, tmp_path / "bag", steps=made_steps())
    exported = answer("export", bag, "--out", tmp_path / "joints.csv")
    assert exported["events"] == str(tmp_path / "events.csv") and exported["event_rows"] == 2
    with (tmp_path / "events.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["side"], row["type"]) for row in rows] == [("left", "heel_strike"), ("right", "toe_off")]
    assert rows[0]["time_s"] == "1700000000.310000000", "the last revision"
