"""Gauss-Newton over whole recordings: trajectories of any number of pieces inside, one shape outside.

Drives the chunk programs of `bilevel.py`. F frames of a piece (any number), C cameras, K keypoints, X numbers of shape.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..body.model import integrate
from ..body.shape import SCALES, ShapeModel
from ..cameras.camera import Cameras
from ..devices import double_precision
from . import priors
from .bilevel import (
    AFTER,
    BEFORE,
    CHUNK,
    Frames,
    Linear,
    add_spread,
    eliminate_chunk,
    linearise,
    nothing_before,
    step_chunk,
)
from .residuals import Observations
from .smoother import Factor
from .trajectory import DAMPING, LARGEST_STEP

LARGEST_SCALE_STEP, LARGEST_OFFSET_STEP_M = 0.1, 0.05
"""No number of the shape moves further in one iteration."""

DAMPINGS = (DAMPING, 1e-6)
"""Levenberg-Marquardt's, relative to the images' own diagonal, at the first iteration and at all others. An angle and
an offset that hardly differ in the images move together for next to nothing; damped steps would never get there."""

SPREAD_EVERY = 4
"""Of so many frames one stands for all where an average over them is taken."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of one trial without gaps."""

    times_s: np.ndarray
    """(F,)"""
    qpos: np.ndarray
    """(F, 41) float32"""
    observed: Observations
    """(F, C, ...) NumPy"""
    cameras: Cameras
    """The trial's."""
    noise_m: np.ndarray
    """(C,) each camera's noise as a length at the person."""
    covariance: np.ndarray | None = None
    """(F, 40, 40) of the poses, once it is known."""

    def __len__(self) -> int:
        return len(self.times_s)

    def every(self, stride: int) -> Piece:
        """Every so many frames of it."""
        observed = jax.tree.map(lambda x: x[::stride], self.observed)
        return replace(
            self, times_s=self.times_s[::stride], qpos=self.qpos[::stride], observed=observed, covariance=None
        )


@dataclass(frozen=True, eq=False)
class ShapePrior:
    """A Gaussian over the shape vector."""

    mean: np.ndarray
    """(X,)"""
    information: np.ndarray
    """(X, X)"""

    def cost(self, shape: np.ndarray) -> float:
        """Half the squared distance in standard deviations."""
        return float(0.5 * (shape - self.mean) @ self.information @ (shape - self.mean))


@dataclass(frozen=True, eq=False)
class Bundle:
    """Everything that moves: pieces and shape. A value."""

    pieces: tuple[Piece, ...]
    shape: np.ndarray
    """(X,)"""

    def __len__(self) -> int:
        """Frames of all pieces."""
        return sum(len(piece) for piece in self.pieces)


@dataclass(frozen=True, eq=False)
class Descent:
    """Where an iteration ended."""

    bundle: Bundle
    objective: float
    terms: dict[str, float]
    iterations: int


def chunk_frames(piece: Piece, posture_s: float) -> list[Frames]:
    """The piece in chunks of CHUNK frames, the last one filled up with frames that are not there."""
    count = len(piece)
    padding = -count % CHUNK
    before, after = BEFORE, AFTER + padding
    hop_s = np.diff(piece.times_s, prepend=piece.times_s[0] - 1.0 / priors.REFERENCE_RATE_HZ)
    qpos = np.pad(piece.qpos, ((before, after), (0, 0)), mode="edge")
    hop_s = np.pad(hop_s, (before, after), mode="edge").astype(np.float32)
    valid = np.pad(np.ones(count, np.float32), (before, after))
    observed = jax.tree.map(lambda x: np.pad(x, ((0, padding), *((0, 0),) * (x.ndim - 1))), piece.observed)

    def chunk(start: int) -> Frames:
        around: Any = [x[start : start + CHUNK + BEFORE + AFTER] for x in (qpos, hop_s, valid)]
        duration: Any = np.float32(posture_s)
        own = jax.tree.map(lambda x: x[start : start + CHUNK], observed)
        return Frames(around[0], around[1], duration, around[2], own)

    return [chunk(start) for start in range(0, count, CHUNK)]


