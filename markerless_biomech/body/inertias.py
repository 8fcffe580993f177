"""Masses, centres of mass and inertias of the subject's segments, after P. de Leva, Adjustments to Zatsiorsky-
Seluyanov's segment inertia parameters, J. Biomech. 29 (1996), 1223-1230, table 4.

A subject's file does not say the sex, so the means of its women's and men's columns are used. The table knows
centres of mass along a segment only; forward and sideways they are those of the base model's capsules. Segments that
have several bodies here are shared out: ulna and radius lie side by side and carry half a forearm each; talus, heel and
toes follow one another and take the capsules' shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..rotations import matrix_from_xyzw, xyzw_from_wxyz
from .base import NEUTRAL_VERTEX_M, base_mujoco_model, base_sites
from .names import BODY_NAMES
from .scaling import body_scales

if TYPE_CHECKING:
    from .subject import Subject

_STATURE_M = np.array([1.735, 1.741])
"""Mean stature of the table's women and men."""


@dataclass(frozen=True)
class SegmentRow:
    """A row of the table; each pair is for women and men."""

    length_mm: tuple[float, float]
    """Between the two ends, in people of the table's mean stature."""
    mass: tuple[float, float]
    """Share of the body's mass (%)."""
    centre: tuple[float, float]
    """Distance of the centre of mass from the first end, share of the length (%)."""
    sagittal: tuple[float, float]
    """Radius of gyration about the axis forward (for the foot: up), share of the length (%)."""
    transverse: tuple[float, float]
    """About the axis to the left, share of the length (%)."""
    longitudinal: tuple[float, float]
    """About the segment's long axis, share of the length (%)."""


DE_LEVA: dict[str, SegmentRow] = {
    # vertex to cervicale; the neck belongs to it
    "head": SegmentRow((243.7, 242.9), (6.68, 6.94), (48.41, 50.02), (27.1, 30.3), (29.5, 31.5), (26.1, 26.1)),
    # suprasternale to xiphion
    "upper_trunk": SegmentRow((142.5, 170.7), (15.45, 15.96), (20.77, 29.99), (74.6, 71.6), (50.2, 45.4), (71.8, 65.9)),
    # xiphion to omphalion
    "middle_trunk": SegmentRow(
        (205.3, 215.5), (14.65, 16.33), (45.12, 45.02), (43.3, 48.2), (35.4, 38.3), (41.5, 46.8)
    ),
    # omphalion to the middle of the hips
    "lower_trunk": SegmentRow((181.5, 145.7), (12.47, 11.17), (49.20, 61.15), (43.3, 61.5), (40.2, 55.1), (44.4, 58.7)),
    # between joint centres
    "upper_arm": SegmentRow((275.1, 281.7), (2.55, 2.71), (57.54, 57.72), (27.8, 28.5), (26.0, 26.9), (14.8, 15.8)),
    "forearm": SegmentRow((264.3, 268.9), (1.38, 1.62), (45.59, 45.74), (26.1, 27.6), (25.7, 26.5), (9.4, 12.1)),
    "thigh": SegmentRow((368.5, 422.2), (14.78, 14.16), (36.12, 40.95), (36.9, 32.9), (36.4, 32.9), (16.2, 14.9)),
    "shank": SegmentRow((438.6, 440.3), (4.81, 4.33), (43.52, 43.95), (26.7, 25.1), (26.3, 24.6), (9.2, 10.2)),
    # wrist to the third knuckle
    "hand": SegmentRow((78.0, 86.2), (0.56, 0.61), (74.74, 79.00), (53.1, 62.8), (45.4, 51.3), (33.5, 40.1)),
    # heel to the tip of the longest toe
    "foot": SegmentRow((228.3, 258.1), (1.29, 1.37), (40.14, 44.15), (29.9, 25.7), (27.9, 24.5), (13.9, 12.4)),
}

_FOOT = ("talus", "calcn", "toes")
_FOREARM = ("ulna", "radius")
_TRUNK = ("upper_trunk", "middle_trunk")
_WHOLE = {"pelvis": "lower_trunk", "head": "head", "femur": "thigh", "tibia": "shank", "humerus": "upper_arm"}
_WHOLE["hand"] = "hand"
"""Row of the bodies that are a whole segment."""


def segment_masses_kg(mass_kg: float) -> np.ndarray:
    """(21,) mass of each body (kg) by BODY_NAMES, for a person of `mass_kg`; they add up to it."""
    return mass_kg * _base_inertials()[0]


def centres_of_mass_m(subject: Subject) -> np.ndarray:
    """(21, 3) centre of mass of each body by BODY_NAMES, in the body's own frame (m), scaled with the subject."""
    return _base_inertials()[1] * body_scales(subject.scales)[1:]


def segment_inertias_kg_m2(subject: Subject) -> np.ndarray:
    """(21, 3, 3) inertia of each body by BODY_NAMES about its centre of mass, in the axes of its frame (kg m^2).

    Density stays uniform under scaling: the second moments of mass M = tr(I)/2 - I stretch as S M S.
    """
    stretch = body_scales(subject.scales)[1:]
    moments = stretch[:, :, None] * _base_inertials()[2] * stretch[:, None, :]
    inertias = np.trace(moments, axis1=1, axis2=2)[:, None, None] * np.eye(3) - moments
    return segment_masses_kg(subject.mass_kg)[:, None, None] * inertias


