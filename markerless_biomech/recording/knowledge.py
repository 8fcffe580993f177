"""What the data say of a person beyond what was known before: scale factors, segment lengths, joints of one's own and
sliding skin with their spread."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..body.names import SCALE_NAMES
from ..body.personal import PERSONAL, PERSONAL_NAMES, personal_unit
from ..body.population import (
    ScalePrior,
    personal_std,
    population_prior,
    slide_std_m_per_rad,
    stature_error_std_m,
)
from ..body.soft_tissue import sliding_keypoints
from ..body.subject import Subject
from ..keypoints import KeypointSet
from ..session import Determined
from .segments import SEGMENTS, segment_lengths_m, segment_std_m

UNDETERMINED = 0.7
"""A parameter whose standard deviation is still this share of what it was is one that the data hardly determined."""

TAPE_STD_M = 0.01
"""How well a stature is known that somebody measured."""

_WORDS = {"overall": "overall size", "leg": "lower leg"}
_AXIS_WORDS = {"x": "forward", "y": "left", "z": "up"}


def scale_prior(height_m: float | None, height_std_m: float = TAPE_STD_M) -> ScalePrior:
    """Over everybody, or over people of a stature: the offline fit's own prior of the scale factors."""
    if height_m is None:
        return population_prior()
    return population_prior().conditional(height_m, float(np.hypot(height_std_m, stature_error_std_m())))


def known_scales(subject: Subject, prior: ScalePrior) -> tuple[Determined, ...]:
    """Of each scale factor; the subject has a covariance."""
    before, after = np.sqrt(np.diagonal(prior.covariance)), _std(subject, 0, len(SCALE_NAMES))
    columns = zip(SCALE_NAMES, subject.scales, prior.mean, before, after, strict=True)
    return tuple(Determined(name, "1", *map(float, numbers)) for name, *numbers in columns)


def known_segments(subject: Subject, prior: ScalePrior) -> tuple[Determined, ...]:
    """Of each segment's length (m); the subject has a covariance."""
    assert subject.covariance is not None
    covariance = subject.covariance[: len(SCALE_NAMES), : len(SCALE_NAMES)]
    value, mean = segment_lengths_m(subject.scales, subject.personal), segment_lengths_m(prior.mean)
    before, after = segment_std_m(prior.mean, prior.covariance), segment_std_m(subject.scales, covariance)
    return tuple(Determined(name, "m", value[name], mean[name], before[name], after[name]) for name in SEGMENTS)


def known_personal(subject: Subject) -> tuple[Determined, ...]:
    """Of each number of the subject's own joints; none where they are the base model's."""
    if subject.personal is None:
        return ()
    after = _std(subject, len(SCALE_NAMES), PERSONAL)
    columns = zip(PERSONAL_NAMES, subject.personal, personal_std(), after, strict=True)
    return tuple(
        Determined(name, personal_unit(name), float(value), 0.0, float(std), float(own))
        for name, value, std, own in columns
    )


def known_slides(subject: Subject, keypoint_set: KeypointSet) -> tuple[Determined, ...]:
    """Of x y z of each slide of the subject's skin, by the keypoints of the subject's own set."""
    slides = subject.soft_tissue_m_per_rad
    start = len(SCALE_NAMES) + (0 if subject.personal is None else PERSONAL)
    after = _std(subject, start, 3 * len(slides)).reshape(-1, 3)
    names = [keypoint_set.names[index] for index in sliding_keypoints(keypoint_set)]
    before = dict(zip(names, slide_std_m_per_rad(keypoint_set), strict=True))
    return tuple(
        Determined(f"soft tissue {name} {axis}", "m/rad", float(value), 0.0, float(before[name]), float(own))
        for (name, slide), stds in zip(slides.items(), after, strict=True)
        if name in before
        for axis, value, own in zip("xyz", slide, stds, strict=True)
    )


def _std(subject: Subject, start: int, count: int) -> np.ndarray:
    """(count,) of rows of the covariance, which the subject has."""
    assert subject.covariance is not None
    return np.sqrt(np.maximum(np.diagonal(subject.covariance)[start : start + count], 0.0))


def undetermined(known: Iterable[Determined]) -> list[Determined]:
    """Those that the data hardly determined."""
    return [one for one in known if one.posterior_std > UNDETERMINED * one.prior_std]


def in_words(name: str) -> str:
    """What a person calls a scale factor, a segment, a joint's own number or a slide: 'right thigh', 'left hip centre
    up', 'rshin, forward'."""
    if name.startswith("soft tissue "):
        return f"{keypoint_of(name)}, {_AXIS_WORDS[name[-1]]}"
    name = name.removesuffix("_rad").removesuffix("_m")
    side = {"_r": "right ", "_l": "left "}.get(name[-2:], "")
    part = name[:-2] if side else name
    return side + _WORDS.get(part, part.replace("_", " "))


def keypoint_of(name: str) -> str:
    """Of an offset's or a slide's number: 'soft tissue <keypoint> x' or 'offset <keypoint> x'."""
    return name.removeprefix("soft tissue ").removeprefix("offset ").rsplit(" ", 1)[0]
