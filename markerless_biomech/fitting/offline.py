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
    certain_after,
    covariance_chunk,
    eliminate_chunk,
    linearise,
    nothing_before,
    states_chunk,
    step_chunk,
)
from .residuals import Observations
from .smoother import Factor
from .trajectory import CLIPPED_SHARE, DAMPING, LARGEST_STEP, NOISE_BOUNDS_M

LARGEST_SCALE_STEP, LARGEST_OFFSET_STEP_M = 0.1, 0.05
"""No number of the shape moves further in one iteration."""

DAMPINGS = (DAMPING, 1e-6)
"""Levenberg-Marquardt's, relative to the images' own diagonal, at the first iteration and at all others. An angle and
an offset that hardly differ in the images move together for next to nothing; damped steps would never get there."""

SPREAD_EVERY = 4
"""Of so many frames one stands for all where an average over them is taken."""

FEWEST_COORDINATES = 40
"""Coordinates of a camera from which its noise is measured."""


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
        tolerance: float = 2.0,
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


@dataclass(frozen=True, eq=False)
class PieceStates:
    """A fitted piece as results want it."""

    covariance: np.ndarray
    """(F, 40, 40)"""
    qvel: np.ndarray
    """(F, 40)"""
    sites_m: np.ndarray
    """(F, K, 3)"""
    sites_std_m: np.ndarray
    """(F, K)"""
    residual_px: np.ndarray
    """(F, C, K, 2)"""
    standard: np.ndarray
    """(F, C, K, 2) in standard deviations, clipped at 3; 0 where unused"""
    used: np.ndarray
    """(F, C, K)"""
    absorbed: float
    """Coordinates of the images that the trajectory itself absorbed."""


def piece_states(
    objective: Objective, piece: Piece, shape: np.ndarray, factors: list[Factor], linear: list[Linear], root: np.ndarray
) -> PieceStates:
    """Covariances, sites and residuals; `root` (N - 1, N - 1) of the shape's covariance."""
    with_shape = linear[0].gradient.shape[-1]
    with double_precision():
        after, found = certain_after(with_shape), []
    for frames, factor, chunk in zip(*map(reversed, (chunk_frames(piece, 0.0), factors, linear)), strict=True):
        with double_precision():
            after, covariance, absorbed = covariance_chunk(after, factor, chunk.image, root.astype(np.float32))
        noise_m, vector = piece.noise_m.astype(np.float32), shape.astype(np.float32)
        state = states_chunk(objective.model, vector, piece.cameras, noise_m, frames, covariance)
        fields = (state.qvel, state.sites_m, state.sites_std_m, state.residual_px, state.standard, state.used)
        found.append([np.asarray(x) for x in (covariance, *fields, absorbed)])
    joined = [np.concatenate(rows)[: len(piece)] for rows in zip(*reversed(found), strict=True)]
    return PieceStates(*joined[:-1], float(joined[-1].sum()))  # pyright: ignore


def measured_noise(piece: Piece, linear: list[Linear], absorbed: float) -> np.ndarray:
    """(C,) each camera's noise from its clipped residuals, less the freedom that the fit took."""
    squares, count = (np.sum([np.asarray(getattr(x, name)) for x in linear], 0) for name in ("squares", "count"))
    freedom = np.clip(1.0 - absorbed / max(count.sum(), 1.0), 0.2, 1.0)
    ratio = squares / np.maximum(count, 1.0) / (CLIPPED_SHARE * freedom)
    noise_m = piece.noise_m * np.sqrt(np.clip(ratio, 0.05, 20.0))
    return np.where(count > FEWEST_COORDINATES, np.clip(noise_m, *NOISE_BOUNDS_M), piece.noise_m)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Where the descent ended, and how correlated the noise is."""

    bundle: Bundle
    correlation: float
    terms: dict[str, float]


def measure(model: ShapeModel, bundle: Bundle) -> tuple[Bundle, float]:
    """The bundle with each camera's noise measured, and the correlation of its residuals."""
    objective = Objective(model, None, len(bundle))

    def measured(piece: Piece) -> tuple[Piece, PieceStates]:
        linear = objective.linearised(piece, bundle.shape)
        factors, _ = eliminate_piece(linear, 0.0)
        states = piece_states(objective, piece, bundle.shape, factors, linear, np.zeros((0, 0)))
        noise_m = measured_noise(piece, linear, states.absorbed)
        return replace(piece, noise_m=noise_m, covariance=states.covariance), states

    results = in_parallel(measured, bundle.pieces)
    correlation = noise_correlation([states for _, states in results])
    return replace(bundle, pieces=tuple(piece for piece, _ in results)), correlation


def noise_correlation(states: Sequence[PieceStates]) -> float:
    """So many observations say what one with independent noise would.

    N var(mean over N frames) / var of each point's residuals in each camera: 1 for white noise, N for an error that
    stays. Offsets absorb 3 of the means that a site has, two for each camera and piece, which is allowed for.
    """
    sums, squares, means = 0.0, 0.0, np.zeros(states[0].used.shape[-1])
    for state in states:
        used = state.used.sum(0) > 1
        sums += float(np.sum(np.where(used[..., None], state.standard.sum(0), 0.0) ** 2))
        squares += float(np.sum(state.standard**2))
        means += 2.0 * used.sum(0)
    free = float(np.maximum(means - 3.0, 0.25 * means).sum())
    return float(max(1.0, sums / squares * means.sum() / free)) if squares > 0.0 and free > 0.0 else 1.0


def judge(
    model: ShapeModel, fitted: Fitted, prior: ShapePrior | None, known: np.ndarray | None
) -> tuple[np.ndarray, list[PieceStates]]:
    """Covariance (X, X) of the shape and the states of every piece with it in their covariances.

    With a prior the shape's covariance is the posterior; otherwise it is `known`. All images count for as much less as
    their noise is correlated.
    """
    bundle, share = fitted.bundle, 1.0 / fitted.correlation
    objective = Objective(model, prior, len(bundle))
    coupled = prior is not None or (known is not None and bool(known.any()))

    def eliminated(piece: Piece) -> tuple[list[Factor], np.ndarray, list[Linear]]:
        linear = [_believed(x, share) for x in objective.linearised(piece, bundle.shape, coupled)]
        return *eliminate_piece(linear, 0.0), linear

    pieces = in_parallel(eliminated, bundle.pieces)
    covariance = np.zeros((0, 0))
    if prior is not None:
        information = np.sum([outer for _, outer, _ in pieces], axis=0)[1:, 1:] + prior.information
        covariance = np.linalg.inv(0.5 * (information + information.T))
    elif coupled:
        assert known is not None
        covariance = known
    root = _root(covariance)
    together = list(zip(bundle.pieces, pieces, strict=True))

    def stated(both: tuple[Piece, tuple]) -> PieceStates:
        piece, (factors, _, linear) = both
        return piece_states(objective, piece, bundle.shape, factors, linear, root)

    return covariance, in_parallel(stated, together)


def _believed(linear: Linear, share: float) -> Linear:
    """The images counting for so much; gradients are not used any more."""
    return replace(linear, image=linear.image * share, gradient=linear.gradient * share, outer=linear.outer * share)


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix whose product with its transpose is the covariance, also where parts of that are zero."""
    if not covariance.size:
        return covariance
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
