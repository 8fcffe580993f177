"""What happened to a camera: hypotheses that compete for the same second of its points, and their odds.

Of each hypothesis the marginal likelihood is compared: how well it explains the points, less what it could have
explained as well (Occam's term; Laplace's approximation, MacKay, Information Theory, 2003, chapter 28). C cameras.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .fitting.camera_look import CHANGES, FOCAL, POSE, TIME, Look

AS_BEFORE, MOVED, LATE, ZOOMED, FROZEN, SWAPPED, SOMEBODY_ELSE = range(7)
HYPOTHESES = ("as before", "moved", "exposed at another time", "zoomed", "frozen", "left and right exchanged")
HYPOTHESES += ("shows somebody else",)
"""In words, in the order of the numbers above."""

PRIOR_LOG_ODDS = -7.0
"""Of each change, in any one second, against none: once an hour."""

MOVE_M, TURN_RAD = 0.03, np.radians(1.5)
"""Standard deviation, a coordinate, of how a bumped camera moves and turns."""

DELAY_S, ZOOM = 0.02, 0.02
"""Standard deviation of another time of exposure, and of a relative change of the focal length."""

BUMPS = (slice(0, 3), slice(3, 6), POSE)
"""A camera that moved has been pushed, turned or both; alike before anything is known."""

WANDER_M, GLIMPSE_M = 0.3, 0.01
"""Where somebody else is from look to look, and by how much a look at the right person is off, as standard deviations
at the subject."""

NEVER = 1e3
"""Natural logarithm of odds that count as certainty."""

CORRELATED_LOOKS = 4.0
"""Looks one after the other that count as one where a person's way is judged."""


@dataclass(frozen=True)
class Evidence:
    """Sums of the looks of one window, in information that counts: detectors repeat their errors."""

    information: np.ndarray
    """(C, 8, 8)"""
    gradient: np.ndarray
    """(C, 8)"""
    frozen: np.ndarray
    """(C,)"""
    swapped: np.ndarray
    """(C,)"""
    looks: tuple[Look, ...]
    """(N)"""
    counted: np.ndarray
    """(N, C) bool: this camera's part of this look."""
    usual: np.ndarray
    """(C, 8, 8) covariance of changes that are none: what comes and goes, and how well the camera's own is known."""
    noise_m: np.ndarray
    """(C,) standard deviation of a coordinate."""


@dataclass(frozen=True)
class Verdict:
    """What is believed of each camera."""

    winner: np.ndarray
    """(C,) the most probable hypothesis."""
    log_odds: np.ndarray
    """(C,) natural logarithm of the winner's odds against all others together."""
    change: np.ndarray
    """(C, 8) most probable change under the winner, in the columns of `CameraView.jacobian`."""
    against_none: np.ndarray
    """(C,) natural logarithm of the odds that anything has changed."""
    usual: np.ndarray
    """(C, 8) most probable change if nothing has happened."""


def gather(
    looks: tuple[Look, ...], counted: np.ndarray, repeats: np.ndarray, usual: np.ndarray, noise_m: np.ndarray
) -> Evidence:
    """Sums of the looks (N) that are counted (N, C) bool; the others as in `Evidence`."""
    total = {
        name: np.einsum("nc...,nc->c...", np.stack([getattr(look, name) for look in looks]), 1.0 * counted)
        for name in _SUMMED
    }
    share = 1.0 / repeats
    return Evidence(
        information=total["information"] * share[:, None, None],
        gradient=total["gradient"] * share[:, None],
        frozen=total["frozen"] * share,
        swapped=total["swapped"] * share,
        looks=looks,
        counted=counted,
        usual=usual,
        noise_m=noise_m,
    )


_SUMMED = tuple(field.name for field in fields(Evidence))[:4]


