"""Where the fit runs, and where its compiled programs are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax

from .errors import InputError


def enable_compile_cache() -> Path:
    """Keep compiled programs on disk (XDG_CACHE_HOME/markerless_biomech/jax), so that the next start takes seconds."""
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = root / "markerless_biomech" / "jax"
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def choose_device(setting: str) -> Any:
    """The device for `auto`, `cpu` or `gpu`. Raises InputError when a GPU is asked for and JAX sees none."""
    if setting == "cpu":
        return jax.devices("cpu")[0]
    try:
        return jax.devices("gpu")[0]
    except RuntimeError:
        if setting == "gpu":
            raise InputError("setting device is 'gpu', but JAX sees no GPU; install jax[cuda12] or use auto") from None
        return jax.devices("cpu")[0]


def double_precision() -> Any:
    """A context in which JAX computes with 64 bits what is made of 64 bits."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax import experimental  # jax before 0.8

    return getattr(experimental, "enable_x64")()  # noqa: B009  # a name that newer versions do not have
