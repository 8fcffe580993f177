"""calibrate, refit and evaluate --leave-one-out as a user types them, on short simulated walks before four cameras."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from markerless_biomech import cli
from markerless_biomech.body.names import SCALE_NAMES
from markerless_biomech.body.subject import load_subject
from markerless_biomech.cameras.rig import load_rig
from markerless_biomech.recording.recorded_session import read_session

WALK = ("--cameras", 4, "--seconds", 1.5, "--fps", 30, "--keypoint-set", "coco_17", "--path", "there-and-back")


def run(*arguments: object):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def answer(*arguments: object) -> dict:
    """The JSON object that a command prints last."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("offline")


@pytest.fixture(scope="module")
def walks(folder) -> list[dict]:
    """Two walks of one person."""
    return [
        answer("simulate", *WALK, "--person-seed", 1, "--seed", seed, "--out", folder / f"walk{seed}")
        for seed in (1, 2)
    ]


@pytest.fixture(scope="module")
def calibrated(folder, walks) -> dict:
    bags = [walk["bag"] for walk in walks]
    report = folder / "anna.html"
    return answer(
        "calibrate", *bags, "--height-m", 1.75, "--name", "anna", "--out", folder / "anna.yaml", "--report", report
    )


@pytest.fixture(scope="module")
def refitted(folder, walks, calibrated) -> dict:
    return answer("refit", walks[0]["bag"], "--subject", calibrated["subject"], "--out", folder / "refit")


def test_calibrate_writes_the_subject_and_says_how_sure_it_is(calibrated):
    subject = load_subject(calibrated["subject"])
    assert calibrated["out"] == calibrated["subject"] and calibrated["rig"] is None
    assert subject.name == "anna" and subject.height_m == pytest.approx(1.75) and len(subject.date) == 10
    assert subject.covariance is not None and subject.covariance.shape == (10 + 3 * 17, 10 + 3 * 17)
    assert subject.residual_px == pytest.approx(calibrated["reprojection_px"]) and calibrated["noise_correlation"] >= 1
    # 3 px white noise per axis: a Rayleigh's mean is 3.8 px
    assert calibrated["reprojection_px"] < 5
    determined = {one["name"]: one for one in calibrated["determined"]}
    assert set(SCALE_NAMES) < set(determined) and determined["thigh_r"]["unit"] in ("1", "m")
    assert len(calibrated["determined"]) == 10 + 13
    assert all(0 < one["posterior_std"] <= 1.001 * one["prior_std"] for one in calibrated["determined"])
    assert {one["name"] for one in calibrated["offsets"]} == {
        f"offset {name} {axis}" for name in subject.offsets_m for axis in "xyz"
    }


def test_skin_that_slides_is_not_kept_for_a_person_whose_skin_stays(walks, tmp_path):
    found = answer("calibrate", walks[0]["bag"], "--soft-tissue", "--height-m", 1.75, "--out", tmp_path / "a.yaml")
    choice = found["soft_tissue"]
    assert choice["kept"] is False and not load_subject(found["subject"]).soft_tissue_m_per_rad
    assert choice["in_words"].startswith("skin that slides: not kept; cameras left out are foretold to ")
    # 3 px per axis at 4 m, less further away, and what the others cannot say of a camera left out
    assert 2 < choice["without_px"] < 7 and choice["with_px"] == pytest.approx(choice["without_px"], rel=0.02)


def test_calibrate_says_in_words_what_it_could_not_determine(walks, tmp_path):
    result = run("calibrate", walks[0]["bag"], "--out", tmp_path / "a.yaml")
    assert result.exit_code == 0, result.output
    assert "hardly_determined: " in result.stdout and "thigh_r: 0." in result.stdout
    assert "determined:" not in result.stdout.replace("hardly_determined:", ""), "long tables are for --json"
    assert len(result.stdout.splitlines()) < 30


def test_calibrate_draws_its_report(calibrated):
    page = Path(calibrated["report"])
    assert "<h1>Subject anna</h1>" in page.read_text() and "Worst frames" in page.read_text()
    assert {path.stem for path in page.with_name("anna_pictures").iterdir()} == {
        "subject_scales",
        "subject_offsets",
        "subject_residuals",
    }


def test_a_refit_bag_holds_its_input_and_a_state_for_each_frame_set(walks, calibrated, refitted):
    before, after = read_session(walks[0]["bag"]), read_session(refitted["out"])
    assert len(after.frames) == len(before.frames)
    assert len(after.bodies("truth/body_state")) == len(before.bodies("truth/body_state"))
    bodies = after.bodies("body_state_refit")
    assert len(bodies) == refitted["frames"] == 45 and all(body.settled for body in bodies)
    assert refitted["tracked"] + refitted["lost"] <= 45 and refitted["lost"] == 0
    assert {"model", "subject", "keypoint_set", "rig", "settings"} <= set(after.definitions)
    assert "name: anna" in after.definitions["subject"] and "trajectory: smoother" in after.definitions["settings"]
    (cameras,) = after.fitted_cameras()
    assert cameras.names == ("cam0", "cam1", "cam2", "cam3") and np.all(cameras.residual_px < 6)
    assert "remark" not in refitted


def test_the_refit_is_the_best_result_and_is_judged_by_default(refitted):
    judged = answer("evaluate", refitted["out"])
    assert judged["result"] == "refit" and judged["frames"] == 45 and judged["frames_lost"] == 0
    assert judged["truth"]["gc"]["20"] is not None and judged["leave_one_out"] is None
    assert judged["reprojection_px"]["mean"] == pytest.approx(refitted["reprojection_px"], rel=0.1)


