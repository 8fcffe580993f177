"""What the data say of a person beyond what was known before: scale factors and segment lengths with their spread."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..body.names import SCALE_NAMES
from ..body.population import ScalePrior, population_prior, stature_error_std_m
from ..body.subject import Subject
from ..session import Determined
from .segments import SEGMENTS, segment_lengths_m, segment_std_m

UNDETERMINED = 0.7
"""A parameter whose standard deviation is still this share of what it was is one that the data hardly determined."""

TAPE_STD_M = 0.01
"""How well a stature is known that somebody measured."""

_WORDS = {"overall": "overall size", "leg": "lower leg"}


def scale_prior(height_m: float | None, height_std_m: float = TAPE_STD_M) -> ScalePrior:
    """Over everybody, or over people of a stature: the offline fit's own prior of the scale factors."""
    if height_m is None:
        return population_prior()
    return population_prior().conditional(height_m, float(np.hypot(height_std_m, stature_error_std_m())))


def known_scales(subject: Subject, prior: ScalePrior) -> tuple[Determined, ...]:
    """Of each scale factor; the subject has a covariance."""
    assert subject.covariance is not None
    before = np.sqrt(np.diagonal(prior.covariance))
    after = np.sqrt(np.maximum(np.diagonal(subject.covariance)[: len(SCALE_NAMES)], 0.0))
    columns = zip(SCALE_NAMES, subject.scales, prior.mean, before, after, strict=True)
    return tuple(Determined(name, "1", *map(float, numbers)) for name, *numbers in columns)


def known_segments(subject: Subject, prior: ScalePrior) -> tuple[Determined, ...]:
    """Of each segment's length (m); the subject has a covariance."""
    assert subject.covariance is not None
    covariance = subject.covariance[: len(SCALE_NAMES), : len(SCALE_NAMES)]
    value, mean = segment_lengths_m(subject.scales, subject.personal), segment_lengths_m(prior.mean)
    before, after = segment_std_m(prior.mean, prior.covariance), segment_std_m(subject.scales, covariance)
    return tuple(Determined(name, "m", value[name], mean[name], before[name], after[name]) for name in SEGMENTS)


def undetermined(known: Iterable[Determined]) -> list[Determined]:
    """Those that the data hardly determined."""
    return [one for one in known if one.posterior_std > UNDETERMINED * one.prior_std]


def in_words(name: str) -> str:
    """What a person calls a scale factor, a segment or a joint's own number: 'right thigh', 'left hip centre up'."""
    name = name.removesuffix("_rad").removesuffix("_m")
    side = {"_r": "right ", "_l": "left "}.get(name[-2:], "")
    part = name[:-2] if side else name
    return side + _WORDS.get(part, part.replace("_", " "))
