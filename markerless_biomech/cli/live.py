"""Commands that run the live system as ROS 2 processes: demo, benchmark."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .options import PATH, force_option
from .running import Answer, command, progress_bar

DEMO_FOLDER = Path("out/demo")


def load_node_module(module: str) -> Any:
    """A module of nodes/; InputError where ROS 2 is not there."""
    try:
        return importlib.import_module(f"markerless_biomech.nodes.{module}")
    except ModuleNotFoundError as error:
        raise InputError(
            f"ROS 2 is not complete in this Python ({error.name} is missing); source its setup.bash, or install the "
            "package with its wheels; 'markerless-biomech doctor' says more"
        ) from error


@command("demo")
@click.option(
    "--real", is_flag=True, help="A recording of four real cameras, downloaded once, instead of the simulator."
)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=10.0, show_default=True, help="Length. [s]")
@click.option("--out", type=PATH, help="Folder for bag and report; without, out/demo, which each demo replaces.")
@force_option
def demo(real: bool, seconds: float, out: Path | None, force: bool) -> Answer:
    """Run the whole live system: cameras' keypoints, estimator, recorder; then judge it and draw a report.

    \b
    Example:
      markerless-biomech demo --seconds 20 --out out/demo
      markerless-biomech demo --real
    """
    with progress_bar("running live") as progress:
        return load_node_module("demo").run_demo(
            real=real, seconds=seconds, out=out or DEMO_FOLDER, force=force or out is None, progress=progress
        )


@command("benchmark")
@click.option("--cameras", type=click.IntRange(2, 64), default=8, show_default=True, help="Cameras.")
@click.option("--fps", type=click.FloatRange(1, 1000), default=60.0, show_default=True, help="Frames a second. [Hz]")
@click.option("--keypoint-set", default="bml_movi_87", show_default=True, help="Shipped keypoint set, or a file.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=20.0, show_default=True, help="Length. [s]")
@click.option("--in-process", is_flag=True, help="Without ROS: the fit alone.")
@click.option("--sweep", is_flag=True, help="Several numbers of cameras and frame rates.")
@click.option("--fault", default="", help="A walk with this fault instead, such as camera-bump: what is said and lost.")
@click.option("--plot", type=PATH, help="With --fault: joint error and cameras, as a picture.")
@force_option
def benchmark(
    cameras: int,
    fps: float,
    keypoint_set: str,
    seconds: float,
    in_process: bool,
    sweep: bool,
    fault: str,
    plot: Path | None,
    force: bool,
) -> Answer:
    """Measure latency by stage, drops and memory on this machine; or what a fault does to the result.

    \b
    Example:
      markerless-biomech benchmark --cameras 8 --fps 60 --seconds 60 --json
      markerless-biomech benchmark --fault camera-bump --plot bump.png
    """
    if fault:
        return _fault(fault, cameras, fps, keypoint_set, seconds, plot, force)
    with progress_bar("measuring") as progress:
        return load_node_module("benchmark").run_benchmark(
            cameras=cameras,
            fps=fps,
            keypoint_set=keypoint_set,
            seconds=seconds,
            in_process=in_process,
            sweep=sweep,
            progress=progress,
        )


def _fault(
    text: str, cameras: int, fps: float, keypoint_set: str, seconds: float, plot: Path | None, force: bool
) -> Answer:
    """A simulated walk with a fault through the live estimator, new camera poses accepted."""
    from ..recording.fault_run import fault_answer, fault_figure, run_fault
    from ..settings import SimulationSettings

    if plot and plot.exists() and not force:
        raise InputError(f"{plot} exists; give --force to overwrite it, or --plot another name")
    settings = SimulationSettings(cameras=cameras, fps=fps, keypoint_set=keypoint_set, seconds=seconds)
    with progress_bar("walking") as progress:
        run = run_fault(text, settings, "accept", progress)
    answer = fault_answer(run)
    if plot:
        fault_figure(run).savefig(plot, dpi=120)
        answer["out"] = str(plot)
    return answer
