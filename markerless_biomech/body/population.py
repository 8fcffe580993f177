"""What is known of a person before they are seen: scale factors of a population and the spread of keypoint sites.

Stature explains `overall`; the other factors are proportions around it. The numbers and their sources are in
population.yaml; here they become a Gaussian over the ten factors that the offline fit uses as its prior.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import short, yaml_content
from ..keypoints import KeypointSet
from .base import NEUTRAL_VERTEX_M
from .names import BODY_NAMES, SCALE_NAMES
from .personal import PERSONAL_NAMES
from .scaling import standing_height_m
from .soft_tissue import sliding_keypoints
from .subject import subject_from_height

FACTORS = ("overall", "pelvis", "thigh", "leg", "arm", "trunk_length", "shoulder_width")
"""Rows of population.yaml: SCALE_NAMES with one entry for both sides."""

_LIMBS = ("thigh", "leg", "arm")
_STEP = 1e-3


@dataclass(frozen=True, eq=False)
class ScalePrior:
    """A Gaussian over the scale factors, in the order of SCALE_NAMES; both arrays are read-only."""

    mean: np.ndarray
    """(10,) without unit."""
    covariance: np.ndarray
    """(10, 10) positive definite, without unit."""

    def conditional(self, height_m: float, height_std_m: float = 0.01) -> ScalePrior:
        """The prior of a person whose stature was measured: Gaussian conditioning on h0 + g . beta = height_m.

        `height_std_m` > 0 is the tape's error; the model's own, from heads and necks that do not follow stature, is
        `stature_error_std_m`: give their root sum of squares where keypoints speak as well.
        """
        base_m, gradient = standing_height_gradient()
        shared = self.covariance @ gradient
        gain = shared / (gradient @ shared + height_std_m**2)
        mean = self.mean + gain * (height_m - base_m - gradient @ self.mean)
        covariance = self.covariance - np.outer(gain, shared)
        return ScalePrior(_constant(mean), _constant(0.5 * (covariance + covariance.T)))


@cache
def population_prior() -> ScalePrior:
    """Adults of both sexes, `overall` widened so that children and giants are possible (ANSUR II; population.yaml).

    At the mean's proportions and `overall` 0 the model is 1.75 m tall; left and right are alike in distribution.
    Raises InputError when the shipped file is damaged.
    """
    return scale_prior_from_dict(*_shipped())


@cache
def standing_height_gradient() -> tuple[float, np.ndarray]:
    """(h0, g (10,)) in metres: stature is h0 + g . beta, from the model's vertex to the mean of both soles.

    Central differences of `standing_height_m` at beta = 0; exact where the legs are equal, else `standing_height_m`
    counts from the lower sole.
    """
    base, size = subject_from_height(NEUTRAL_VERTEX_M, ""), len(SCALE_NAMES)

    def height_m(scales: np.ndarray) -> float:
        return standing_height_m(dataclasses.replace(base, scales=scales))

    gradient = [(height_m(step) - height_m(-step)) / (2.0 * _STEP) for step in _STEP * np.eye(size)]
    return height_m(np.zeros(size)), _constant(np.array(gradient))


def stature_error_std_m() -> float:
    """SD (m) of a person's stature about the model's, where the segments are right: heads and necks of their own."""
    content, where = _shipped()
    return float(_numbers(content, where, "stature_error_sd", ("stature",), (0.0, 0.2))[0])


def offset_std_m(keypoint_set: KeypointSet) -> np.ndarray:
    """(K,) SD of each site's offset (m), the same along each axis; 0 where a keypoint is not used.

    The first entry of population.yaml's `near_origin` that reaches the site counts, else its segment's (judgement).
    """
    near, std_of_segment = offset_rule_from_dict(*_shipped())

    def std_m(body: str, distance_m: float) -> float:
        within = [std for reach_m, std in near if distance_m <= reach_m]
        return [*within, std_of_segment[_unsided(body)]][0]

    distances_m = np.linalg.norm(keypoint_set.positions_m, axis=1)
    sites = zip(keypoint_set.bodies, distances_m, keypoint_set.weights, strict=True)
    return np.array([std_m(body, distance) if body and weight > 0 else 0.0 for body, distance, weight in sites])


def personal_std() -> np.ndarray:
    """(15,) SD of each number of PERSONAL_NAMES about 0 (m, rad)."""
    content, where = _shipped()
    keys = ("hip_centre_m", "axis_tilt_deg", "pelvis_tilt_deg")
    hip_m, *tilts_deg = _numbers(content, where, "personal_joints_sd", keys, (1e-4, 45.0))
    axis_rad, pelvis_rad = np.radians(tilts_deg)
    std_of_kind = {"hip": hip_m, "knee": axis_rad, "ankle": axis_rad, "pelvis": pelvis_rad}
    return np.array([std_of_kind[name.split("_")[0]] for name in PERSONAL_NAMES])


def slide_std_m_per_rad(keypoint_set: KeypointSet) -> np.ndarray:
    """(S,) SD of the slide of each keypoint on a thigh or shank about 0, the same along each axis (m/rad)."""
    content, where = _shipped()
    thigh, shank = _numbers(content, where, "soft_tissue_sd", ("thigh_m_per_rad", "shank_m_per_rad"), (1e-4, 0.1))
    std_of_segment = {"femur": thigh, "tibia": shank}
    return np.array([std_of_segment[_unsided(keypoint_set.bodies[index])] for index in sliding_keypoints(keypoint_set)])


def population_from_text(text: str, where: str) -> dict[str, Any]:
    """Plain values of a population file; `where` names it in errors. Raises InputError when it is not such a map."""
    content = yaml_content(text, where)
    if not isinstance(content, dict):
        raise InputError(f"{where}: expected a map with the fields of a population, found {type(content).__name__}")
    return content


def scale_prior_from_dict(content: dict[str, Any], where: str) -> ScalePrior:
    """The prior of a population file's plain values. Raises InputError naming the field and what was expected."""
    std = _numbers(content, where, "sd", FACTORS, (1e-4, 1.0))
    adults = _correlation(content, where) * np.outer(std, std)
    adults[0, 0] += _numbers(content, where, "size_sd", FACTORS[:1], (0.0, 1.0))[0] ** 2
    factor = [FACTORS.index(_unsided(name)) for name in SCALE_NAMES]
    covariance = adults[np.ix_(factor, factor)]
    for limb, side_std in zip(_LIMBS, _numbers(content, where, "side_difference_sd", _LIMBS, (1e-4, 0.2)), strict=True):
        right, left = SCALE_NAMES.index(f"{limb}_r"), SCALE_NAMES.index(f"{limb}_l")
        covariance[[right, left], [left, right]] -= 0.5 * side_std**2  # var(r - l) = 2 var - 2 cov
    if np.linalg.eigvalsh(covariance)[0] <= 0.0:
        raise InputError(f"{where}: the field 'correlation' with 'sd' is not positive definite; expected a covariance")
    mean = _numbers(content, where, "mean", FACTORS, (-0.5, 0.5))
    return ScalePrior(_constant(mean[factor]), _constant(covariance))


