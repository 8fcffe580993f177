"""The paper's way to trajectories and subject: networks of time, trained on the images.

R. J. Cotton, arXiv 2402.17192: one network a trial, all trials share the subject, one joint descent. It takes and gives
the same `Bundle` as the banded Gauss-Newton of `offline.py`; docs/implicit.md compares the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import solve_triangular

from ..body.shape import ShapeModel, shape_parameters
from ..cameras.camera import Cameras
from ..settings import checked, setting
from .bundle import Bundle, OuterPrior, Piece, by_chunks
from .implicit_network import Layers, frequencies_hz, parameter_count, poses_and_velocities, start_layers
from .implicit_training import SHAPE_PACE, Learnt, Person, Plan, State, Trials, imitate, started, train
from .residuals import Observations, reprojection

STEPS_A_CALL = 100
"""Between two calls the objective is told."""

STEPS_A_SECOND, FEWEST_STEPS = 400, 1000
"""Default number of steps, by the longest trial."""


@dataclass(frozen=True)
class ImplicitSettings:
    """Settings of the network and of its training."""

    bandwidth_hz: float = setting(9.0, "Highest frequency of the encoding of time: what smooths.", "Hz", 0.1, 100.0)
    widths: tuple[int, ...] = setting((128, 256, 512, 512), "Units of each hidden layer.", "", 1, 16384)
    schedule: str = setting("fast", "How the step size goes.", choices=("fast", "paper"))
    rate: float = setting(2e-3, "Largest step of a weight.", "", 1e-6, 1.0)
    steps: int = setting(
        0, "Steps of gradient descent; 0: 400 a second of the longest trial, at least 1000.", "", 0, 10**7
    )
    start_steps: int = setting(300, "Steps on the start's poses before those on the images.", "", 0, 10**6)
    batch_frames: int = setting(64, "Frames of each trial in one step.", "", 1, 10**5)
    open_share: float = setting(0.3, "Share of the steps in which no point is too far off to pull.", "", 0.0, 1.0)
    posture: float = setting(0.0, "Weight of the usual posture: the banded fit has 1, the paper 0.", "", 0.0, 1e6)
    compute_dtype: str = setting(
        "float32", "In which the network multiplies.", choices=("float32", "bfloat16", "float16")
    )
    seed: int = setting(0, "Fixes first weights and drawn frames.", "", 0, 2**31 - 1)


def paper_settings(duration_s: float) -> ImplicitSettings:
    """The sizes and the schedule of the paper for trials of `duration_s`; meant for a GPU."""
    octaves = np.ceil(np.log2(80.0 * duration_s / (2.0 * np.pi)) + 1.0)
    return ImplicitSettings(
        bandwidth_hz=float(2.0 ** (octaves - 1.0) / (2.0 * duration_s)),
        widths=(128, 256, 512, 1024, 2048, 2048, 4096),
        schedule="paper",
        rate=1e-3,
        steps=30_000,
        batch_frames=300,
        compute_dtype="bfloat16",
    )


@dataclass(frozen=True, eq=False)
class ImplicitFit:
    """What training ended with."""

    bundle: Bundle
    """Poses of every piece's frames, and the shape."""
    qvel: tuple[np.ndarray, ...]
    """(F, 40) of each piece: the derivative of its network."""
    data_term: float
    """`residuals.reprojection` over all frames."""
    objective: np.ndarray
    """Mean over each STEPS_A_CALL steps: data term by the drawn frames, and prior of the shape."""
    parameters: int
    """Numbers in all networks."""
    seconds: float
    """By the clock, with compiling."""


