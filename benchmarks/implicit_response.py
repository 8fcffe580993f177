"""What the smoother and the network of time let through of an oscillation, by frequency: their bandwidths.

python benchmarks/implicit_response.py [--seconds 10] [--seed 1] [--bandwidths 9]

First the smoother by its equations, each joint alone. Then both by experiment: some joints of the same trial oscillate
by one degree with the same noise, and the difference of two fits is compared with what was put in. The networks start
from neutral, since the poses of the smoother would already hold what they are asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
from implicit import Trial, followed, implicit, neutral, simulated, smoothed

from markerless_biomech.body.model import sites
from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.shape import shape_parameters
from markerless_biomech.cameras.camera import project
from markerless_biomech.devices import enable_compile_cache
from markerless_biomech.fitting import residuals
from markerless_biomech.fitting.bundle import Bundle, Piece
from markerless_biomech.fitting.implicit import ImplicitSettings
from markerless_biomech.fitting.offline import Objective

SHAKEN = ("hip_flexion_r", "knee_angle_l", "ankle_angle_r", "lumbar_rotation", "arm_flex_l", "elbow_flex_r")
SHAKEN_RAD = np.radians(1.0)
SHAKEN_HZ = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
FINE_HZ = np.arange(0.25, 30.0, 0.25)


def smoother_response(trial: Trial, piece: Piece, frequencies_hz: np.ndarray) -> np.ndarray:
    """(frequencies, 34) what the smoother lets through of a small oscillation of each joint alone, by its equations.

    With information H of a frame's images and A of accelerations (both averaged, with the weights of Huber's losses at
    the solution): G(w) = (H + A s(w))^-1 H, s = (2 (1 - cos w h) / h^2)^2 the square of the second difference's gain.
    """
    linear = Objective(trial.model, None, len(piece)).linearised(piece, Bundle((piece,), trial.shape))
    images = np.concatenate([np.asarray(chunk.image) for chunk in linear])[: len(piece)].mean(0)
    inner = np.ones(len(piece), np.float32)
    inner[-2:] = 0.0
    hop_s = np.diff(piece.times_s, prepend=2 * piece.times_s[0] - piece.times_s[1])
    _, weight, *_ = residuals.acceleration(jnp.asarray(piece.qpos), jnp.asarray(hop_s, jnp.float32), jnp.asarray(inner))
    calm = np.asarray(weight)[:-2].mean(0)
    hop = float(np.median(hop_s))
    gains = []
    for frequency in frequencies_hz:
        second = (2.0 * (1.0 - np.cos(2.0 * np.pi * frequency * hop)) / hop**2) ** 2
        gains.append(np.diagonal(np.linalg.solve(images + np.diag(calm * second), images))[6:])
    return np.array(gains)


def cutoff_hz(gains: np.ndarray, frequencies_hz: np.ndarray) -> np.ndarray:
    """(joints,) first frequency at which a gain (frequencies, joints) is below 1 / sqrt 2: -3 dB."""
    below = gains < np.sqrt(0.5)
    return np.where(below.any(0), frequencies_hz[below.argmax(0)], np.inf)


def shaken(trial: Trial, piece: Piece, frequency_hz: float) -> Piece:
    """The images of a person who does the same, but oscillates by 1 degree in some joints; the same noise."""
    parameters = shape_parameters(trial.model, jnp.asarray(trial.shape, jnp.float32))
    qpos = np.array(trial.truth, np.float32)
    there = qpos.copy()
    there[:, columns()] += oscillation(piece, frequency_hz)[:, :1].astype(np.float32) * np.float32(SHAKEN_RAD)
    moved = [np.asarray(project(piece.cameras, sites(parameters, jnp.asarray(q)))[0]) for q in (qpos, there)]
    image_px = np.asarray(piece.observed.image_px) + moved[1] - moved[0]
    return replace(piece, observed=replace(piece.observed, image_px=image_px))


def columns() -> list[int]:
    """Of the joints that are shaken, in qpos."""
    return [7 + JOINT_NAMES.index(name) for name in SHAKEN]


def oscillation(piece: Piece, frequency_hz: float) -> np.ndarray:
    """(F, 3) sine, cosine, constant."""
    angle = 2.0 * np.pi * frequency_hz * piece.times_s
    return np.stack([np.sin(angle), np.cos(angle), np.ones_like(angle)], 1)


def gain(piece: Piece, calm: np.ndarray, shaken: np.ndarray, frequency_hz: float) -> np.ndarray:
    """(joints,) in-phase share of the oscillation found in the difference of two fits (F, 41), ends left out."""
    inside = slice(30, -30)
    moved = (shaken - calm)[inside][:, columns()]
    return np.linalg.lstsq(oscillation(piece, frequency_hz)[inside], moved, rcond=None)[0][0] / SHAKEN_RAD


def smoother_qpos(trial: Trial, piece: Piece) -> np.ndarray:
    """(F, 41)"""
    return Objective(trial.model, None, len(piece)).descend(Bundle((piece,), trial.shape)).bundle.pieces[0].qpos


def network_qpos(trial: Trial, piece: Piece, bandwidth_hz: float) -> np.ndarray:
    """(F, 41)"""
    settings = ImplicitSettings(bandwidth_hz=bandwidth_hz)
    return implicit(trial, neutral(trial, piece), settings)[0].bundle.pieces[0].qpos


def print_gains(name: str, trial: Trial, piece: Piece, fit: Callable[[Trial, Piece], np.ndarray]) -> None:
    """One line a frequency."""
    calm = fit(trial, piece)
    print(f"{name}: gain of {', '.join(SHAKEN)}")
    for frequency in SHAKEN_HZ:
        gains = gain(piece, calm, fit(trial, shaken(trial, piece, frequency)), frequency)
        print(f"| {frequency:g} Hz | {' | '.join(f'{x:.2f}' for x in gains)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bandwidths", type=float, nargs="*", default=[9.0])
    options = parser.parse_args()
    enable_compile_cache()
    trial = followed(simulated(options.seconds, options.seed))
    piece, _ = smoothed(trial)
    cutoffs = cutoff_hz(smoother_response(trial, piece, FINE_HZ), FINE_HZ)
    print("smoother, -3 dB by its equations (Hz):")
    print(", ".join(f"{name} {value:g}" for name, value in zip(JOINT_NAMES, cutoffs, strict=True)))
    print(f"median {np.median(cutoffs):g}, quartiles {np.percentile(cutoffs, 25):g} to {np.percentile(cutoffs, 75):g}")
    print_gains("smoother", trial, piece, smoother_qpos)
    for bandwidth in options.bandwidths:
        print_gains(f"network of {bandwidth:g} Hz", trial, piece, partial(network_qpos, bandwidth_hz=bandwidth))


if __name__ == "__main__":
    main()
