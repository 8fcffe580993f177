"""The subject's file: what is written is read back; what is wrong is refused by file, field, found and expected."""

import dataclasses

import numpy as np
import pytest
import yaml

from markerless_biomech.body.names import SCALE_NAMES
from markerless_biomech.body.subject import Subject, load_subject, save_subject, subject_from_height, subject_to_dict
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import load_keypoint_set


@pytest.fixture
def subject() -> Subject:
    rng = np.random.default_rng(11)
    offsets = {name: rng.normal(0, 0.01, 3) for name in load_keypoint_set("coco_17").names}
    root = rng.normal(size=(10 + 51, 10 + 51))
    return Subject(
        name="S 01",
        height_m=1.68,
        mass_kg=61.5,
        scales=rng.normal(0, 0.05, 10),
        offsets_m=offsets,
        keypoint_set="coco_17",
        covariance=1e-4 * root @ root.T,
        residual_px=4.25,
        date="2026-03-01",
    )


def _same(a: Subject, b: Subject) -> None:
    assert a.offsets_m.keys() == b.offsets_m.keys()
    for name in a.offsets_m:
        np.testing.assert_array_equal(a.offsets_m[name], b.offsets_m[name])
    np.testing.assert_array_equal(a.scales, b.scales)
    plain = {"offsets_m", "scales", "covariance"}
    for field in dataclasses.fields(Subject):
        assert field.name in plain or getattr(a, field.name) == getattr(b, field.name)


def test_a_subject_is_read_back_as_it_was_written(subject, tmp_path):
    save_subject(subject, tmp_path / "subject.yaml")
    found = load_subject(tmp_path / "subject.yaml")
    _same(found, subject)
    assert subject.covariance is not None and found.covariance is not None
    np.testing.assert_allclose(found.covariance, subject.covariance, rtol=1e-6, atol=1e-10)  # kept as float32


def test_what_is_not_known_stays_unknown(tmp_path):
    generic = subject_from_height(1.9, "bml_movi_87")
    save_subject(generic, tmp_path / "subject.yaml")
    found = load_subject(tmp_path / "subject.yaml")
    _same(found, generic)
    assert found.covariance is None and found.residual_px is None


def test_a_file_is_replaced_only_when_forced_and_nothing_else_is_left(subject, tmp_path):
    path = tmp_path / "subject.yaml"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists already.*--force"):
        save_subject(subject, path)
    assert path.read_text() == "precious"
    save_subject(subject, path, force=True)
    _same(load_subject(path), subject)
    assert [file.name for file in tmp_path.iterdir()] == ["subject.yaml"]


def test_height_scales_the_whole_body_and_nothing_else():
    tall = subject_from_height(2.0, load_keypoint_set("bml_movi_87"))
    assert tall.keypoint_set == "bml_movi_87"
    assert tall.scales[SCALE_NAMES.index("overall")] == pytest.approx(2.0 / 1.75 - 1)
    assert not np.delete(tall.scales, 0).any()


@pytest.mark.parametrize("height_m", [0.0, 17.5, float("nan")])
def test_a_height_that_nobody_has_is_refused(height_m):
    with pytest.raises(InputError, match="height_m is .* expected 0.5 to 2.5 m"):
        subject_from_height(height_m, "bml_movi_87")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", 7, "'version' is 7; expected 1"),
        ("base_model", "gait2392", "'base_model' is 'gait2392'; expected 'markerless_biomech'"),
        ("base_model_version", "0.1", "'base_model_version' is '0.1'; expected"),
        ("height_m", "tall", "'height_m' is 'tall'; expected 1 number from 0.5 to 2.5"),
        ("height_m", 168, "'height_m' is 168"),
        ("height_m", True, "'height_m' is True"),
        ("mass_kg", float("nan"), "'mass_kg' is nan"),
        ("scales", {"overall": 0.1}, "'scales' is 'overall'; expected the factors overall, pelvis"),
        ("scales", [0.0] * 10, "'scales' is .* expected a map"),
        ("offsets_m", {"nose": [0.0, 0.0]}, "'offsets_m.nose' is .*expected 3 numbers"),
        ("offsets_m", {"nose": [0.0, 0.0, 90.0]}, "'offsets_m.nose'"),
        ("covariance", "AAAAAA==", "'covariance' is '1 values'; expected the lower triangle of a 61 x 61 matrix"),
        ("covariance", "not base64!", "'covariance'"),
        ("residual_px", -1.0, "'residual_px' is -1.0"),
        ("name", None, "'name' is None; expected text"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_found_and_expected(subject, tmp_path, field, value, message):
    content = subject_to_dict(subject) | {field: value}
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=f"wrong.yaml: the field {message}"):
        load_subject(path)


@pytest.mark.parametrize("field", ["version", "base_model", "height_m", "scales", "offsets_m", "covariance"])
def test_a_missing_field_is_named(subject, tmp_path, field):
    content = subject_to_dict(subject)
    del content[field]
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=f"short.yaml: the field '{field}' is missing"):
        load_subject(path)


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b", "a: [1, 2", "\x00"])
def test_what_is_no_subject_file_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="odd.yaml") as caught:
        load_subject(path)
    assert "\n" not in str(caught.value)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nobody.yaml does not exist"):
        load_subject(tmp_path / "nobody.yaml")
