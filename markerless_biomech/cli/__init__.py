"""The command `markerless-biomech`. Every command takes --json and says what went wrong in one sentence.

Exit codes: 0 done, 1 failed, 2 wrong usage. What takes long to import is imported inside the commands.
"""

from __future__ import annotations

import click

from .. import __version__
from .check_rig import check_rig
from .exports import export
from .live import benchmark, demo
from .machine import doctor, warmup
from .recordings import unpack
from .rigs import convert_rig
from .running import Commands
from .sessions import evaluate, import_, replay, report, simulate
from .subjects import calibrate, refit
from .viewing import view


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Markerless motion capture: 2-D keypoints of several cameras in, joint angles of a biomechanical model out.

    Start with `markerless-biomech demo`. Every command has --help with an example.
    """


for _command in (
    demo,
    simulate,
    import_,
    check_rig,
    calibrate,
    refit,
    replay,
    evaluate,
    report,
    view,
    export,
    unpack,
    convert_rig,
    benchmark,
    warmup,
    doctor,
):
    main.add_command(_command)
