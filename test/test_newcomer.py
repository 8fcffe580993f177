"""The way of somebody new: every command of README's "From your own recording to OpenSim", on files of a lab."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from markerless_biomech.cameras.calibration_files import save_calibration
from markerless_biomech.cli import main
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.virtual_rig import SimulatedSession, simulate

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def commands() -> list[list[str]]:
    """Arguments of each command in that section."""
    section = README.split("## From your own recording to OpenSim")[1].split("\n## ")[0]
    return [
        shlex.split(line, comments=True) for line in re.findall(r"^    markerless-biomech (.*)$", section, re.MULTILINE)
    ]


def write_as_a_lab_has_it(session: SimulatedSession, folder: Path) -> None:
    """OpenPose's JSON, a folder a camera, and a calibration in TOML."""
    for camera, name in enumerate(session.rig_nominal.cameras):
        images = folder / "walk1" / "pose" / f"{name}_json"
        images.mkdir(parents=True)
        for frame, points in enumerate(session.keypoints[:, camera]):
            people = [{"person_id": [-1], "pose_keypoints_2d": np.round(points, 3).ravel().tolist()}]
            (images / f"{name}_{frame:06d}.json").write_text(json.dumps({"version": 1.3, "people": people}))
    save_calibration(session.rig_nominal, folder / "Calib.toml", "pose2sim")


def test_every_command_on_the_way_from_json_to_opensim_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = simulate(SimulationSettings(cameras=4, fps=30.0, seconds=4.0, keypoint_set="halpe_26", seed=2))
    write_as_a_lab_has_it(session, tmp_path)
    monkeypatch.chdir(tmp_path)
    for arguments in commands():
        answer = CliRunner().invoke(main, arguments)
        assert answer.exit_code == 0, f"{arguments}: {answer.output}"
    assert len(commands()) == 7
    angles = (tmp_path / "walk1.mot").read_text().splitlines()
    # The refit has every frame set of 4 s at 30 Hz but those before the first pose.
    assert "inDegrees=yes" in angles and len(angles) > 100
    assert "<img" in (tmp_path / "walk1.html").read_text()
    assert (tmp_path / "walk1.trc").read_text().startswith("PathFileType")
