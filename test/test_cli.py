"""The commands as a user types them: answers, exit codes, sentences; simulate -> replay -> evaluate -> export."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from markerless_biomech import cli
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.cli.options import settings_from_options, settings_options
from markerless_biomech.cli.running import command, plain, progress_bar
from markerless_biomech.errors import InputError
from markerless_biomech.recording import real_recording
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.replay import replay
from markerless_biomech.recording.session_bag import write_inputs
from markerless_biomech.results import Tracking
from markerless_biomech.settings import EstimatorSettings, SimulationSettings

SIMULATE = [
    "simulate",
    "--cameras",
    "3",
    "--seconds",
    "1.5",
    "--fps",
    "30",
    "--keypoint-set",
    "coco_17",
    "--path",
    "line",
]


def run(*arguments: object):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def answer(*arguments: object) -> dict:
    """The JSON object that a command prints last."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> dict:
    """A short simulated session."""
    return answer(*SIMULATE, "--out", tmp_path_factory.mktemp("walk") / "bag")


@pytest.fixture(scope="module")
def result(walk) -> dict:
    """Its replay with the true subject."""
    return answer("replay", walk["bag"], "--subject", walk["subject"], "--out", Path(walk["bag"]).parent / "result")


def test_the_command_is_there_at_once():
    """Nothing heavy is imported before it is needed: 0.5 s leaves room for a slow machine; jax alone takes longer."""
    script = "import sys, markerless_biomech.cli; sys.exit('jax' in sys.modules or 'numpy' in sys.modules)"
    start_s = time.monotonic()
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
    assert time.monotonic() - start_s < 2.0, "0.1 s on an idle machine"


