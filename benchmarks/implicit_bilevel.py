"""Subject and trajectories of three simulated trials together: the banded fit, and networks of time.

python benchmarks/implicit_bilevel.py [--seconds 5] [--seed 1]

A person of unusual segments and sites (`hard_person`), from the body of their stature and the live estimator's poses.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
from implicit import Clock, Trial, angle_errors_deg, followed, simulated, timed, velocity

from markerless_biomech.body.model import body_parameters
from markerless_biomech.body.shape import shape_parameters
from markerless_biomech.body.subject import Subject, subject_from_height
from markerless_biomech.devices import enable_compile_cache
from markerless_biomech.fitting.bundle import Bundle, OuterPrior
from markerless_biomech.fitting.implicit import ImplicitSettings, data_term, fit_implicit
from markerless_biomech.fitting.judgement import measure
from markerless_biomech.fitting.offline import Objective
from markerless_biomech.fitting.shape_prior import shape_prior

HEADER = "| fit | objective | data term | lengths, median mm | worst mm | joints deg | s | CPU s |\n" + "|---" * 8 + "|"


def together(trials: list[Trial], height_m: float) -> list[str]:
    """Subject and trajectories of several trials, from the body of a stature: the banded fit, then the networks."""
    keypoint_set, truth = trials[0].session.keypoint_set, trials[0].session.subject
    prior = shape_prior(keypoint_set, height_m, 0.01)
    bundle = Bundle(tuple(trial.piece for trial in trials), trials[0].shape)
    start, correlation = bundle, 1.0
    for _ in range(2):
        objective = Objective(trials[0].model, prior, len(bundle))
        bundle, correlation = measure(trials[0].model, objective.descend(bundle, correlation).bundle)
    pieces = tuple(replace(old, noise_m=new.noise_m) for old, new in zip(start.pieces, bundle.pieces, strict=True))
    fresh = Bundle(pieces, start.shape)
    descent, clock = timed(lambda: objective.descend(fresh, correlation))
    rows = [_together_row("banded fit", trials, descent.bundle, truth, prior, correlation, clock)]
    for name, begin, settings in (
        ("networks, from the banded fit", bundle, ImplicitSettings()),
        ("networks, from the live poses", fresh, ImplicitSettings()),
        ("the same with the posture prior", fresh, ImplicitSettings(posture=1.0)),
    ):
        fit_implicit(trials[0].model, begin, prior, replace(settings, steps=1), correlation)
        fit, clock = timed(partial(fit_implicit, trials[0].model, begin, prior, settings, correlation))
        rows.append(_together_row(name, trials, fit.bundle, truth, prior, correlation, clock))
    return rows


def _together_row(
    name: str, trials: list[Trial], bundle: Bundle, truth: Subject, prior: OuterPrior, correlation: float, clock: Clock
) -> str:
    """Data term, the subject's prior, lengths of the segments, angles."""
    cost = sum(data_term(trials[0].model, bundle.shape, piece, velocity(piece)) for piece in bundle.pieces)
    wanted_m = body_parameters(truth, trials[0].session.keypoint_set).body_pos
    found_m = shape_parameters(trials[0].model, jnp.asarray(bundle.shape, jnp.float32)).body_pos
    lengths_mm = 1e3 * np.abs(np.linalg.norm(found_m, axis=1) - np.linalg.norm(wanted_m, axis=1))[2:]
    errors = np.mean([angle_errors_deg(*both) for both in zip(trials, bundle.pieces, strict=True)], axis=0)
    objective = cost / correlation + prior.cost(bundle.shape)
    figures = f"{objective:.1f} | {cost:.0f} | {np.median(lengths_mm[lengths_mm > 0]):.1f} | {lengths_mm.max():.1f}"
    return f"| {name} | {figures} | {errors.mean():.2f} | {clock.wall_s:.1f} | {clock.cpu_s:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    enable_compile_cache()
    person = {"person_seed": options.seed, "hard_person": True}
    sessions = [simulated(options.seconds, options.seed + index, **person) for index in range(3)]
    subject = subject_from_height(sessions[0].subject.height_m, sessions[0].keypoint_set)
    rows = together([followed(session, subject) for session in sessions], subject.height_m)
    print("\n".join([HEADER, *rows]))


if __name__ == "__main__":
    main()
