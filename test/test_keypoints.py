"""Keypoint sets: the shipped ones are the detectors' own lists, and a lab's own file is checked field by field."""

import numpy as np
import pytest
import yaml

from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import SHIPPED_KEYPOINT_SETS, keypoint_set_from_text, load_keypoint_set

COUNTS = {
    "bml_movi_87": 87,
    "coco_17": 17,
    "halpe_26": 26,
    "body_25": 25,
    "body_25b": 25,
    "blazepose_33": 33,
    "coco_wholebody_133": 133,
}
# Where a detector's list is easily got wrong: index and name in its documentation.
LANDMARKS = {
    "bml_movi_87": "0 backneck, 4 umbilicus, 5 lfronthead, 21 LHeel, 35 lbum, 36 rfronthead, 52 RHeel, 66 rbum, "
    "67 Head, 68 mhip, 70 Neck, 71 LAnkle, 78 LFoot, 79 RAnkle, 86 RFoot",
    "coco_17": "0 nose, 1 left_eye, 5 left_shoulder, 10 right_wrist, 11 left_hip, 16 right_ankle",
    "halpe_26": "5 LShoulder, 17 Head, 18 Neck, 19 Hip, 20 LBigToe, 21 RBigToe, 24 LHeel",
    "body_25": "1 Neck, 2 RShoulder, 8 MidHip, 11 RAnkle, 15 REye, 19 LBigToe, 24 RHeel",
    "body_25b": "5 LShoulder, 16 RAnkle, 17 Neck, 18 HeadTop, 19 LBigToe, 21 LHeel, 24 RHeel",
    "blazepose_33": "1 left_eye_inner, 7 left_ear, 9 mouth_left, 11 left_shoulder, 16 right_wrist, 17 left_pinky, "
    "23 left_hip, 31 left_foot_index, 32 right_foot_index",
    "coco_wholebody_133": "16 right_ankle, 17 left_big_toe, 18 left_small_toe, 19 left_heel, 22 right_heel, "
    "91 left_hand_root",
}
GOOD = {
    "name": "mine",
    "keypoints": {
        "heel_l": {"body": "calcn_l", "position_m": [0.0, 0.0, 0.0], "partner": "heel_r", "weight": 0.5},
        "heel_r": {"body": "calcn_r", "position_m": [0.0, 0.0, 0.0], "partner": "heel_l"},
        "finger": None,
    },
}


@pytest.mark.parametrize("name", SHIPPED_KEYPOINT_SETS)
def test_a_shipped_set_is_the_detectors_list(name):
    keypoints = load_keypoint_set(name)
    assert keypoints.name == name
    assert len(keypoints) == COUNTS[name] == len(set(keypoints.names))
    for index, landmark in (entry.split() for entry in LANDMARKS[name].split(", ")):
        assert keypoints.names[int(index)] == landmark


@pytest.mark.parametrize("name", SHIPPED_KEYPOINT_SETS)
def test_partners_are_exact_mirrors_and_a_midline_point_is_its_own(name):
    keypoints = load_keypoint_set(name)
    for index, partner in enumerate(keypoints.partners):
        mirrored = keypoints.positions_m[partner] * [1.0, -1.0, 1.0]
        assert np.array_equal(keypoints.positions_m[index], mirrored), keypoints.names[index]
        body, other = keypoints.bodies[index], keypoints.bodies[partner]
        assert body[:-2] == other[:-2] and (body != other or not body.endswith(("_r", "_l")))
        assert keypoints.weights[index] == keypoints.weights[partner]
    assert all((weight > 0) == bool(body) for weight, body in zip(keypoints.weights, keypoints.bodies, strict=True))


def test_hands_and_face_of_wholebody_are_not_used():
    keypoints = load_keypoint_set("coco_wholebody_133")
    assert not keypoints.weights[23:].any() and (keypoints.weights[:23] > 0).all()


@pytest.mark.parametrize("name", SHIPPED_KEYPOINT_SETS)
def test_to_dict_and_back_is_the_identity(name):
    keypoints = load_keypoint_set(name)
    back = keypoint_set_from_text(yaml.safe_dump(keypoints.to_dict(), sort_keys=False), name)
    assert back.names == keypoints.names and back.bodies == keypoints.bodies
    for field in ("positions_m", "partners", "weights"):
        np.testing.assert_array_equal(getattr(back, field), getattr(keypoints, field))


def test_a_labs_own_file_is_loaded_by_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD, sort_keys=False))
    keypoints = load_keypoint_set(path)
    assert keypoints.names == ("heel_l", "heel_r", "finger")
    assert keypoints.partners.tolist() == [1, 0, 2]
    assert keypoints.weights.tolist() == [0.5, 1.0, 0.0]
    assert keypoints.site_from_keypoint["finger"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body": "thigh"}, "keypoint 'heel_l' has body 'thigh'; expected one of pelvis"),
        ({"position_m": [0, 0]}, "keypoint 'heel_l' has position_m .* expected three finite numbers"),
        ({"position_m": [0, 0, float("nan")]}, "keypoint 'heel_l' has position_m"),
        ({"partner": "heal_r"}, "keypoint 'heel_l' has partner 'heal_r', which is not a keypoint"),
        ({"partner": "heel_l"}, "keypoint 'heel_r' names 'heel_l' as partner, which does not name it back"),
        ({"weight": -1}, "keypoint 'heel_l' has weight -1; expected a number of at least 0"),
        ({"weight": "much"}, "keypoint 'heel_l' has weight 'much'"),
    ],
)
def test_a_wrong_entry_is_named(change, message):
    entries = GOOD["keypoints"] | {"heel_l": GOOD["keypoints"]["heel_l"] | change}
    with pytest.raises(InputError, match=f"mine.yaml: {message}"):
        keypoint_set_from_text(yaml.safe_dump({"keypoints": entries}, sort_keys=False), "mine.yaml")


@pytest.mark.parametrize("text", ["", "keypoints: {}", "keypoints: [a, b]", "a: [", "keypoints: {nose: head}"])
def test_what_is_no_keypoint_set_is_refused_with_the_files_name(text):
    with pytest.raises(InputError, match="mine.yaml: "):
        keypoint_set_from_text(text, "mine.yaml")


def test_a_name_given_twice_is_refused():
    text = yaml.safe_dump(GOOD, sort_keys=False) + "  heel_r: null\n"
    with pytest.raises(InputError, match="mine.yaml: not valid YAML .*'heel_r' twice"):
        keypoint_set_from_text(text, "mine.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="mine.yaml.*cannot be read"):
        load_keypoint_set(path)


def test_an_unknown_name_lists_the_shipped_sets():
    with pytest.raises(InputError, match="'coco_71': neither a file nor one of the shipped sets bml_movi_87"):
        load_keypoint_set("coco_71")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{body: pelvis, position_m: [0, 0, 0], wieght: 0.7}", "unknown field 'wieght'"),
        ("{body: pelvis, position_m: [135, 0, 65]}", "expected metres"),
    ],
)
def test_slips_of_the_pen_are_refused(line, sentence):
    with pytest.raises(InputError, match=sentence):
        keypoint_set_from_text(f"name: mine\nkeypoints:\n  hip: {line}\n", "mine.yaml")