def offset_rule_from_dict(content: dict[str, Any], where: str) -> tuple[list[tuple[float, float]], dict[str, float]]:
    """((reach, SD) of `near_origin`, nearest first; SD by segment), all in m. Raises InputError naming the field."""
    rule = _field(content, where, "site_offsets")
    near = rule.get("near_origin") if isinstance(rule, dict) else None
    if not isinstance(near, list):
        raise InputError(f"{where}: the field 'site_offsets' is {short(rule)}; expected the list near_origin in a map")
    keys = ("within_m", "std_m")
    reaches = [_numbers({"near_origin": entry}, where, "near_origin", keys, (1e-4, 0.5)) for entry in near]
    segments = tuple(dict.fromkeys(map(_unsided, BODY_NAMES)))
    std_m = _numbers(rule, where, "segment_std_m", segments, (1e-4, 0.1))
    return sorted((float(reach), float(std)) for reach, std in reaches), dict(
        zip(segments, map(float, std_m), strict=True)
    )


@cache
def _shipped() -> tuple[dict[str, Any], str]:
    file = resources.files("markerless_biomech") / "body" / "population.yaml"
    return population_from_text(file.read_text(), str(file)), str(file)


def _field(content: dict[str, Any], where: str, name: str) -> Any:
    if name not in content:
        raise InputError(f"{where}: the field '{name}' is missing")
    return content[name]


def _numbers(
    content: dict[str, Any], where: str, name: str, keys: tuple[str, ...], bounds: tuple[float, float]
) -> np.ndarray:
    """Values of the map `name`, which has exactly these keys, in their order."""
    values = _field(content, where, name)
    if not isinstance(values, dict) or set(values) != set(keys) or not all(_within(x, bounds) for x in values.values()):
        expected = f"a map of {', '.join(keys)} with numbers from {bounds[0]:g} to {bounds[1]:g}"
        raise InputError(f"{where}: the field '{name}' is {short(values)}; expected {expected}")
    return np.array([float(values[key]) for key in keys])


def _correlation(content: dict[str, Any], where: str) -> np.ndarray:
    """(7, 7) from the rows below the diagonal."""
    rows = _field(content, where, "correlation")
    matrix = np.eye(len(FACTORS))
    for i, name in enumerate(FACTORS[1:], start=1):
        row = rows.get(name) if isinstance(rows, dict) else None
        if not isinstance(row, list) or len(row) != i or not all(_within(x, (-1.0, 1.0)) for x in row):
            expected = f"{i} numbers from -1 to 1"
            raise InputError(f"{where}: the field 'correlation.{name}' is {short(row)}; expected {expected}")
        matrix[i, :i] = matrix[:i, i] = row
    return matrix


def _within(value: Any, bounds: tuple[float, float]) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bounds[0] <= value <= bounds[1]


def _unsided(name: str) -> str:
    """`thigh` for `thigh_r` and `thigh_l`; other names as they are."""
    return name.removesuffix("_r").removesuffix("_l")


def _constant(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values
