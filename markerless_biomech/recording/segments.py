"""Lengths of the body's segments: what a scale factor means in millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..body.names import SCALE_NAMES
from ..body.subject import Subject
from .oracle import body_positions_m

SEGMENTS = {
    **{f"thigh_{s}": ("tibia_" + s,) for s in "rl"},
    **{f"shank_{s}": ("talus_" + s,) for s in "rl"},
    **{f"foot_{s}": ("toes_" + s,) for s in "rl"},
    "trunk": ("head",),
    **{f"upper_arm_{s}": ("ulna_" + s,) for s in "rl"},
    **{f"forearm_{s}": ("hand_" + s,) for s in "rl"},
    "pelvis_width": ("femur_r", "femur_l"),
    "shoulder_width": ("humerus_r", "humerus_l"),
}
"""Length of one body's origin from its parent's, or distance between two bodies with one parent."""

_STEP = 1e-4


def segment_lengths_m(scales: np.ndarray, personal: np.ndarray | None = None) -> dict[str, float]:
    """Length of each of SEGMENTS for scale factors (10,) and, where there are any, personal joints (15,)."""
    position = body_positions_m(scales, personal)
    ends = {name: [position[body] for body in bodies] for name, bodies in SEGMENTS.items()}
    return {name: float(np.linalg.norm(end[0] - (end[1] if len(end) > 1 else 0))) for name, end in ends.items()}


def segment_slopes_m(scales: np.ndarray) -> np.ndarray:
    """(S, 10) derivative of the lengths, in the order of SEGMENTS, by each scale factor: central differences."""
    columns = []
    for index in range(len(SCALE_NAMES)):
        step = np.zeros(len(SCALE_NAMES))
        step[index] = _STEP
        high, low = (np.array(list(segment_lengths_m(scales + sign * step).values())) for sign in (1, -1))
        columns.append((high - low) / (2 * _STEP))
    return np.array(columns).T


def segment_std_m(scales: np.ndarray, covariance: np.ndarray) -> dict[str, float]:
    """Standard deviation of each length, for a covariance (10, 10) of the scale factors."""
    slopes = segment_slopes_m(scales)
    variance = np.einsum("si,ij,sj->s", slopes, covariance, slopes)
    return dict(zip(SEGMENTS, np.sqrt(np.maximum(variance, 0.0)).tolist(), strict=True))


def segment_errors_mm(subject: Subject, true_subject: Subject | None) -> dict[str, Any]:
    """|length - true length| of each of SEGMENTS and their median; null without the true subject."""
    if true_subject is None:
        return {"median": None, "per_segment": None}
    lengths, true_lengths = (segment_lengths_m(person.scales, person.personal) for person in (subject, true_subject))
    errors_mm = {name: 1000 * abs(length - true_lengths[name]) for name, length in lengths.items()}
    return {"median": float(np.median(list(errors_mm.values()))), "per_segment": errors_mm}
