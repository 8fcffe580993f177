"""The command `export`: results and subjects for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH, force_option, trial_option
from .running import Answer, command, say

FORMATS = ("csv", "trc", "mot", "c3d", "bvh", "urdf", "mjcf")
RESULTS = ("refit", "settled", "live", "truth")
MODELS = ("rajagopal", "gait2392")


@command("export")
@click.argument("bag", type=PATH)
@click.option("--format", "kind", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--out", type=PATH, required=True, help="File to write, such as joints.csv.")
@click.option(
    "--result",
    type=click.Choice(RESULTS),
    help="Which result: fitted offline, live and smoothed lag_s later, live, or a simulation's truth. "
    "Without, the first of refit, settled, live that the bag holds.",
)
@click.option(
    "--opensim-model",
    type=click.Choice(MODELS),
    default=MODELS[0],
    show_default=True,
    help="Whose coordinates and signs a mot file has; gait2392 has no arms and bends its knees and toes the other way.",
)
@trial_option
@force_option
def export(bag: Path, kind: str, out: Path, result: str | None, opensim_model: str, trial: str, force: bool) -> Answer:
    """Write the results in BAG for other programs.

    csv: joint angles as a table, and step events beside it. trc, mot: markers and coordinates for OpenSim. c3d: points,
    angles and step events. bvh: for animation programs. urdf, mjcf: the scaled person, for robotics tools and MuJoCo;
    BAG may then be a subject.yaml. Axes, names, signs and units: docs/exports.md.

    \b
    Example:
      markerless-biomech export walk_result --format csv --out joints.csv
      markerless-biomech export walk_result --format mot --opensim-model gait2392 --out walk.mot
      markerless-biomech export anna.yaml --format urdf --out anna.urdf
    """
    from ..recording.exports import export as write

    found = write(bag, out, kind, result, opensim_model, force, trial)
    if remark := found.pop("remark", ""):
        say(remark)
    return {"out": out, "format": kind, **found}
