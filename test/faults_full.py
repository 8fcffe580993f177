"""`make faults-full`: every fault against the live nodes over DDS, one after the other, and a table in docs/faults.md.

python test/faults_full.py --cameras 8 --fps 60 --keypoint-set bml_movi_87
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from fault_bench import SEEN_WELL
from live_fault_table import FAULTS, LAG_S, SMALL, Verdict
from live_faults import LiveSystem

from markerless_biomech.nodes.benchmark import device
from markerless_biomech.nodes.processes import private_domain
from markerless_biomech.settings import SimulationSettings

OUT = Path(__file__).parents[1] / "docs" / "faults.md"
HEAD = """# Faults, live

Each fault is switched on in the running `rig_simulator` for at least 1.5 s and off again, before the running
`motion_estimator`, over DDS; nothing is started anew in between. Times are those of the recording.

- *Named after*: until `/diagnostics`, which come once a second, say it.
- *Well after*: from the end of the fault until the joints' error over the same strides stays below 1.2 times the usual
  one (and 0.3 degrees).
- *Usual*, *after*: RMS error of the joints over the third second after the end, without the fault and with it.
- *Stale*: how much older a result was, at most, than keypoints that had come with its own.

"""
FOOT = """
In every row: both processes alive, no exception in a log, stamps that only go forward but for announced resets. Where
the second and third columns are empty no word was waited for: the fit takes such a fault in its stride, or it is one of
a camera's pose, which the watch over the cameras names ([cameras.md](cameras.md) says how soon). "The fit did not keep
up" marks rows in which the machine was busy with something else: frames are left out then, and times say more of the
machine than of the fault.
"""


def main() -> None:
    """Run, write, and end with 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    settings, _ = asked_rig(parser)
    os.environ.update(domain := private_domain())
    joints = SEEN_WELL if settings.keypoint_set == "coco_17" else list(range(34))
    with tempfile.TemporaryDirectory() as logs, LiveSystem(Path(logs), domain, settings, joints) as system:
        system.start("")
        system.learn()
        verdicts = []
        for index, (text, pattern) in enumerate(FAULTS.items()):
            verdicts.append(system.try_fault(text, pattern, LAG_S.get(text, 0.0)))
            print(f"[{index + 1}/{len(FAULTS)}] {verdicts[-1]}", flush=True)
    command = f"make faults-full RIG='{' '.join(sys.argv[1:])}'"
    title = f"{settings.cameras} cameras, {settings.keypoint_set}, {settings.fps:g} Hz, on {device()}: `{command}`\n\n"
    OUT.write_text(HEAD + title + table(verdicts) + FOOT)
    wrong = [f"{one.fault}: {words}" for one in verdicts for words in one.wrong]
    sys.exit("\n".join(wrong))


def asked_rig(parser: argparse.ArgumentParser) -> tuple[SimulationSettings, argparse.Namespace]:
    """The rig of the command line, and all that was asked for."""
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--fps", type=float, default=60.0)
    parser.add_argument("--keypoint-set", default="bml_movi_87")
    asked = parser.parse_args()
    return replace(SMALL, cameras=asked.cameras, fps=asked.fps, keypoint_set=asked.keypoint_set), asked


def table(verdicts: list[Verdict]) -> str:
    """One row a fault, in Markdown."""
    lines = [
        "| fault | named after s | what was said | well after s | usual deg | after deg | stale s |",
        "|---" * 7 + "|",
    ]
    for one in verdicts:
        named, said = (f"{one.named_s:.1f}", one.said.replace("|", "/")) if one.said else ("", "")
        well = f"{one.well_s:.1f}" + ("" if one.kept_up else " (the fit did not keep up)")
        figures = f"{one.before_deg:.2f} | {one.after_deg:.2f} | {one.stale_s:.2f}"
        lines.append(f"| `{one.fault}` | {named} | {said} | {well} | {figures} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
