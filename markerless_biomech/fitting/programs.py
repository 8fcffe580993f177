"""The live estimator's compiled programs: each is lowered once for fixed shapes, so that a wrong shape raises an error
instead of compiling again in the middle of a capture. Everything that may change (subject, cameras, lens) is data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..body.model import BodyParameters, sites
from ..cameras.camera import Cameras, project, undistort
from .camera_look import Look, camera_look, nothing_known, nothing_seen
from .first_pose import STARTS, PoseFit, fit_pose
from .residuals import Observations, pixels_per_metre
from .smoother import Factor
from .stance import nothing_standing
from .start_postures import LIBRARY
from .trajectory import LiveFit, Window, advance, predict, settled_state, start_window


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Expectation:
    """Where the subject is expected, in space and in every image."""

    sites_m: jax.Array
    """(K, 3)"""
    image_px: jax.Array
    """(C, K, 2)"""
    valid: jax.Array
    """(C, K)"""
    pixels_per_metre: jax.Array
    """(C,)"""


@dataclass(frozen=True)
class Programs:
    """Compiled for one number of cameras, keypoints and frames. Arguments may be NumPy arrays."""

    start: Callable[..., Window]
    """(qpos, noise_m) -> window"""
    expect: Callable[..., Expectation]
    """(window, parameters, cameras, hop_s)"""
    advance: Callable[..., tuple[Window, Factor, LiveFit]]
    """(window, parameters, feet, cameras, observations, hop_s, standing)"""
    settle: Callable[..., tuple[jax.Array, ...]]
    """(window, factor, parameters, index) -> qpos, qvel, covariance, sites, their std"""
    undistort: Callable[..., tuple[jax.Array, jax.Array]]
    """(cameras, (people, C, K, 2) px) -> normalised coordinates, reached"""
    library_sites: Callable[..., jax.Array]
    """(parameters, start_postures.LIBRARY) -> (trunks, L, K, 3)"""
    fit_pose: Callable[..., PoseFit]
    """(parameters, cameras, starts, observations, noise_m)"""
    look: Callable[..., Look]
    """(qpos, qvel, parameters, cameras, partners, seen, expected)"""


def expect(window: Window, parameters: BodyParameters, cameras: Cameras, hop_s: jax.Array) -> Expectation:
    """Project the pose that the window's velocity leads to."""
    qpos = predict(window, hop_s)
    sites_m = sites(parameters, qpos)
    image_px, valid = project(cameras, sites_m)
    return Expectation(sites_m, image_px, valid, pixels_per_metre(cameras, qpos))


def compile_programs(
    parameters: BodyParameters,
    feet: BodyParameters,
    cameras: Cameras,
    frames: int,
    iterations: int,
    people: int,
    device: Any,
) -> Programs:
    """Compile for the shapes of `parameters` (K keypoints), `feet` (4) and `cameras` (C), on `device`.

    `frames` of the window, `iterations` for each new frame, `people` of one camera that a cold start considers.
    What was compiled is kept for the life of the process: a node that is configured anew has it at once.
    """
    key = (*map(_shape, (parameters, feet, cameras)), frames, iterations, people, device)
    if (kept := _kept.get(key)) is not None:
        return kept

    compiled = partial(_compiled, jax.sharding.SingleDeviceSharding(device))
    keypoints, count = parameters.site_pos.shape[0], cameras.focal.shape[0]
    qpos, noise, scalar = jnp.zeros(41), jnp.zeros(count), jnp.zeros(())
    begin = partial(start_window, keypoints=keypoints, frames=frames, hop_s=1.0 / 60.0)
    window = jax.eval_shape(begin, qpos, noise)
    observed = Observations(jnp.zeros((count, keypoints, 2)), jnp.zeros((count, keypoints)), jnp.zeros(count))
    moving = partial(advance, iterations=iterations)
    news = (observed, scalar, nothing_standing(frames + 1))
    _, factor, _ = jax.eval_shape(moving, window, parameters, feet, cameras, *news)
    starts = jnp.zeros((STARTS, 41))
    partners = jnp.zeros(keypoints, jnp.int32)
    _kept[key] = Programs(
        start=compiled(begin, qpos, noise),
        expect=compiled(expect, window, parameters, cameras, scalar),
        advance=compiled(moving, window, parameters, feet, cameras, *news),
        settle=compiled(settled_state, window, factor, parameters, jnp.zeros((), jnp.int32)),
        undistort=compiled(undistort, cameras, jnp.zeros((people, count, keypoints, 2))),
        library_sites=compiled(sites, parameters, LIBRARY),
        fit_pose=compiled(fit_pose, parameters, cameras, starts, observed, noise),
        look=compiled(
            camera_look,
            qpos,
            jnp.zeros(40),
            parameters,
            cameras,
            partners,
            nothing_seen(count, keypoints),
            nothing_known(count, keypoints),
        ),
    )
    return _kept[key]


_kept: dict[Any, Programs] = {}


def _compiled(sharding: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """For arguments of these shapes."""
    shaped = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(jnp.shape(x), jnp.result_type(x), sharding=sharding), arguments
    )
    return jax.jit(function).lower(*shaped).compile()


def _shape(tree: Any) -> tuple[Any, ...]:
    """What a compiled program depends on."""
    return jax.tree.structure(tree), *((jnp.shape(x), jnp.result_type(x)) for x in jax.tree.leaves(tree))