def fit_implicit(
    model: ShapeModel,
    bundle: Bundle,
    prior: OuterPrior | None = None,
    settings: ImplicitSettings | None = None,
    correlation: float = 1.0,
    progress: Callable[[float, str], None] = lambda *_: None,
) -> ImplicitFit:
    """Train a network for each piece of `bundle`, from the poses in it, and with a `prior` the shape that they share.

    `correlation`: so many observations say what one would; the shape believes the images that much less.
    """
    settings, begun = checked(settings or ImplicitSettings()), time.monotonic()
    longest_s = max(float(piece.times_s[-1] - piece.times_s[0]) for piece in bundle.pieces)
    frequencies = frequencies_hz(settings.bandwidth_hz, longest_s).astype(np.float32)
    trials, person, plan = _trials(bundle), _person(model, bundle.shape, prior, correlation), _plan(settings, bundle)
    learnt = _first(settings, plan, bundle, trials, prior, frequencies)
    state = started(learnt, plan, _steps(settings, longest_s), settings.seed + 1)
    learnt, objective = _trained(state, person, trials, frequencies, plan, progress)
    pieces, qvel = [], []
    for index, piece in enumerate(bundle.pieces):
        layers = jax.tree.map(lambda x, index=index: x[index], learnt.layers)
        states = by_chunks(partial(_states, layers, frequencies), _since_start(piece))
        pieces.append(replace(piece, qpos=states[:, :41], covariance=None))
        qvel.append(states[:, 41:])
    shape = np.asarray(person.shape(learnt.unit), dtype=float)
    fitted = Bundle(tuple(pieces), bundle.shape if prior is None else shape)
    return ImplicitFit(
        bundle=fitted,
        qvel=tuple(qvel),
        data_term=sum(data_term(model, fitted.shape, *both) for both in zip(pieces, qvel, strict=True)),
        objective=objective,
        parameters=len(pieces) * parameter_count(settings.widths, 2 * len(frequencies)),
        seconds=time.monotonic() - begun,
    )


def data_term(model: ShapeModel, shape: np.ndarray, piece: Piece, qvel: np.ndarray) -> float:
    """The smoother's data term of a piece's poses and velocities (F, 40)."""
    cost = partial(_data_term, model, shape.astype(np.float32), piece.cameras, piece.noise_m.astype(np.float32))
    observed = piece.observed
    rows = (piece.qpos, qvel, observed.image_px, observed.weight, observed.delay_s)
    return float(by_chunks(cost, *(np.asarray(x, np.float32) for x in rows)).sum(dtype=float))


def _trials(bundle: Bundle) -> Trials:
    """The pieces side by side, filled up at their ends."""
    longest = max(len(piece) for piece in bundle.pieces)

    def filled(array: np.ndarray) -> np.ndarray:
        return np.pad(array, ((0, longest - len(array)), *((0, 0),) * (array.ndim - 1))).astype(np.float32)

    def stacked(*arrays: np.ndarray) -> jax.Array:
        return jnp.stack([jnp.asarray(array) for array in arrays])

    return Trials(
        cameras=jax.tree.map(stacked, *(piece.cameras for piece in bundle.pieces)),
        observations=jax.tree.map(stacked, *(jax.tree.map(filled, piece.observed) for piece in bundle.pieces)),
        time_s=stacked(*(filled(_since_start(piece)) for piece in bundle.pieces)),
        frames=jnp.asarray([len(piece) for piece in bundle.pieces], jnp.int32),
        noise_m=stacked(*(piece.noise_m.astype(np.float32) for piece in bundle.pieces)),
    )


def _person(model: ShapeModel, shape: np.ndarray, prior: OuterPrior | None, correlation: float) -> Person:
    """With a prior of information L L' its factor is L'^-1."""
    mean, factor = shape, np.zeros((len(shape), len(shape)))
    if prior is not None:
        lower = np.linalg.cholesky(prior.information)
        mean, factor = prior.mean, solve_triangular(lower.T, np.eye(len(shape)))
    arrays = (np.asarray(x, np.float32) for x in (mean, factor, 1.0 / correlation))
    return Person(jax.tree.map(jnp.asarray, model), *map(jnp.asarray, arrays))


