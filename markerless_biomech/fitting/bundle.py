"""What an offline fit moves: trajectories in pieces, one shape, one rig; and how its arrays are cut into chunks.

F frames of a piece (any number), C cameras, K keypoints, X numbers of shape, P of each camera.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from ..cameras.camera import Cameras
from ..cameras.increments import CAMERA_NUMBERS, POSE, refined
from . import priors
from .bilevel import AFTER, BEFORE, CHUNK, Frames, Noise
from .residuals import Observations


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
class OuterPrior:
    """A Gaussian over the shape vector, or over the cameras' numbers (C P,)."""

    mean: np.ndarray
    """(X,)"""
    information: np.ndarray
    """(X, X)"""

    def cost(self, values: np.ndarray) -> float:
        """Half the squared distance in standard deviations."""
        return float(0.5 * (values - self.mean) @ self.information @ (values - self.mean))


def both(first: OuterPrior, second: OuterPrior) -> OuterPrior:
    """One Gaussian over the numbers of two."""
    size = len(first.mean)
    information = np.zeros((size + len(second.mean),) * 2)
    information[:size, :size], information[size:, size:] = first.information, second.information
    return OuterPrior(np.concatenate([first.mean, second.mean]), information)


@dataclass(frozen=True, eq=False)
class Bundle:
    """Everything that moves: pieces, shape and rig. A value."""

    pieces: tuple[Piece, ...]
    shape: np.ndarray
    """(X,)"""
    rig: np.ndarray | None = None
    """(C, P) what is to be applied to the pieces' cameras (cameras/increments.py); None: nothing"""

    def cameras(self, piece: Piece) -> Cameras:
        """A piece's cameras as the bundle has them."""
        return piece.cameras if self.rig is None else _refined(piece.cameras, self.rig.astype(np.float32))

    def noise(self, piece: Piece) -> Noise:
        """Of a piece's images."""
        return Noise(piece.noise_m.astype(np.float32), piece.cameras)  # pyright: ignore

    def observed(self, piece: Piece) -> Observations:
        """A piece's points with the cameras' delays as the bundle has them."""
        if self.rig is None or self.rig.shape[1] == POSE:
            return piece.observed
        late_s = self.rig[:, CAMERA_NUMBERS.index("time_s")].astype(np.float32)
        return replace(piece.observed, delay_s=piece.observed.delay_s + late_s)

    def taken(self) -> Bundle:
        """The same with the rig taken into the pieces."""
        pieces = [replace(piece, cameras=self.cameras(piece), observed=self.observed(piece)) for piece in self.pieces]
        return Bundle(tuple(pieces), self.shape)

    def __len__(self) -> int:
        """Frames of all pieces."""
        return sum(len(piece) for piece in self.pieces)


_refined = jax.jit(refined)


def chunk_frames(piece: Piece, observed: Observations, posture_s: float) -> list[Frames]:
    """The piece in chunks of CHUNK frames, the last one filled up with frames that are not there."""
    count = len(piece)
    padding = -count % CHUNK
    before, after = BEFORE, AFTER + padding
    hop_s = np.diff(piece.times_s, prepend=piece.times_s[0] - 1.0 / priors.REFERENCE_RATE_HZ)
    qpos = np.pad(piece.qpos, ((before, after), (0, 0)), mode="edge")
    hop_s = np.pad(hop_s, (before, after), mode="edge").astype(np.float32)
    valid = np.pad(np.ones(count, np.float32), (before, after))
    observed = jax.tree.map(lambda x: np.pad(x, ((0, padding), *((0, 0),) * (x.ndim - 1))), observed)

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