@pytest.mark.parametrize("name", sorted(cli.main.commands))
def test_every_command_has_help_with_an_example_and_takes_json(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.output and f"markerless-biomech {name}" in result.output
    assert "--json" in result.output


def test_the_commands_of_this_version_are_all_there():
    assert {"demo", "simulate", "import", "replay", "evaluate", "benchmark", "warmup", "doctor"} <= set(
        cli.main.commands
    )


def test_simulate_says_where_bag_subject_and_rig_are(walk):
    assert Path(walk["bag"], "metadata.yaml").is_file()
    assert Path(walk["subject"]).is_file() and Path(walk["rig"]).is_file()
    assert walk["out"] == walk["bag"] and walk["frames"] == 45


def test_a_simulated_bag_holds_the_truth(walk):
    session = read_session(walk["bag"])
    truth = session.bodies("truth/body_state")
    assert len(truth) == 45 and len(session.frames) == 3 * 45
    assert {"truth/subject", "truth/rig", "truth/model", "keypoint_set", "rig"} <= set(session.definitions)
    assert session.fitted_cameras("truth/fitted_cameras")[0].names == ("cam0", "cam1", "cam2")
    assert {step.side for step in session.results["truth/step_events"]} == {"left", "right"}
    assert "subject" not in session.definitions, "nobody knows the subject before a fit"


def test_a_result_bag_holds_its_input_and_the_results(walk, result):
    before, after = read_session(walk["bag"]), read_session(result["out"])
    assert len(after.frames) == len(before.frames)
    assert all(np.array_equal(a.points, b.points) for a, b in zip(after.frames, before.frames, strict=True))
    assert len(after.bodies("truth/body_state")) == len(before.bodies("truth/body_state"))
    assert {"model", "subject", "keypoint_set", "rig", "settings"} <= set(after.definitions)
    assert result["frame_sets"] == len(after.reports) == len(after.bodies("body_state")) == 45
    assert len(after.bodies("body_state_settled")) == 45, "the last ones are settled when the recording ends"
    assert all(body.tracking is Tracking.TRACKED for body in after.bodies("body_state")[3:])
    assert result["tracked"] + result["lost"] == 45 and result["refused"] == 0


def test_a_replay_is_deterministic(walk, result, tmp_path):
    """Same bag, same bytes of every result: nothing depends on how fast this machine is."""
    again = answer("replay", walk["bag"], "--subject", walk["subject"], "--out", tmp_path / "again")
    first, second = read_session(result["out"]), read_session(again["out"])
    for topic in ("body_state", "body_state_settled"):
        for one, other in zip(first.bodies(topic), second.bodies(topic), strict=True):
            assert np.array_equal(one.qpos, other.qpos, equal_nan=True)
            assert np.array_equal(one.covariance, other.covariance, equal_nan=True)


def test_a_result_bag_can_be_replayed_anew(result, tmp_path):
    """Earlier results are replaced, not doubled."""
    again = answer("replay", result["out"], "--height-m", 1.75, "--out", tmp_path / "again")
    session = read_session(again["out"])
    assert len(session.bodies("body_state")) == 45
    assert "name: generic" in session.definitions["subject"]


def test_a_replay_of_fewer_cameras_names_those_that_are_not_there(walk, tmp_path):
    failed = run("replay", walk["bag"], "--height-m", 1.75, "--cameras", "cam0,cam7", "--out", tmp_path / "out")
    assert failed.exit_code == 1 and "no camera 'cam7'; the bag has cam0, cam1, cam2" in failed.stderr
    assert not (tmp_path / "out").exists()


def test_evaluate_answers_in_json(result):
    judged = answer("evaluate", result["out"], "--skip-s", 0.5)
    assert judged["result"] == "settled" and judged["frames_lost"] == 0
    # 3 px noise on 17 points in 3 views: a fit of the true person stays near it.
    assert judged["reprojection_px"]["median"] < 10
    assert judged["truth"]["joint_rmse_deg"]["mean"] is not None


def test_export_writes_a_row_for_each_settled_state(result, tmp_path):
    exported = answer("export", result["out"], "--out", tmp_path / "joints.csv")
    lines = (tmp_path / "joints.csv").read_text().splitlines()
    assert len(lines) == exported["rows"] + 1
    assert lines[0].startswith("time_s,hip_flexion_r,")


def test_a_subject_that_was_never_tracked_is_said_by_every_command(walk, tmp_path):
    session, rng = read_session(walk["bag"]), np.random.default_rng(0)
    noise = [replace(frame, points=rng.uniform(0, 700, (1, 17, 3)).astype(np.float32)) for frame in session.frames]
    write_inputs(tmp_path / "noise", session.keypoint_set, session.rig, noise)
    replayed = run("replay", tmp_path / "noise", "--height-m", 1.75, "--out", tmp_path / "result")
    assert replayed.exit_code == 0 and "never tracked" in replayed.stderr
    for command_ in (("evaluate",), ("export", "--out", tmp_path / "joints.csv")):
        failed = run(*command_, tmp_path / "result")
        assert failed.exit_code == 1 and "never tracked" in failed.stderr and "replay' on it" not in failed.stderr


def test_a_folder_where_a_file_is_wanted_is_named(result, tmp_path):
    for arguments in (
        ("export", result["out"], "--out", tmp_path, "--force"),
        ("report", result["out"], "--out", tmp_path, "--force"),
        ("evaluate", result["out"], "--reference", tmp_path),
    ):
        failed = run(*arguments)
        assert failed.exit_code == 1 and f"{tmp_path}" in failed.stderr and "a folder" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_without_force(walk, result, tmp_path):
    for arguments in (
        (*SIMULATE, "--out", walk["bag"]),
        ("replay", walk["bag"], "--height-m", 1.75, "--out", result["out"]),
        ("export", result["out"], "--out", walk["rig"]),
    ):
        failed = run(*arguments)
        assert failed.exit_code == 1 and "--force" in failed.stderr, failed.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "bag", "--out", "x"),
        ("replay", "bag", "--out", "x", "--subject", "s.yaml", "--height-m", "1.7"),
        ("simulate", "--out", "x", "--cameras", "1"),
        ("simulate", "--out", "x", "--path", "moon"),
        ("simulate",),
        ("evaluate", "bag", "--result", "guess"),
        ("replay", "bag", "--out", "x", "--height-m", "1.7", "--capture-volume-m", "a,b"),
        ("fly",),
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    failed = run(*arguments)
    assert failed.exit_code == 2 and failed.stdout == ""
    failed = run(*arguments, "--json")
    assert failed.exit_code == 2
    assert json.loads(failed.stdout.splitlines()[-1])["error"] in failed.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay", "nothing", "--height-m", 1.7, "--out", "x"), "no such bag"),
        (("import", "nothing", "--out", "x"), "no such file or folder"),
        (("evaluate", "nothing"), "no such bag"),
        (("simulate", "--out", "x", "--keypoint-set", "mine"), "keypoint set 'mine'"),
    ],
)
def test_what_fails_says_so_in_one_sentence_and_exits_with_1(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed = run(*arguments, "--json")
    assert failed.exit_code == 1
    assert words in failed.stderr and len(failed.stderr.strip().splitlines()) == 1
    assert words in json.loads(failed.stdout.splitlines()[-1])["error"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("the sentence"), "the sentence"),
        (OSError(28, "No space left on device", "/full"), "/full: No space left on device"),
        (ModuleNotFoundError("no", name="jax"), "jax is not installed"),
        (ZeroDivisionError("division"), "unexpected failure (ZeroDivisionError: division)"),
    ],
)
def test_no_failure_shows_a_traceback(error, words):
    @command("fail")
    def fail() -> dict:
        raise error

    failed = CliRunner().invoke(fail, [])
    assert failed.exit_code == 1 and words in failed.stderr and "Traceback" not in failed.output