def _plan(settings: ImplicitSettings, bundle: Bundle) -> Plan:
    return Plan(
        schedule=settings.schedule,
        rate=settings.rate,
        batch_frames=settings.batch_frames,
        compute_dtype=settings.compute_dtype,
        delayed=any(np.any(piece.observed.delay_s) for piece in bundle.pieces),
        open_share=settings.open_share,
        posture=settings.posture,
    )


def _first(
    settings: ImplicitSettings,
    plan: Plan,
    bundle: Bundle,
    trials: Trials,
    prior: OuterPrior | None,
    frequencies: np.ndarray,
) -> Learnt:
    """Networks that give about the poses of the bundle, and the bundle's shape."""
    middle = np.stack([piece.qpos[len(piece) // 2] for piece in bundle.pieces])
    layers = start_layers(settings.seed, settings.widths, 2 * len(frequencies), middle)
    unit = np.zeros(len(bundle.shape))
    if prior is not None:
        unit = np.linalg.cholesky(prior.information).T @ (bundle.shape - prior.mean) / SHAPE_PACE
    learnt = Learnt(layers, jnp.asarray(unit, jnp.float32))
    if not settings.start_steps:
        return learnt
    longest = trials.time_s.shape[1]
    wanted = [np.pad(_continuous(piece.qpos), ((0, longest - len(piece)), (0, 0))) for piece in bundle.pieces]
    plan = replace(plan, schedule="fast")
    state = started(learnt, plan, settings.start_steps, settings.seed)
    state, _ = imitate(state, jnp.asarray(np.stack(wanted)), trials, frequencies, plan, settings.start_steps)
    return state.learnt


def _continuous(qpos: np.ndarray) -> np.ndarray:
    """Poses (F, 41) whose quaternions take the nearer of both signs from frame to frame: a network cannot jump."""
    nearer = np.sign(np.sum(qpos[1:, 3:7] * qpos[:-1, 3:7], axis=1) + 1e-9)
    signs = np.cumprod(np.concatenate([[1.0], nearer]))
    return np.concatenate([qpos[:, :3], qpos[:, 3:7] * signs[:, None], qpos[:, 7:]], axis=1).astype(np.float32)


def _steps(settings: ImplicitSettings, longest_s: float) -> int:
    """A multiple of STEPS_A_CALL."""
    steps = settings.steps or max(FEWEST_STEPS, round(STEPS_A_SECOND * longest_s))
    return -(-steps // STEPS_A_CALL) * STEPS_A_CALL


def _trained(
    state: State,
    person: Person,
    trials: Trials,
    frequencies: np.ndarray,
    plan: Plan,
    progress: Callable[[float, str], None],
) -> tuple[Learnt, np.ndarray]:
    """All steps, and the objective after each call."""
    history, calls = [], int(state.steps) // STEPS_A_CALL
    for call in range(calls):
        state, value = train(state, person, trials, frequencies, plan, STEPS_A_CALL)
        history.append(float(value))
        progress((call + 1) / calls, f"objective {history[-1]:.6g}")
    return state.learnt, np.array(history)


@jax.jit
def _states(layers: Layers, frequencies: np.ndarray, time_s: jax.Array) -> jax.Array:
    """(B, 81) qpos and qvel."""
    return jnp.concatenate(poses_and_velocities(layers, time_s, jnp.asarray(frequencies)), axis=-1)


@jax.jit
def _data_term(
    model: ShapeModel,
    shape: jax.Array,
    cameras: Cameras,
    noise_m: jax.Array,
    qpos: jax.Array,
    qvel: jax.Array,
    *observed: jax.Array,
) -> jax.Array:
    """(B,)"""
    return reprojection(shape_parameters(model, shape), cameras, qpos, qvel, Observations(*observed), noise_m)[0].cost


def _since_start(piece: Piece) -> np.ndarray:
    return (piece.times_s - piece.times_s[0]).astype(np.float32)
