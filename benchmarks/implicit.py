"""The paper's network of time against the banded smoother, on a simulated trial. Prints a table; see docs/implicit.md.

python benchmarks/implicit.py [--seconds 10] [--seed 1]     both fits, the network from the smoother and from neutral
python benchmarks/implicit.py --variants                    sizes, batches, schedules, number formats
python benchmarks/implicit.py --paper                       how long steps of the paper's size take
python benchmarks/implicit.py --picture docs/pictures/implicit.png
(implicit_response.py: what either lets through of an oscillation; implicit_bilevel.py: subject and trajectories)
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from markerless_biomech.body.model import difference, sites
from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.shape import ShapeModel, shape_model, shape_parameters, shape_vector
from markerless_biomech.body.subject import Subject
from markerless_biomech.cameras.camera import project
from markerless_biomech.cameras.frame_sets import FrameSet, FrameSetAssembler
from markerless_biomech.devices import enable_compile_cache
from markerless_biomech.fitting.bundle import Bundle, Piece
from markerless_biomech.fitting.implicit import (
    STEPS_A_CALL,
    ImplicitFit,
    ImplicitSettings,
    data_term,
    fit_implicit,
    paper_settings,
)
from markerless_biomech.fitting.implicit_start import neutral_start
from markerless_biomech.fitting.judgement import measure
from markerless_biomech.fitting.offline import Objective
from markerless_biomech.fitting.start_postures import trunk_weights
from markerless_biomech.following import Follower, body_of, stretches
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import SimulatedSession, simulate

T = TypeVar("T")

LEGS_AND_TRUNK = 17
"""The first 17 joints."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A simulated trial as the offline fit finds it."""

    session: SimulatedSession
    model: ShapeModel
    shape: np.ndarray
    piece: Piece
    """Poses of the live estimator."""
    truth: np.ndarray
    """(F, 41)"""


def simulated(seconds: float, seed: int, **options: Any) -> SimulatedSession:
    """Eight cameras, 87 keypoints, 60 Hz, 3 px."""
    return simulate(SimulationSettings(seconds=seconds, seed=seed, **options))


def followed(session: SimulatedSession, subject: Subject | None = None) -> Trial:
    """The live estimator's trajectory and points of the true subject, or of another."""
    subject = subject or session.subject
    names, keypoint_set = tuple(session.rig_true.cameras), session.keypoint_set
    follower = Follower(names, keypoint_set, EstimatorSettings())
    sets = frame_sets(session)
    qpos, trusted = follower.follow(session.rig_true, sets, subject)
    cameras = follower.arrays(session.rig_true, sets)
    sightings = follower.observe(cameras, sets, qpos, body_of(subject, keypoint_set), follower.noise_m)
    stretch = stretches(0, sets, qpos, trusted, sightings, cameras, follower.noise_m)[0]
    shape = shape_vector(subject, keypoint_set)
    return Trial(session, shape_model(keypoint_set), shape, stretch.piece, session.motion.qpos[stretch.rows])


def frame_sets(session: SimulatedSession) -> list[FrameSet]:
    """All of them, by stamps alone."""
    assembler = FrameSetAssembler(tuple(session.rig_true.cameras), replay_mode=True)
    found = [frame_set for frame in session.frames() for frame_set in assembler.push(frame)]
    return sorted([*found, *assembler.flush()], key=lambda frame_set: frame_set.stamp_ns)


# ------------------------------------------------------------------------------------------------ figures


@dataclass(frozen=True)
class Clock:
    """Seconds by the clock and of the processor, all threads; other work on the machine stretches the first."""

    wall_s: float
    cpu_s: float


def timed(work: Callable[[], T]) -> tuple[T, Clock]:
    """What `work` returns, and how long it took."""
    wall, cpu = time.monotonic(), time.process_time()
    result = work()
    return result, Clock(time.monotonic() - wall, time.process_time() - cpu)


def velocity(piece: Piece) -> np.ndarray:
    """(F, 40) central differences, as the smoother's data term has them."""
    rate = np.asarray(difference(piece.qpos[:-1], piece.qpos[1:])) / np.diff(piece.times_s)[:, None]
    return np.concatenate([rate[:1], 0.5 * (rate[1:] + rate[:-1]), rate[-1:]]).astype(np.float32)


