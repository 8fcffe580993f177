"""Commands on what a recording says of itself: unpack."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH, force_option
from .running import Answer, command


@command("unpack")
@click.argument("bag", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder to write into.")
@force_option
def unpack(bag: Path, out: Path, force: bool) -> Answer:
    """Write subject, rig, keypoint set and settings of BAG as files, with which motion_estimator fits it again.

    replay.launch.py does this by itself; the rig's namespace in BAG is said too.

    \b
    Example:
      markerless-biomech unpack P07/walk_03 --out walk_03_files
      ros2 run markerless_biomech motion_estimator --ros-args --params-file walk_03_files/motion_estimator.yaml
    """
    from ..recording.unpacking import unpack as write

    return {"out": out, **vars(write(bag, out, force))}