def test_the_same_bag_twice_gives_the_same_bytes(folder, walks, calibrated, refitted, tmp_path):
    again = answer("refit", walks[0]["bag"], "--subject", calibrated["subject"], "--out", tmp_path / "again")
    for bag, name in ((refitted["out"], "first.csv"), (again["out"], "second.csv")):
        exported = answer("export", bag, "--format", "csv", "--out", tmp_path / name)
        assert exported["result"] == "refit" and exported["rows"] == 45
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "second.csv").read_bytes()


def test_live_results_of_the_same_body_stay_and_those_of_another_go(walks, calibrated, tmp_path):
    live = answer("replay", walks[0]["bag"], "--subject", calibrated["subject"], "--out", tmp_path / "live")
    kept = answer("refit", live["out"], "--subject", calibrated["subject"], "--out", tmp_path / "kept")
    session = read_session(kept["out"])
    assert len(session.bodies("body_state")) == len(session.bodies("body_state_settled")) == 45
    assert "lag_s: 0.1" in session.definitions["settings"] and "refit:" in session.definitions["settings"]
    result = run("refit", kept["out"], "--subject", walks[0]["subject"], "--out", tmp_path / "other")
    assert result.exit_code == 0 and "of another body" in result.stderr
    other = read_session(tmp_path / "other")
    assert other.bodies("body_state") == [] == other.bodies("body_state_settled")
    assert len(other.bodies("body_state_refit")) == 45, "that of the first refit is gone"


def test_a_replay_leaves_the_refit_of_another_time_out(refitted, tmp_path):
    again = answer("replay", refitted["out"], "--height-m", 1.75, "--out", tmp_path / "again")
    assert read_session(again["out"]).bodies("body_state_refit") == []


def test_cameras_left_out_are_foretold(refitted):
    judged = answer("evaluate", refitted["out"], "--leave-one-out")["leave_one_out"]
    assert set(judged["reprojection_px"]["per_camera"]) == {"cam0", "cam1", "cam2", "cam3"}
    # the detector's own noise, and a little that three cameras do not know
    assert refitted["reprojection_px"] < judged["reprojection_px"]["mean"] < 2 * refitted["reprojection_px"]
    assert judged["coverage"]["50"] < judged["coverage"]["80"] < judged["coverage"]["95"]
    assert 0.8 < judged["coverage"]["90"] <= 1.0


def test_what_is_refused_is_refused_before_the_work(walks, calibrated, refitted, tmp_path):
    bag, subject, rig = walks[0]["bag"], calibrated["subject"], tmp_path / "rig.yaml"
    both = ("--trajectory", "implicit")
    other_set = answer("simulate", *WALK[:-4], "--keypoint-set", "halpe_26", "--out", tmp_path / "halpe")["bag"]
    for arguments, words in (
        (("calibrate", bag, "--out", subject), "--force"),
        (("calibrate", bag, "--out", tmp_path / "b.yaml", "--report", calibrated["report"]), "--force"),
        (("calibrate", bag, "--out", tmp_path), "is a folder"),
        (("calibrate", bag, f"{bag}/", "--out", tmp_path / "b.yaml"), "is given twice"),
        (("calibrate", bag, other_set, "--out", tmp_path / "b.yaml"), "is not the 'coco_17'"),
        (("calibrate", bag, "--out", tmp_path / "b.yaml", *both, "--refine-cameras", rig), "exclude each other"),
        (("refit", bag, "--subject", subject, "--out", refitted["out"]), "--force"),
        (("refit", bag, "--subject", subject, "--out", bag, "--force"), "is the bag to be read"),
        (("refit", bag, "--subject", subject, "--out", tmp_path / "c", *both, "--refine-cameras"), "exclude each"),
        (("refit", bag, "--subject", tmp_path / "none.yaml", "--out", tmp_path / "c"), "does not exist"),
    ):
        failed = run(*arguments)
        assert failed.exit_code == 1 and words in failed.stderr, failed.output
        assert len(failed.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "b.yaml").exists() and not (tmp_path / "c").exists()


@pytest.fixture(scope="module")
def wrong_rig(folder) -> dict:
    """The same person before cameras that stand a degree and 20 mm from where the calibration has them."""
    error = ("--camera-error-deg", 1, "--camera-error-mm", 20)
    return answer("simulate", *WALK, *error, "--person-seed", 1, "--seed", 3, "--out", folder / "wrong_rig")


def test_refit_refines_the_cameras_and_says_so_in_the_bag(calibrated, wrong_rig, tmp_path):
    results = {}
    for name, words in (("as_given", ()), ("refined", ("--refine-cameras",))):
        out = tmp_path / name
        answer("refit", wrong_rig["bag"], "--subject", calibrated["subject"], "--out", out, *words)
        results[name] = answer("evaluate", out, "--result", "refit")
    truth, reprojection = ({n: r[key] for n, r in results.items()} for key in ("truth", "reprojection_px"))
    assert truth["refined"]["camera_deg"] < 0.2 * truth["as_given"]["camera_deg"]
    assert truth["refined"]["camera_mm"] < 0.5 * truth["as_given"]["camera_mm"]
    assert reprojection["refined"]["mean"] < 0.7 * reprojection["as_given"]["mean"]


def test_calibrate_writes_the_refined_rig(wrong_rig, tmp_path):
    rig = tmp_path / "rig.yaml"
    said = answer("calibrate", wrong_rig["bag"], "--out", tmp_path / "anna.yaml", "--refine-cameras", rig)
    assert said["rig"] == str(rig) and set(load_rig(rig).cameras) == {"cam0", "cam1", "cam2", "cam3"}
    assert "moved by" in said["cameras"]["cam2"] and "known to" in said["cameras"]["cam2"]
