"""Gauss-Newton over whole recordings: trajectories of any number of pieces inside, one shape and one rig outside.

Drives the chunk programs of `bilevel.py`. F frames of a piece (any number), C cameras, K keypoints, X numbers of shape,
P of each camera.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from ..body.model import integrate
from ..body.shape import SCALES, ShapeModel
from ..devices import double_precision
from . import priors
from .bilevel import CHUNK, Linear, Unknown, add_spread, eliminate_chunk, linearise, nothing_before, step_chunk
from .bundle import Bundle, OuterPrior, Piece, both, by_chunks, chunk_frames, in_parallel
from .smoother import Factor
from .trajectory import DAMPING, LARGEST_STEP

LARGEST_SCALE_STEP, LARGEST_OFFSET_STEP_M = 0.1, 0.05
"""No number of the shape moves further in one iteration."""

LARGEST_CAMERA_STEP = 0.2
"""m, rad: nor does a camera."""

DAMPINGS = (DAMPING, 1e-6)
"""Levenberg-Marquardt's, relative to the images' own diagonal, at the first iteration and at all others. An angle and
an offset that hardly differ in the images move together for next to nothing; damped steps would never get there."""

TOLERANCE = 0.3
"""Half the square of so many standard deviations. Angles' zeros and offsets lie in long, curved valleys; to follow
those to their ends costs many iterations and makes hips and trunk worse (docs/calibration.md)."""

SPREAD_EVERY = 4
"""Of so many frames one stands for all where an average over them is taken."""


@dataclass(frozen=True, eq=False)
class Descent:
    """Where an iteration ended."""

    bundle: Bundle
    objective: float
    terms: dict[str, float]
    iterations: int


class Objective:
    """The objective for one keypoint set, with priors of what is unknown outside: shape, rig, both or neither."""

    def __init__(
        self, model: ShapeModel, prior: OuterPrior | None, frames: int, rig_prior: OuterPrior | None = None
    ) -> None:
        """`frames` of all pieces together: over all of them the posture prior counts once. An angle's mean and its
        sites' offsets can hardly be told apart, and a posture that counted with every frame would decide between them.
        """
        self.model = model
        self.shape_prior = prior
        self.rig_prior = rig_prior
        self.posture_s = priors.POSTURE_TIME_S / max(frames, 1)

    @property
    def prior(self) -> OuterPrior | None:
        """Of all unknowns outside."""
        if self.shape_prior is not None and self.rig_prior is not None:
            return both(self.shape_prior, self.rig_prior)
        return self.shape_prior or self.rig_prior

    def unknown(self, bundle: Bundle) -> Unknown:
        """What of the outside has columns."""
        numbers = bundle.rig.shape[1] if self.rig_prior is not None and bundle.rig is not None else 0
        return Unknown(self.shape_prior is not None, numbers)

    def outer(self, bundle: Bundle) -> np.ndarray:
        """The unknowns outside as one vector."""
        rig = bundle.rig.ravel() if self.rig_prior is not None and bundle.rig is not None else np.zeros(0)
        return np.concatenate([bundle.shape if self.shape_prior is not None else np.zeros(0), rig])

    def linearised(self, piece: Piece, bundle: Bundle, unknown: Unknown | None = None) -> list[Linear]:
        """Quadratics of a piece's chunks."""
        vector, noise = bundle.shape.astype(np.float32), bundle.noise(piece)
        unknown = unknown or self.unknown(bundle)
        cameras = bundle.cameras(piece)
        chunks = chunk_frames(piece, bundle.observed(piece), self.posture_s)
        linear = [linearise(self.model, vector, cameras, noise, frames, unknown) for frames in chunks]
        if not unknown.shape or piece.covariance is None:
            return linear
        padding = ((0, -len(piece) % CHUNK), (0, 0), (0, 0))
        spreads = np.split(np.pad(piece.covariance, padding), len(chunks))
        return [
            add_spread(chunk, self.model, vector, cameras, noise, frames, spread, SPREAD_EVERY)
            for chunk, frames, spread in zip(linear, chunks, spreads, strict=True)
        ]

    def descend(
        self,
        bundle: Bundle,
        correlation: float = 1.0,
        iterations: int = 10,
        tolerance: float = TOLERANCE,
        told: Callable[[int, float], None] = lambda *_: None,
    ) -> Descent:
        """Damped Gauss-Newton with halved steps where the objective would grow.

        `correlation`: how many observations say what one would; the shape believes the images that much less.
        Ends when an iteration gains less than `tolerance`.
        """
        here = self._at(bundle, correlation)
        for iteration in range(iterations):
            told(iteration, here.value)
            quadratic = self._eliminated(here, DAMPINGS[min(iteration, 1)])
            for share in (1.0, 0.5, 0.25, 0.1):
                there = self._at(quadratic.step(here.bundle, share), correlation)
                if there.value < here.value:
                    break
            else:
                return Descent(here.bundle, here.value, here.terms, iteration + 1)
            gained, here = here.value - there.value, there
            if gained < tolerance:
                return Descent(here.bundle, here.value, here.terms, iteration + 1)
        return Descent(here.bundle, here.value, here.terms, iterations)

    def _at(self, bundle: Bundle, correlation: float) -> _Place:
        """The objective there, linearised."""
        linear = in_parallel(lambda piece: self.linearised(piece, bundle), bundle.pieces)
        chunks = [chunk for piece in linear for chunk in piece]
        terms = {name: float(sum(float(chunk.cost[name]) for chunk in chunks)) for name in chunks[0].cost}
        own = {"shape": self.shape_prior.cost(bundle.shape) if self.shape_prior is not None else 0.0}
        if self.rig_prior is not None and bundle.rig is not None:
            own["cameras"] = self.rig_prior.cost(bundle.rig.ravel())
        value = sum(terms.values()) / correlation + sum(own.values())
        return _Place(bundle, correlation, linear, value, terms | own)

    def _eliminated(self, place: _Place, damping: float) -> _Quadratic:
        eliminated = in_parallel(lambda piece: eliminate_piece(piece, damping), place.linear)
        factors = [factors for factors, _ in eliminated]
        outer = np.sum([matrix for _, matrix in eliminated], axis=0) / place.correlation
        prior = self.prior
        if prior is None:
            return _Quadratic(factors, np.zeros((0, 0)), np.zeros(0))
        gradient = outer[1:, 0] + prior.information @ (self.outer(place.bundle) - prior.mean)
        information = outer[1:, 1:] + prior.information
        return _Quadratic(factors, information, gradient)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the descent stands."""

    bundle: Bundle
    correlation: float
    linear: list[list[Linear]]
    value: float
    terms: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Quadratic:
    """The objective near a place, the frames eliminated. X unknowns outside."""

    factors: list[list[Factor]]
    """Of every piece's chunks."""
    information: np.ndarray
    """(X, X) of the outside, prior included; (0, 0) where it is known."""
    gradient: np.ndarray
    """(X,)"""

    def step(self, bundle: Bundle, share: float) -> Bundle:
        """A share of Gauss-Newton's step."""
        outer_step = -np.linalg.solve(self.information, self.gradient) if len(self.gradient) else np.zeros(0)
        steps = in_parallel(lambda factors: steps_back(factors, outer_step), self.factors)
        return _moved(bundle, steps, outer_step, share)