def judge(evidence: Evidence) -> Verdict:
    """The odds of every hypothesis for every camera."""
    usual = evidence.usual
    none, no_change = _explained(evidence, usual)
    logs, changes = [none], [no_change]
    bumps = [_explained(evidence, usual + _spread(part)) for part in BUMPS]
    best = np.argmax([log for log, _ in bumps], axis=0)
    logs.append(np.logaddexp.reduce([log for log, _ in bumps], axis=0) - np.log(len(BUMPS)))
    changes.append(np.choose(best[:, None], [change for _, change in bumps]))
    for column, spread in ((TIME, DELAY_S), (FOCAL, ZOOM)):
        log, change = _explained(evidence, usual + np.diag(np.eye(CHANGES)[column] * spread**2))
        logs.append(log)
        changes.append(change)
    moved = logs[MOVED]
    # Where nothing seems to have moved, nobody else can be there; that is nearly always, and saves time.
    somebody = moved + _somebody_else(evidence, changes[MOVED]) if (moved > none).any() else none - NEVER
    # How well any of these can explain the points, the same points again explain better or worse by this.
    frozen = np.max([*logs, none + evidence.swapped, somebody], axis=0) + evidence.frozen
    logs += [frozen, none + evidence.swapped, somebody]
    changes += [np.zeros_like(no_change)] * 3
    return _verdict(np.array(logs), np.array(changes))


def _verdict(logs: np.ndarray, changes: np.ndarray) -> Verdict:
    """Of log marginal likelihoods (H, C) and changes (H, C, 8)."""
    logs = logs + PRIOR_LOG_ODDS * (np.arange(len(logs)) > 0)[:, None]
    winner = np.argmax(logs, axis=0)
    columns = np.arange(logs.shape[1])
    others = np.where(np.arange(len(logs))[:, None] == winner, -np.inf, logs)
    return Verdict(
        winner=winner,
        log_odds=logs[winner, columns] - np.logaddexp.reduce(others, axis=0),
        change=changes[winner, columns],
        against_none=np.logaddexp.reduce(logs[1:], axis=0) - logs[0],
        usual=changes[AS_BEFORE],
    )


def _spread(part: slice) -> np.ndarray:
    """(8, 8) covariance of a bump of this kind."""
    spread = np.zeros(CHANGES)
    spread[part] = np.r_[np.full(3, MOVE_M), np.full(3, TURN_RAD)][part] ** 2
    return np.diag(spread)


def _explained(evidence: Evidence, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(C,) log marginal likelihood, but for a constant, of changes with `covariance` (C, 8, 8); (C, 8) most probable.

    Of r = J x + noise with x of covariance Q = L L': with x = L z, g'L (1 + L'A L)^-1 L'g / 2 - log |1 + L'A L| / 2.
    """
    root = np.linalg.cholesky(covariance)
    transposed = root.transpose(0, 2, 1)
    scaled = transposed @ evidence.information @ root + np.eye(CHANGES)
    gradient = (transposed @ evidence.gradient[..., None])[..., 0]
    change = np.linalg.solve(scaled, gradient[..., None])[..., 0]
    log = 0.5 * np.sum(gradient * change, -1) - 0.5 * np.linalg.slogdet(scaled)[1]
    return log, (root @ change[..., None])[..., 0]


def _somebody_else(evidence: Evidence, change: np.ndarray) -> np.ndarray:
    """(C,) log likelihood ratio: the points wander on top of `change` (C, 8), against them staying."""
    shift = np.stack([look.shift_px for look in evidence.looks])
    jacobian = np.stack([look.shift_jacobian for look in evidence.looks])
    scale = np.stack([look.pixels_per_metre for look in evidence.looks])
    count = np.stack([look.count for look in evidence.looks])
    left = shift - (jacobian @ change[None, :, :, None])[..., 0]
    own = scale**2 * (evidence.noise_m**2 / np.maximum(count, 1.0) + GLIMPSE_M**2)
    wide = (scale * WANDER_M) ** 2
    gain = 0.5 * np.sum(left**2, -1) * (1.0 / own - 1.0 / (own + wide)) - np.log1p(wide / own)
    return np.where((count > 0) & evidence.counted, gain, 0.0).sum(0) / CORRELATED_LOOKS
