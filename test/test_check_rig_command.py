"""The command check-rig on a small simulated bag."""

import json

import pytest
import yaml
from click.testing import CliRunner

from markerless_biomech.cli import main


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp("bags") / "walk"
    words = ["simulate", "--out", str(path), "--cameras", "4", "--seconds", "2", "--keypoint-set", "coco_17"]
    assert CliRunner().invoke(main, words).exit_code == 0
    return path


def run(*words):
    result = CliRunner().invoke(main, ["check-rig", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def test_json_has_findings_cameras_and_pairs(bag):
    answer = json.loads(run(bag, "--json").splitlines()[-1])
    assert answer["findings"] == [] and set(answer["cameras"]) == {"cam0", "cam1", "cam2", "cam3"}
    assert len(answer["pairs"]) == 6 and all(pair["epipolar_px"] < 10.0 for pair in answer["pairs"])


def test_another_rig_is_checked_against_the_bag(bag, tmp_path):
    content = yaml.safe_load((bag / "rig.yaml").read_text())
    cameras = content["cameras"]
    cameras["cam1"], cameras["cam2"] = cameras["cam2"], cameras["cam1"]
    wrong = tmp_path / "rig.yaml"
    wrong.write_text(yaml.safe_dump(content))
    findings = json.loads(run(bag, "--rig", wrong, "--json").splitlines()[-1])["findings"]
    assert {(one["camera"], one["kind"]) for one in findings} == {("cam1", "swapped"), ("cam2", "swapped")}
    assert all(set(one) == {"camera", "kind", "value", "unit", "sentence"} for one in findings)


def test_people_get_tables_and_a_verdict(bag):
    shown = run(bag)
    assert "cam3" in shown and "epipolar" in shown and "ok: the rig agrees" in shown
