"""How good a fit is: each camera's noise, how correlated it is, and the posterior of shape and trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..body.shape import ShapeModel
from ..devices import double_precision
from .bilevel import Linear, certain_after, covariance_chunk, states_chunk
from .bundle import Bundle, OuterPrior, Piece, chunk_frames, in_parallel
from .offline import Objective, eliminate_piece
from .smoother import Factor
from .trajectory import CLIPPED_SHARE, NOISE_BOUNDS_M

FEWEST_COORDINATES = 40
"""Coordinates of a camera from which its noise is measured."""


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
    pull: np.ndarray
    """(F, K, 3) where all cameras together would have each site, in standard deviations"""
    absorbed: float
    """Coordinates of the images that the trajectory itself absorbed."""


def piece_states(
    objective: Objective, piece: Piece, bundle: Bundle, factors: list[Factor], linear: list[Linear], root: np.ndarray
) -> PieceStates:
    """Covariances, sites and residuals; `root` (N - 1, N - 1) of the outside's covariance."""
    with_shape = linear[0].gradient.shape[-1]
    with double_precision():
        after, found = certain_after(with_shape), []
    cameras, chunks = bundle.cameras(piece), chunk_frames(piece, bundle.observed(piece), 0.0)
    for frames, factor, chunk in zip(*map(reversed, (chunks, factors, linear)), strict=True):
        with double_precision():
            after, covariance, absorbed = covariance_chunk(after, factor, chunk.image, root.astype(np.float32))
        vector = bundle.shape.astype(np.float32)
        state = states_chunk(objective.model, vector, cameras, bundle.noise(piece), frames, covariance)
        fields = (
            state.qvel,
            state.sites_m,
            state.sites_std_m,
            state.residual_px,
            state.standard,
            state.used,
            state.pull,
        )
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
        linear = objective.linearised(piece, bundle)
        factors, _ = eliminate_piece(linear, 0.0)
        states = piece_states(objective, piece, bundle, factors, linear, np.zeros((0, 0)))
        noise_m = measured_noise(piece, linear, states.absorbed)
        return replace(piece, noise_m=noise_m, covariance=states.covariance), states

    results = in_parallel(measured, bundle.pieces)
    correlation = noise_correlation([states for _, states in results])
    return replace(bundle, pieces=tuple(piece for piece, _ in results)), correlation


BLOCKS = (8, 32)
"""Frames over which residuals are averaged, besides whole pieces, to see how slowly they change."""


def noise_correlation(states: Sequence[PieceStates]) -> float:
    """So many observations say what one with independent noise would; at least 1.

    N var(mean over N frames) / var, N the length of a block or of a piece: 1 for white noise, N for an error that
    stays. The largest counts, of the cameras' own residuals (a calibration that is off, over whole pieces) and of what
    all cameras agree on (skin that slides, joints that are no hinges, over blocks). Of whole pieces offsets absorb 3 of
    the means that a site has, two for each camera and piece, which is allowed for.
    """
    means = np.sum([2.0 * (state.used.sum(0) > 1).sum(0) for state in states], axis=0)
    free = float(np.maximum(means - 3.0, 0.25 * means).sum())
    whole = _correlation([state.standard for state in states]) * means.sum() / max(free, 1.0)
    blocks = [_correlation([state.pull for state in states], length) for length in BLOCKS]
    return float(max(1.0, whole, *blocks))


def _correlation(residuals: Sequence[np.ndarray], length: int | None = None) -> float:
    """Squares of the sums over blocks of so many frames (None: all) by the sum of the squares."""
    sums = squares = 0.0
    for values in residuals:
        starts = np.arange(0, len(values), length or len(values))
        sums += float(np.sum(np.add.reduceat(values, starts, axis=0) ** 2))
        squares += float(np.sum(values**2))
    return sums / squares if squares > 0.0 else 1.0


def judge(
    model: ShapeModel,
    fitted: Fitted,
    prior: OuterPrior | None,
    known: np.ndarray | None,
    rig_prior: OuterPrior | None = None,
    zeros_std_rad: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, list[PieceStates]]:
    """Covariance (X, X) of the shape, (C P, C P) of the rig, and the states of every piece with both in theirs.

    Where a prior is given that covariance is the posterior; the shape's is otherwise `known`, and a rig that was not
    looked for is certain. No joint is surer than `zeros_std_rad` (34,). All images count for as much less as their
    noise is correlated.
    """
    bundle, share = fitted.bundle, 1.0 / fitted.correlation
    objective = Objective(model, prior, len(bundle), rig_prior)
    uncertain = known if prior is None and known is not None and known.any() else None
    unknown = replace(objective.unknown(bundle), shape=prior is not None or uncertain is not None)

    def eliminated(piece: Piece) -> tuple[list[Factor], np.ndarray, list[Linear]]:
        linear = [_believed(x, share) for x in objective.linearised(piece, bundle, unknown)]
        return *eliminate_piece(linear, 0.0), linear

    pieces = in_parallel(eliminated, bundle.pieces)
    images = np.sum([outer for _, outer, _ in pieces], axis=0)[1:, 1:]
    covariance = _outer_covariance(images, objective.prior, uncertain)
    root = _root(covariance)

    def stated(both: tuple[Piece, tuple]) -> PieceStates:
        piece, (factors, _, linear) = both
        return piece_states(objective, piece, bundle, factors, linear, root)

    states = in_parallel(stated, _pairs(bundle, pieces))
    if zeros_std_rad is not None:
        states = [replace(state, covariance=not_surer(state.covariance, zeros_std_rad)) for state in states]
    split = len(bundle.shape) if unknown.shape else 0
    return covariance[:split, :split], covariance[split:, split:], states


def not_surer(covariance: np.ndarray, zeros_std_rad: np.ndarray) -> np.ndarray:
    """(F, 40, 40) covariances of a piece with the zeros' uncertainty (34,) where they claim less in the mean; what goes
    with such a joint by the covariance itself gets its part of it."""
    wide = covariance.astype(float)
    open_joints = 6 + np.flatnonzero(zeros_std_rad)
    own = wide[:, open_joints[:, None], open_joints]
    missing = np.maximum(zeros_std_rad[open_joints - 6] ** 2 - np.diagonal(own, axis1=1, axis2=2).mean(0), 0.0)
    along = np.swapaxes(np.linalg.solve(own, wide[:, open_joints]), 1, 2)
    return (wide + (along * missing) @ np.swapaxes(along, 1, 2)).astype(np.float32)


def _outer_covariance(images: np.ndarray, prior: OuterPrior | None, known: np.ndarray | None) -> np.ndarray:
    """Of all columns, from the images' information; the first columns have the covariance `known` where that is given,
    and those that follow move with them."""
    if prior is None:
        return np.zeros((0, 0)) if known is None else known
    size = 0 if known is None else len(known)
    information = images[size:, size:] + prior.information
    own = np.linalg.inv(0.5 * (information + information.T))
    if known is None:
        return own
    follows = -own @ images[size:, :size]
    cross = follows @ known
    return np.block([[known, cross.T], [cross, own + cross @ follows.T]])


def _pairs(bundle: Bundle, results: list) -> list[tuple[Piece, Any]]:
    return list(zip(bundle.pieces, results, strict=True))


def _believed(linear: Linear, share: float) -> Linear:
    """The images counting for so much; gradients are not used any more."""
    return replace(linear, image=linear.image * share, gradient=linear.gradient * share, outer=linear.outer * share)


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix whose product with its transpose is the covariance, also where parts of that are zero."""
    if not covariance.size:
        return covariance
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