def by_chunks(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """A compiled function of frames, called for CHUNK frames at a time so that it compiles once."""
    count = len(arrays[0])
    results = []
    for start in range(0, count, CHUNK):
        parts = [array[start : start + CHUNK] for array in arrays]
        missing = CHUNK - len(parts[0])
        parts = [np.pad(part, ((0, missing), *((0, 0),) * (part.ndim - 1)), mode="edge") for part in parts]
        results.append(np.asarray(function(*parts)))
    return np.concatenate(results)[:count]


def in_parallel(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Map over pieces, on as many threads as there are cores; JAX lets go of Python while it computes."""
    workers = min(len(items), os.cpu_count() or 1)
    if workers < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))


class Objective:
    """The objective for one keypoint set, with or without a prior of the shape (then the shape is known)."""

    def __init__(self, model: ShapeModel, prior: ShapePrior | None, frames: int) -> None:
        """`frames` of all pieces together: over all of them the posture prior counts once. An angle's mean and its
        sites' offsets can hardly be told apart, and a posture that counted with every frame would decide between them.
        """
        self.model = model
        self.prior = prior
        self.posture_s = priors.POSTURE_TIME_S / max(frames, 1)

    @property
    def coupled(self) -> bool:
        """Whether the shape is unknown."""
        return self.prior is not None

    def linearised(self, piece: Piece, shape: np.ndarray, coupled: bool | None = None) -> list[Linear]:
        """Quadratics of a piece's chunks."""
        vector, noise_m = shape.astype(np.float32), piece.noise_m.astype(np.float32)
        coupled = self.coupled if coupled is None else coupled
        chunks = chunk_frames(piece, self.posture_s)
        linear = [linearise(self.model, vector, piece.cameras, noise_m, frames, coupled=coupled) for frames in chunks]
        if not coupled or piece.covariance is None:
            return linear
        padding = ((0, -len(piece) % CHUNK), (0, 0), (0, 0))
        spreads = np.split(np.pad(piece.covariance, padding), len(chunks))
        return [
            add_spread(chunk, self.model, vector, piece.cameras, noise_m, frames, spread, SPREAD_EVERY)
            for chunk, frames, spread in zip(linear, chunks, spreads, strict=True)
        ]

    def descend(
        self,
        bundle: Bundle,
        correlation: float = 1.0,
        iterations: int = 10,
        tolerance: float = 0.3,
        told: Callable[[int, float], None] = lambda *_: None,
    ) -> Descent:
        """Damped Gauss-Newton with halved steps where the objective would grow.

        `correlation`: how many observations say what one would; the shape believes the images that much less.
        Ends when an iteration gains less than `tolerance`: half the square of so many standard deviations.
        """
        here, linear = bundle, self._linearise_all(bundle)
        value, terms = self._value(here, linear, correlation)
        for iteration in range(iterations):
            told(iteration, value)
            steps, shape_step = self._step(here, linear, correlation, DAMPINGS[min(iteration, 1)])
            for share in (1.0, 0.5, 0.25, 0.1):
                there = _moved(here, steps, shape_step, share)
                linear_there = self._linearise_all(there)
                value_there, terms_there = self._value(there, linear_there, correlation)
                if value_there < value:
                    break
            else:
                return Descent(here, value, terms, iteration + 1)
            gained = value - value_there
            here, linear, value, terms = there, linear_there, value_there, terms_there
            if gained < tolerance:
                return Descent(here, value, terms, iteration + 1)
        return Descent(here, value, terms, iterations)

    def _linearise_all(self, bundle: Bundle) -> list[list[Linear]]:
        return in_parallel(lambda piece: self.linearised(piece, bundle.shape), bundle.pieces)

    def _value(self, bundle: Bundle, linear: list[list[Linear]], correlation: float) -> tuple[float, dict[str, float]]:
        """The objective, and its terms by name."""
        chunks = [chunk for piece in linear for chunk in piece]
        terms = {name: float(sum(float(chunk.cost[name]) for chunk in chunks)) for name in chunks[0].cost}
        shape_cost = self.prior.cost(bundle.shape) if self.prior is not None else 0.0
        return sum(terms.values()) / correlation + shape_cost, terms | {"shape": shape_cost}

    def _step(
        self, bundle: Bundle, linear: list[list[Linear]], correlation: float, damping: float
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Gauss-Newton's step of every piece and of the shape."""
        eliminated = in_parallel(lambda piece: eliminate_piece(piece, damping), linear)
        shape_step = np.zeros(0)
        if self.prior is not None:
            outer = np.sum([matrix for _, matrix in eliminated], axis=0) / correlation
            information = outer[1:, 1:] + self.prior.information
            gradient = outer[1:, 0] + self.prior.information @ (bundle.shape - self.prior.mean)
            largest = np.full(len(gradient), LARGEST_OFFSET_STEP_M)
            largest[:SCALES] = LARGEST_SCALE_STEP
            shape_step = np.clip(-np.linalg.solve(information, gradient), -largest, largest)
        steps = in_parallel(lambda factors: steps_back(factors, shape_step), [factors for factors, _ in eliminated])
        return steps, shape_step


def _moved(bundle: Bundle, steps: list[np.ndarray], shape_step: np.ndarray, share: float) -> Bundle:
    pieces = tuple(
        replace(piece, qpos=by_chunks(integrate, piece.qpos, np.float32(share) * step[: len(piece)]))
        for piece, step in zip(bundle.pieces, steps, strict=True)
    )
    shape = bundle.shape + share * shape_step if len(shape_step) else bundle.shape
    return Bundle(pieces, shape)


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


def steps_back(factors: list[Factor], shape_step: np.ndarray) -> np.ndarray:
    """(>= F, 40) steps of a piece's frames when the shape moves by `shape_step`."""
    following, steps = jnp.zeros(80), []
    for factor in reversed(factors):
        following, step = step_chunk(following, factor, shape_step.astype(np.float32))
        steps.append(np.asarray(step))
    return np.clip(np.concatenate(steps[::-1]), -LARGEST_STEP, LARGEST_STEP)
