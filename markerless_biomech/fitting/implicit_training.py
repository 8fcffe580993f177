"""Gradient descent on networks of time and, when wanted, on the subject that they share.

The loss is the smoother's data term and its prior of the subject; nothing but the bandwidth makes trajectories smooth.
Trials are stacked and filled up with frames that are never drawn, so that any number of them is one program; many steps
run in one call. N trials, F frames, B of them in a step, C cameras, K keypoints, X numbers of the subject's shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ..body.model import BodyParameters, sites
from ..body.shape import ShapeModel, shape_parameters
from ..cameras.camera import Cameras, project
from . import priors
from .implicit_network import Layers, encoded, network, pose_of, poses
from .residuals import Observations, huber_cost, noise_px
from .residuals import posture as usual_posture

WARM_UP = 0.1
"""Share of the steps in which the fast schedule's rate grows from nothing."""

SHAPE_PACE = 5.0
"""The shape moves so many times as fast as a weight, in standard deviations of its prior."""

FAST_B2 = 0.99
"""Adam's memory of squared slopes is to be short where a fit takes some thousand steps."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Trials:
    """What was seen in N trials; every array begins with the trial."""

    cameras: Cameras
    observations: Observations
    """(N, F, C, K, 2), (N, F, C, K), (N, F, C)"""
    time_s: Float[Array, "N F"]
    """Since each trial's start."""
    frames: Int[Array, " N"]
    """Frames of each trial; what follows is filling."""
    noise_m: Float[Array, "N C"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Person:
    """The subject: shape = mean + factor @ (SHAPE_PACE unit); `unit` is learnt, what is in brackets is N(0, 1)."""

    model: ShapeModel
    mean: Float[Array, " X"]
    factor: Float[Array, "X X"]
    """Zero when the subject is known: the same program, in which `unit` stays at zero."""
    belief: Float[Array, ""]
    """Share that the images count: their errors are not independent."""

    def shape(self, unit: jax.Array) -> jax.Array:
        """(X,)"""
        return self.mean + self.factor @ (SHAPE_PACE * unit)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Learnt:
    """What gradient descent moves."""

    layers: Layers
    unit: Float[Array, " X"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """Between two calls."""

    learnt: Learnt
    optimiser: Any
    step: jax.Array
    steps: jax.Array
    """In all; not fixed when compiled."""
    key: jax.Array


@dataclass(frozen=True)
class Plan:
    """What is fixed when the steps are compiled. Hashable: equal plans for equal shapes compile once."""

    schedule: str
    """fast, paper"""
    rate: float
    """Largest step of a weight."""
    batch_frames: int
    compute_dtype: str
    delayed: bool
    """Whether any camera's stamp is off its frame set's."""
    open_share: float
    """Share of the steps in which no point is too far off to pull."""
    posture: float
    """Weight of the usual posture, counted once over all frames of a trial as in the banded fit."""


def optimiser(plan: Plan, steps: jax.Array | int) -> optax.GradientTransformation:
    """`paper`: rate, decay and clipped updates of arXiv 2402.17192. `fast`: fewer steps (docs/implicit.md)."""
    if plan.schedule == "paper":
        adam = optax.adamw(lambda step: plan.rate * 1e-3 ** (step / steps), b1=0.8, weight_decay=1e-5)
        return optax.chain(adam, optax.clip_by_global_norm(0.1))
    return optax.adamw(lambda step: plan.rate * fast_share(step / steps), b1=0.9, b2=FAST_B2, weight_decay=1e-5)


def fast_share(done: Any) -> jax.Array:
    """The fast schedule's rate relative to its largest: a ramp, then half a cosine down to zero."""
    falling = 0.5 * (1.0 + jnp.cos(jnp.pi * jnp.clip((done - WARM_UP) / (1.0 - WARM_UP), 0.0, 1.0)))
    return jnp.minimum(done / WARM_UP, falling)


def started(learnt: Learnt, plan: Plan, steps: int, seed: int) -> State:
    """Before the first of so many steps."""
    count = jnp.asarray(steps, jnp.int32)
    memory = optimiser(plan, steps).init(learnt)  # pyright: ignore
    return State(learnt, memory, jnp.zeros_like(count), count, jax.random.key(seed))


def point_cost(standard: jax.Array, opened: jax.Array | bool) -> jax.Array:
    """`residuals.huber_cost`; where `opened`, points beyond the gate pull as well."""
    delta = priors.HUBER_DELTA
    linear = delta * jnp.maximum(standard, delta) - 0.5 * delta**2
    return jnp.where(opened & (standard > delta), linear, huber_cost(standard))


def data_cost(
    parameters: BodyParameters,
    cameras: Cameras,
    motion: Callable[[jax.Array], jax.Array],
    time_s: jax.Array,
    observed: Observations,
    noise_m: jax.Array,
    opened: jax.Array | bool = False,
    delayed: bool = True,
) -> jax.Array:
    """(B,) the smoother's data term at poses `motion(time_s)`: value and slope are those of `residuals.reprojection`.

    A camera's delay moves its image by the image's rate of change, by forward differentiation in time.
    """

    def images(time_s: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        qpos = motion(time_s)
        image_px, valid = project(cameras, sites(parameters, qpos))
        return image_px, (valid, qpos)

    if delayed:
        image_px, rate, (valid, qpos) = jax.jvp(images, (time_s,), (jnp.ones_like(time_s),), has_aux=True)
        image_px = image_px + rate * observed.delay_s[..., None, None]
    else:
        image_px, (valid, qpos) = images(time_s)
    # Sigma follows the pelvis' depth, but as a weight: as in the smoother it has no part in the slope.
    sigma_px = jax.lax.stop_gradient(noise_px(cameras, qpos, noise_m))[..., None]
    distance = jnp.sqrt(jnp.sum((image_px - observed.image_px) ** 2, -1) + 1e-12)
    seen = jnp.where(valid, observed.weight, 0.0)
    cost = point_cost(distance * jnp.sqrt(seen) / sigma_px, opened)
    return jnp.sum(jnp.where(seen > 0, cost, 0.0), (-1, -2))


def spread_rows(key: jax.Array, frames: jax.Array, count: int) -> jax.Array:
    """(N, count) frames of each trial, one at random from each of `count` equal stretches: all of it in every step."""
    place = jnp.arange(count) + jax.random.uniform(key, (frames.shape[0], count))
    return jnp.minimum((place / count * frames[:, None]).astype(jnp.int32), frames[:, None] - 1)


@partial(jax.jit, static_argnames=("plan", "steps"))
def train(
    state: State, person: Person, trials: Trials, frequencies: jax.Array, plan: Plan, steps: int
) -> tuple[State, jax.Array]:
    """Take `steps` steps on the images; the mean of their objectives."""
    points = jnp.maximum(jnp.sum(trials.observations.weight > 0), 1.0)

    def objective(learnt: Learnt, rows: jax.Array, done: jax.Array) -> jax.Array:
        # Per point, so that Adam's epsilon means the same for every session.
        return _objective(learnt, person, trials, frequencies, rows, done < plan.open_share, plan) / points

    state, values = _descend(state, objective, trials.frames, plan, steps)
    return state, jnp.mean(values) * points


@partial(jax.jit, static_argnames=("plan", "steps"))
def imitate(
    state: State, wanted: jax.Array, trials: Trials, frequencies: jax.Array, plan: Plan, steps: int
) -> tuple[State, jax.Array]:
    """Regress the networks on poses `wanted` (N, F, 41): no body, no images, so steps are cheap. Last mean square."""

    def of_trial(layers: Layers, time_s: jax.Array, wanted: jax.Array, rows: jax.Array) -> jax.Array:
        given = network(layers, encoded(time_s[rows], frequencies), plan.compute_dtype)
        # The quaternion before it is normalised, so that its length stays near 1.
        given = jnp.concatenate([given[:, :7], pose_of(given)[:, 7:]], -1)
        return jnp.mean((given - wanted[rows]) ** 2)

    def difference(learnt: Learnt, rows: jax.Array, _: jax.Array) -> jax.Array:
        return jnp.mean(jax.vmap(of_trial)(learnt.layers, trials.time_s, wanted, rows))

    state, values = _descend(state, difference, trials.frames, plan, steps)
    return state, values[-1]


def _descend(
    state: State, loss: Callable[..., jax.Array], frames: jax.Array, plan: Plan, steps: int
) -> tuple[State, jax.Array]:
    """The steps of gradient descent, on B frames of each trial at a time; the loss at each."""

    def one(now: State, _: None) -> tuple[State, jax.Array]:
        key, own = jax.random.split(now.key)
        rows = spread_rows(own, frames, plan.batch_frames)
        value, slope = jax.value_and_grad(loss)(now.learnt, rows, now.step / now.steps)
        update, memory = optimiser(plan, now.steps).update(slope, now.optimiser, now.learnt)  # pyright: ignore
        learnt: Learnt = optax.apply_updates(now.learnt, update)  # pyright: ignore
        return State(learnt, memory, now.step + 1, now.steps, key), value

    return jax.lax.scan(one, state, None, length=steps)


def _objective(
    learnt: Learnt,
    person: Person,
    trials: Trials,
    frequencies: jax.Array,
    rows: jax.Array,
    opened: jax.Array,
    plan: Plan,
) -> jax.Array:
    """Data term of all frames, estimated from `rows` (N, B), and the subject's prior."""
    parameters = shape_parameters(person.model, person.shape(learnt.unit))

    def of_trial(layers: Layers, trial: Trials, rows: jax.Array) -> jax.Array:
        motion = partial(poses, layers, frequencies=frequencies, compute_dtype=plan.compute_dtype)
        observed: Observations = jax.tree.map(lambda x: x[rows], trial.observations)
        time_s = trial.time_s[rows]
        cost = data_cost(parameters, trial.cameras, motion, time_s, observed, trial.noise_m, opened, plan.delayed)
        images = jnp.mean(cost) * trial.frames
        if plan.posture == 0.0:
            return images
        return images + plan.posture * jnp.mean(usual_posture(motion(time_s), jnp.asarray(priors.POSTURE_TIME_S))[2])

    images = jnp.sum(jax.vmap(of_trial)(learnt.layers, trials, rows))
    return person.belief * images + 0.5 * jnp.sum(jnp.square(SHAPE_PACE * learnt.unit))
