"""How far something went around an instant: never across a gap in the recording, where nobody knows where it was."""

from __future__ import annotations

import numpy as np

_LARGEST_GAP_S = 0.25
"""Stamps further apart belong to different runs."""


def run_around(stamps_ns: np.ndarray, at_ns: np.ndarray) -> np.ndarray:
    """(2, N) first and last stamp of the unbroken run of rising stamps (F,) that holds each instant (N,); the instant
    itself, twice, where none does."""
    begins = np.flatnonzero(np.diff(stamps_ns) > _LARGEST_GAP_S * 1e9) + 1
    first_ns = stamps_ns[np.append(0, begins)]
    last_ns = stamps_ns[np.append(begins, len(stamps_ns)) - 1]
    run = np.maximum(np.searchsorted(first_ns, at_ns, side="right") - 1, 0)
    inside = (first_ns[run] <= at_ns) & (at_ns <= last_ns[run])
    return np.where(inside, [first_ns[run], last_ns[run]], at_ns)


def way(
    stamps_ns: np.ndarray, path: np.ndarray, start_ns: np.ndarray, end_ns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far `path` (F, D) went between instants (N,), (N, D), and for how many seconds (N,): the part of the time
    between that lies in the unbroken run around its middle."""
    run_ns = run_around(stamps_ns, start_ns + (end_ns - start_ns) // 2)
    times_s = (stamps_ns - stamps_ns[0]) * 1e-9
    ends_s = (np.clip([start_ns, end_ns], *run_ns) - stamps_ns[0]) * 1e-9
    ends = np.stack([np.interp(ends_s, times_s, axis) for axis in path.T], axis=-1)
    return ends[1] - ends[0], ends_s[1] - ends_s[0]


def mean_velocity(stamps_ns: np.ndarray, path: np.ndarray, at_ns: np.ndarray, half_s: float) -> np.ndarray:
    """(N, D) of `path` (F, D) from `half_s` before instants (N,) to after; NaN outside of every run."""
    half_ns = round(half_s * 1e9)
    moved, passed_s = way(stamps_ns, path, at_ns - half_ns, at_ns + half_ns)
    return moved / np.where(passed_s > 0.0, passed_s, np.nan)[:, None]
