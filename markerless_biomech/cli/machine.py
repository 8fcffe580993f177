"""Commands about this machine: warmup, doctor."""

from __future__ import annotations

import time

import click

from .running import Answer, command, progress_bar

USUAL = (("bml_movi_87", 4), ("bml_movi_87", 8), ("body_25b", 4))
"""Keypoint sets and camera counts of demo, benchmark and demo --real: programs are compiled for each."""


@command("warmup")
@click.option("--cameras", type=click.IntRange(2, 64), help="Cameras; without, those of demo and benchmark.")
@click.option("--keypoint-set", default="bml_movi_87", show_default=True, help="Shipped keypoint set, or a file.")
@click.option("--window-frames", type=click.IntRange(4, 256), default=16, show_default=True, help="As the setting.")
@click.option("--iterations", type=click.IntRange(1, 20), default=1, show_default=True, help="As the setting.")
def warmup(cameras: int | None, keypoint_set: str, window_frames: int, iterations: int) -> Answer:
    """Compile the estimator's programs and keep them on disk, so that the next start takes seconds.

    \b
    Example:
      markerless-biomech warmup --cameras 6 --keypoint-set halpe_26
    """
    from ..body.subject import subject_from_height
    from ..devices import enable_compile_cache
    from ..estimator import MotionEstimator
    from ..keypoints import load_keypoint_set
    from ..settings import EstimatorSettings

    cache = enable_compile_cache()
    wanted = USUAL if cameras is None else ((keypoint_set, cameras),)
    seconds = {}
    with progress_bar("compiling") as progress:
        for done, (name, count) in enumerate(wanted):
            start_s = time.monotonic()
            points = load_keypoint_set(name)
            names = tuple(f"cam{index}" for index in range(count))
            settings = EstimatorSettings(cameras=names, window_frames=window_frames, iterations=iterations)
            MotionEstimator(names, points, subject_from_height(1.75, points), settings).compile()
            seconds[f"{count} cameras, {points.name}"] = round(time.monotonic() - start_s, 2)
            progress((done + 1) / len(wanted))
    return {"out": cache, "compiled_s": seconds}


@command("doctor")
@click.option(
    "--live", is_flag=True, help="Send a message over DDS too, and print what running nodes say in /diagnostics."
)
def doctor(live: bool) -> Answer:
    """Say what is installed, what is missing, and how to mend it.

    \b
    Example:
      markerless-biomech doctor
    """
    from .checks import run_checks

    checks = run_checks(live)
    return {"checks": [vars(check) for check in checks], "ok": all(check.ok or check.optional for check in checks)}