@cache
def _base_inertials() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the base model: shares of mass (21,), centres (21, 3) (m), second moments about them for 1 kg (21, 3, 3)."""
    shares, centres, moments = np.zeros(len(BODY_NAMES)), np.zeros((len(BODY_NAMES), 3)), []
    for index, name in enumerate(BODY_NAMES):
        part = name.removesuffix("_r").removesuffix("_l")
        if part in _FOOT:
            shares[index], centres[index], own = _part_of_foot(part, name[-2:])
        elif part in _FOREARM:
            shares[index], centres[index], own = _half_of_forearm(part, name[-2:])
        elif part == "torso":
            shares[index], centres[index], own = _trunk()
        else:
            shares[index], centres[index], own = _whole_segment(part, name)
        moments.append(own)
    return shares / shares.sum(), centres, np.array(moments)


def _whole_segment(part: str, name: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Share of mass, centre (3,) and second moments for 1 kg (3, 3) of a body that is one row of the table."""
    row = DE_LEVA[_WHOLE[part]]
    centre = _capsule_centre(name)
    if part == "head":
        centre[2] = _site("vertex")[2] - _below_m(row)
    elif part == "pelvis":
        hip_z = base_mujoco_model().body("femur_r").pos[2]
        centre[2] = hip_z + _length_m(row) - _below_m(row)
    elif part == "hand":
        centre[2] = -_below_m(row)
    else:
        child = {"femur": "tibia", "tibia": "talus", "humerus": "ulna"}[part]
        centre = _mean(row.centre) / 100.0 * base_mujoco_model().body(f"{child}{name[-2:]}").pos
    return _mean(row.mass), centre, _second_moments(row)


def _trunk() -> tuple[float, np.ndarray, np.ndarray]:
    """The torso: the table's upper and middle trunk, one below the other from the suprasternale down."""
    upper, middle = (DE_LEVA[name] for name in _TRUNK)
    depths = np.array([_below_m(upper), _length_m(upper) + _below_m(middle)])
    shares = np.array([_mean(upper.mass), _mean(middle.mass)])
    centre, depth = _capsule_centre("torso"), float(shares @ depths / shares.sum())
    centre[2] = _site("jugular_notch")[2] - depth
    moments = np.tensordot(shares, [_second_moments(upper), _second_moments(middle)], axes=1) / shares.sum()
    moments[2, 2] += shares @ (depths - depth) ** 2 / shares.sum()
    return float(shares.sum()), centre, moments


def _half_of_forearm(part: str, side: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Both bones run along the whole forearm, so each carries its centre and its second moments."""
    model, row = base_mujoco_model(), DE_LEVA["forearm"]
    radius = model.body(f"radius{side}").pos
    centre = _mean(row.centre) / 100.0 * (radius + model.body(f"hand{side}").pos)
    return _mean(row.mass) / 2.0, centre - (radius if part == "radius" else 0.0), _second_moments(row)


def _part_of_foot(part: str, side: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Capsules, the middle one moved along the foot so that their common centre is the table's."""
    model, row = base_mujoco_model(), DE_LEVA["foot"]
    bodies = [model.body(f"{name}{side}") for name in _FOOT]
    shares = np.array([body.mass[0] for body in bodies])
    shares = shares / shares.sum()
    in_calcn = [-bodies[1].pos, np.zeros(3), bodies[2].pos]
    found = shares @ [origin + body.ipos for origin, body in zip(in_calcn, bodies, strict=True)]
    heel, toe = _site(f"heel{side}"), bodies[2].pos + _site(f"big_toe{side}")
    forward = heel[0] + _mean(row.centre) / 100.0 * (toe[0] - heel[0]) - found[0]
    this = _FOOT.index(part)
    centre = bodies[this].ipos.copy()
    centre[0] += forward / shares[this] if part == "calcn" else 0.0
    return _mean(row.mass) * shares[this], centre, _capsule_moments(f"{part}{side}")


def _second_moments(row: SegmentRow) -> np.ndarray:
    """(3, 3) second moments (m^2) in x forward, y left, z along the segment, from radii of gyration about them."""
    pairs = np.array([row.sagittal, row.transverse, row.longitudinal]) / 100.0 * _lengths_m(row)
    about = (pairs**2).mean(axis=1)
    return np.diag(0.5 * about.sum() - about)


def _lengths_m(row: SegmentRow) -> np.ndarray:
    """(2,) length in women and men of the base model's stature."""
    return np.array(row.length_mm) / 1000.0 * NEUTRAL_VERTEX_M / _STATURE_M


def _length_m(row: SegmentRow) -> float:
    return float(_lengths_m(row).mean())


def _below_m(row: SegmentRow) -> float:
    """Distance of the centre of mass from the first end in a person of the base model's stature."""
    return float((_lengths_m(row) * row.centre).mean()) / 100.0


def _mean(pair: tuple[float, float]) -> float:
    return 0.5 * (pair[0] + pair[1])


def _site(name: str) -> np.ndarray:
    return base_sites((name,)).positions_m[0]


def _capsule_centre(body: str) -> np.ndarray:
    return base_mujoco_model().body(body).ipos.copy()


def _capsule_moments(body: str) -> np.ndarray:
    """(3, 3) second moments (m^2) of the base model's capsules about their centre, for 1 kg."""
    found = base_mujoco_model().body(body)
    turn = matrix_from_xyzw(xyzw_from_wxyz(found.iquat))
    inertia = turn @ np.diag(found.inertia) @ turn.T / found.mass[0]
    return 0.5 * np.trace(inertia) * np.eye(3) - inertia