def _moved(bundle: Bundle, steps: list[np.ndarray], outer_step: np.ndarray, share: float) -> Bundle:
    pieces = tuple(
        replace(piece, qpos=by_chunks(integrate, piece.qpos, np.float32(share) * step[: len(piece)]))
        for piece, step in zip(bundle.pieces, steps, strict=True)
    )
    rig_step = np.zeros(0)
    if bundle.rig is not None and len(outer_step) not in (0, len(bundle.shape)):
        outer_step, rig_step = np.split(outer_step, [len(outer_step) - bundle.rig.size])
    shape, rig = bundle.shape, bundle.rig
    if len(outer_step):
        largest = np.full(len(shape), LARGEST_OFFSET_STEP_M)
        largest[:SCALES] = LARGEST_SCALE_STEP
        shape = shape + share * np.clip(outer_step, -largest, largest)
    if rig is not None and len(rig_step):
        rig = rig + share * np.clip(rig_step.reshape(rig.shape), -LARGEST_CAMERA_STEP, LARGEST_CAMERA_STEP)
    return Bundle(pieces, shape, rig)


def eliminate_piece(linear: list[Linear], damping: float) -> tuple[list[Factor], np.ndarray]:
    """Factors of a piece's chunks, and what its frames leave of the outer matrix (N, N): gradient in row 0, Schur
    complement in the rest."""
    with double_precision():
        left = nothing_before(linear[0].gradient.shape[-1])
        factors, outer = [], np.zeros(linear[0].outer.shape)
        for chunk in linear:
            left, factor, taken = eliminate_chunk(left, chunk, np.float64(damping))
            factors.append(factor)
            outer += np.asarray(chunk.outer, dtype=float) - np.asarray(taken)
    return factors, outer


def steps_back(factors: list[Factor], outer_step: np.ndarray) -> np.ndarray:
    """(>= F, 40) steps of a piece's frames when the outside moves by `outer_step`."""
    following, steps = jnp.zeros(80), []
    for factor in reversed(factors):
        following, step = step_chunk(following, factor, outer_step.astype(np.float32))
        steps.append(np.asarray(step))
    return np.clip(np.concatenate(steps[::-1]), -LARGEST_STEP, LARGEST_STEP)