def angle_errors_deg(trial: Trial, piece: Piece) -> np.ndarray:
    """(34,) root mean square of each joint's error."""
    error = piece.qpos[:, 7:] - trial.truth[:, 7:]
    return np.degrees(np.sqrt(np.mean(error**2, axis=0)))


def reprojection_px(trial: Trial, shape: np.ndarray, piece: Piece) -> float:
    """Mean distance of points and sites."""
    parameters = shape_parameters(trial.model, jnp.asarray(shape, jnp.float32))
    image_px, _ = project(piece.cameras, sites(parameters, jnp.asarray(piece.qpos)))
    distance = np.linalg.norm(np.asarray(image_px) - np.asarray(piece.observed.image_px), axis=-1)
    return float(distance[np.asarray(piece.observed.weight) > 0].mean())


def velocity_error_deg_s(trial: Trial, qvel: np.ndarray) -> float:
    """Root mean square over joints and frames."""
    truth = trial.session.qvel[: len(qvel), 6:]
    return float(np.degrees(np.sqrt(np.mean((qvel[:, 6:] - truth) ** 2))))


def row(
    name: str,
    trial: Trial,
    piece: Piece,
    cost: tuple[float, float],
    qvel: np.ndarray,
    numbers: int,
    clock: Clock,
) -> str:
    """One line of the table; `cost` is the data term and the smoother's."""
    errors = angle_errors_deg(trial, piece)
    figures = (
        f"{cost[0]:.0f} | {cost[0] / cost[1]:.4f} | {reprojection_px(trial, trial.shape, piece):.3f}",
        f"{errors.mean():.2f} | {errors[:LEGS_AND_TRUNK].mean():.2f} | {velocity_error_deg_s(trial, qvel):.0f}",
        f"{clock.wall_s:.1f} | {clock.cpu_s:.1f} | {numbers}",
    )
    return f"| {name} | {' | '.join(figures)} |"


def network_row(name: str, trial: Trial, fit: ImplicitFit, least: float, clock: Clock) -> str:
    """The same of a network."""
    return row(name, trial, fit.bundle.pieces[0], (fit.data_term, least), fit.qvel[0], fit.parameters, clock)


HEADER = (
    "| fit | data term | ratio | px | joints deg | legs, trunk deg | velocity deg/s | s | CPU s | numbers |\n"
    + "|---" * 10
    + "|"
)


# ------------------------------------------------------------------------------------------------ fits


def smoothed(trial: Trial) -> tuple[Piece, Clock]:
    """The banded smoother with each camera's noise measured, and how long its iterations took once compiled."""
    objective, bundle = Objective(trial.model, None, len(trial.piece)), Bundle((trial.piece,), trial.shape)
    for _ in range(2):
        bundle, _ = measure(trial.model, objective.descend(bundle).bundle)
    fresh = replace(bundle, pieces=(replace(bundle.pieces[0], qpos=trial.piece.qpos),))
    descent, clock = timed(lambda: objective.descend(fresh))
    return descent.bundle.pieces[0], clock


def implicit(trial: Trial, start: Piece, settings: ImplicitSettings) -> tuple[ImplicitFit, Clock]:
    """The network from the poses in `start`; everything is compiled before."""
    bundle = Bundle((start,), trial.shape)
    return timed(lambda: fit_implicit(trial.model, bundle, None, settings))


def warm_up(trial: Trial, start: Piece, settings: ImplicitSettings) -> None:
    """Compile what a fit with these settings runs."""
    implicit(trial, start, replace(settings, steps=1))


def neutral(trial: Trial, piece: Piece) -> Piece:
    """Joints at 0, the pelvis placed by the trunk's points."""
    trunk = np.sum(trunk_weights(trial.session.keypoint_set), axis=0)
    return replace(piece, qpos=neutral_start(trial.model, trial.shape, piece, trunk))