def test_json_has_no_values_that_json_does_not_know():
    value = {"a": np.float32(1.5), "b": float("nan"), "c": np.array([1, np.inf]), "d": Path("x"), 5: (True, None)}
    assert plain(value) == {"a": 1.5, "b": None, "c": [1.0, None], "d": "x", "5": [True, None]}


def test_no_progress_is_drawn_where_there_is_no_terminal(capsys):
    with progress_bar("working") as progress:
        progress(0.5)
        progress(0.6, "objective 12.5")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [EstimatorSettings, SimulationSettings])
def test_options_without_arguments_are_the_defaults_of_the_settings(kind):
    @click.command()
    @settings_options(kind)
    def options(**given):
        assert settings_from_options(kind, given) == kind()

    result = CliRunner().invoke(options, [], catch_exceptions=False)
    assert result.exit_code == 0


def test_list_options_are_split():
    given = {"cameras": "left, right", "capture_volume_m": "-1,1,-2,2,0,2.5"}
    settings = settings_from_options(EstimatorSettings, given)
    assert settings.cameras == ("left", "right") and settings.capture_volume_m == (-1, 1, -2, 2, 0, 2.5)


def test_doctor_names_what_it_looked_at():
    result = run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(result.stdout.splitlines()[-1])["checks"]}
    assert {"python", "jax", "mujoco", "rosbags", "rclpy", "messages", "bags", "compile cache"} <= set(checks)
    assert all(check["sentence"] for check in checks.values())
    assert checks["rosbags"]["ok"] and checks["bags"]["ok"]
    required_ok = all(check["ok"] or check["optional"] for check in checks.values())
    assert result.exit_code == (0 if required_ok else 1)


def test_the_real_recording_says_when_the_registry_is_out_of_reach(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InputError, match="could not be downloaded.*without --real"):
        real_recording.fetch_pose2sim_recording(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_real_recording_is_taken_from_the_cache(tmp_path):
    folder = tmp_path / f"{real_recording.PACKAGE}-{real_recording.VERSION}"
    folder.mkdir()
    (folder / "Config.toml").write_text("")
    assert real_recording.fetch_pose2sim_recording(tmp_path) == folder


def test_a_replay_never_replaces_its_own_input(walk):
    with pytest.raises(InputError, match="is the bag to be read"):
        replay(walk["bag"], subject_from_height(1.75, "coco_17"), walk["bag"], force=True)