def table(trial: Trial) -> tuple[list[str], dict[str, Any]]:
    """The smoother, and the network from its poses and from neutral."""
    piece, clock = smoothed(trial)
    least = data_term(trial.model, trial.shape, piece, velocity(piece))
    rows = [row("smoother", trial, piece, (least, least), velocity(piece), 40 * len(piece), clock)]
    found: dict[str, Any] = {"smoother": piece, "least": least}
    warm_up(trial, piece, ImplicitSettings())
    for name, start in (("the smoother", piece), ("neutral", neutral(trial, piece))):
        fit, clock = implicit(trial, start, ImplicitSettings())
        rows.append(network_row(f"network, from {name}", trial, fit, least, clock))
        found[name] = fit
    return rows, found


def variants(trial: Trial) -> None:
    """What else was tried, each from neutral."""
    piece, _ = smoothed(trial)
    least = data_term(trial.model, trial.shape, piece, velocity(piece))
    seconds = float(piece.times_s[-1] - piece.times_s[0])
    tried = {
        "default": {},
        "half the steps": {"steps": round(200 * seconds)},
        "twice the steps": {"steps": round(800 * seconds)},
        "batches of 32": {"batch_frames": 32},
        "batches of 128": {"batch_frames": 128},
        "bfloat16": {"compute_dtype": "bfloat16"},
        "widths 4 x 256": {"widths": (256,) * 4},
        "bandwidth 4.5 Hz": {"bandwidth_hz": 4.5},
        "bandwidth 18 Hz": {"bandwidth_hz": 18.0},
        "the paper's schedule": {"schedule": "paper", "rate": 1e-3},
    }
    plans = {name: ImplicitSettings(**values) for name, values in tried.items()}
    start = neutral(trial, piece)
    for name, settings in plans.items():
        warm_up(trial, start, settings)
        fit, clock = implicit(trial, start, settings)
        print(network_row(name, trial, fit, least, clock), flush=True)


def of_the_papers_size(trial: Trial) -> None:
    """How long STEPS_A_CALL steps of it take here, the second time."""
    piece, _ = smoothed(trial)
    settings = paper_settings(float(piece.times_s[-1] - piece.times_s[0]))
    for compute_dtype in ("bfloat16", "float32"):
        short = replace(settings, steps=1, start_steps=0, compute_dtype=compute_dtype)
        warm_up(trial, piece, short)
        fit, clock = implicit(trial, piece, short)
        print(
            f"{fit.parameters} numbers, {compute_dtype}: {STEPS_A_CALL} steps of {settings.steps} in {clock}",
            flush=True,
        )


# ------------------------------------------------------------------------------------------------ picture


def draw(trial: Trial, found: dict[str, Any], path: Path) -> None:
    """The objective over the steps, and two joints by either fit."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), constrained_layout=True)
    for name in ("the smoother", "neutral"):
        fit: ImplicitFit = found[name]
        steps = STEPS_A_CALL * np.arange(1, len(fit.objective) + 1)
        axes[0].semilogy(steps, fit.objective, label=f"network from {name}")
    axes[0].axhline(found["least"], color="k", lw=1, ls="--", label="smoother")
    axes[0].set(xlabel="step", ylabel="data term (half squared standard deviations)", title="training")
    inside = slice(60, 240)
    time_s = trial.piece.times_s[inside]
    for axis, joint in zip(axes[1:], ("knee_angle_r", "subtalar_angle_r"), strict=True):
        column = 7 + JOINT_NAMES.index(joint)
        poses = {"truth": trial.truth, "smoother": found["smoother"].qpos}
        poses["network from neutral"] = found["neutral"].bundle.pieces[0].qpos
        for (name, qpos), style in zip(poses.items(), ("k-", "C2-", "C1-"), strict=True):
            axis.plot(time_s, np.degrees(qpos[inside, column]), style, lw=2.5 if name == "truth" else 1.2, label=name)
        axis.set(xlabel="s", ylabel="deg", title=joint)
    for axis in axes:
        axis.legend()
        axis.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--paper", action="store_true")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    enable_compile_cache()
    trial = followed(simulated(options.seconds, options.seed))
    if options.paper:
        of_the_papers_size(trial)
        return
    print(HEADER, flush=True)
    if options.variants:
        variants(trial)
        return
    rows, found = table(trial)
    print("\n".join(rows))
    if options.picture:
        draw(trial, found, options.picture)


if __name__ == "__main__":
    main()
