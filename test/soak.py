"""`make soak`: an hour of the live system with faults that come and go; drops, latency and memory over time in docs/.

python test/soak.py --cameras 8 --fps 60 --keypoint-set bml_movi_87 --minutes 60
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from fault_bench import SEEN_WELL
from faults_full import asked_rig
from live_fault_table import FAULTS
from live_faults import SECOND_NS, LiveSystem
from matplotlib.figure import Figure

from markerless_biomech.cameras.frame_sets import FrameSetAssembler
from markerless_biomech.nodes.benchmark import device
from markerless_biomech.nodes.memory import resident_mb
from markerless_biomech.nodes.processes import private_domain
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.faulted_frames import sent_in_order
from markerless_biomech.simulation.faults import parse_fault
from markerless_biomech.simulation.virtual_rig import simulate

DOCS = Path(__file__).parents[1] / "docs"
ON_S, OFF_S = 5.0, 15.0
"""How long each fault is on, and how long nothing is wrong after it."""
NOT_OF_FAULTS = ("queue_full", "no_rig")
"""Why camera frames are dropped without any fault."""
ROWS = 12
SETTLED_SHARE = 1.0 / 12.0
"""Of the whole time; of an hour 5 minutes: memory is compared from there on."""


@dataclass
class Stretch:
    """What was measured from one fault to the next."""

    minutes: float
    fault: str
    memory_mb: float
    p50_ms: float
    p99_ms: float
    """Of the results since the stretch before."""
    dropped: dict[str, int]
    """Since the stretch before, by cause."""
    work_ms: float
    """Processor time of the estimator for each of its results."""
    stolen: float
    """Share of the machine's time that its host gave to others."""
    pace_ms: float
    """Processor time of a fixed piece of work: how fast the machine is just now."""


def soak(system: LiveSystem, minutes: float, on_s: float = ON_S, off_s: float = OFF_S) -> list[Stretch]:
    """Switch one fault after the other on and off for so long."""
    start_ns, seen, before = system.now_ns, len(system.reports), system.dropped()
    work_s, machine_s = processor_s(system.estimator_pid), machine_times_s()
    stretches: list[Stretch] = []
    names = list(FAULTS)
    while system.now_ns - start_ns < minutes * 60 * SECOND_NS:
        fault = names[len(stretches) % len(names)]
        system.nobody = fault == "person-leaves"
        system.wait_until(system.set_faults(fault) + round(on_s * SECOND_NS))
        system.wait_until(system.set_faults() + round(off_s * SECOND_NS))
        system.nobody = False
        reports, now = system.reports[seen:], system.dropped()
        seen = len(system.reports)
        ms = [1e3 * (r.published_s - r.received_last_s) for r in reports if r.published_s] or [float("nan")]
        new = {cause: count - before.get(cause, 0) for cause, count in now.items() if count > before.get(cause, 0)}
        p50, p99 = np.percentile(ms, (50, 99))
        past_min = (system.now_ns - start_ns) / SECOND_NS / 60
        worked_s, machine_now_s = processor_s(system.estimator_pid), machine_times_s()
        work_ms = 1e3 * (worked_s - work_s) / max(len(reports), 1)
        stolen = (machine_now_s[0] - machine_s[0]) / max(machine_now_s[1] - machine_s[1], 1e-9)
        memory_mb = resident_mb(system.estimator_pid)
        stretches.append(Stretch(past_min, fault, memory_mb, float(p50), float(p99), new, work_ms, stolen, pace_ms()))
        before, work_s, machine_s = now, worked_s, machine_now_s
        system.forget(2000)
        seen = len(system.reports)
        print(stretches[-1], flush=True)
    return stretches


def processor_s(pid: int) -> float:
    """Processor time of a process so far, all its threads'."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine_times_s() -> tuple[float, float]:
    """Time that the host of a virtual machine gave to others, and all time, summed over the cores, since the start."""
    fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[7] / os.sysconf("SC_CLK_TCK"), sum(fields) / os.sysconf("SC_CLK_TCK")


def pace_ms() -> float:
    """Processor time of the same piece of work each time, in this thread."""
    start_s = time.thread_time()
    sum(number * number for number in range(200_000))
    return 1e3 * (time.thread_time() - start_s)


def growth(stretches: list[Stretch]) -> float:
    """Of memory, from SETTLED_SHARE of the time to the end, as a share."""
    settled = next(one for one in stretches if one.minutes >= SETTLED_SHARE * stretches[-1].minutes)
    return stretches[-1].memory_mb / settled.memory_mb - 1.0


def unexplained(stretches: list[Stretch]) -> int:
    """Camera frames dropped that no fault accounts for."""
    return sum(count for one in stretches for cause, count in one.dropped.items() if cause in NOT_OF_FAULTS)


def where_dropped(stretches: list[Stretch], settings: SimulationSettings) -> str:
    """Of those frames, how many around which fault, the most first, and how many frame sets a second it makes."""
    lost = {fault: unexplained([one for one in stretches if one.fault == fault]) for fault in FAULTS}
    worst = sorted((fault for fault in lost if lost[fault]), key=lambda fault: -lost[fault])
    told = [f"`{fault}` {lost[fault]} ({frame_sets_a_second(settings, fault):.0f})" for fault in worst]
    return ", ".join(told) or "none"


def frame_sets_a_second(settings: SimulationSettings, fault: str, seconds: float = 10.0) -> float:
    """That the cameras' frames are put together to while it lasts, on a machine that is never late."""
    session = simulate(replace(settings, seconds=seconds))
    faults = [parse_fault(fault, tuple(session.rig_nominal.cameras))]
    assembler = FrameSetAssembler(tuple(session.rig_nominal.cameras))
    count = 0
    for sent in sent_in_order(session, lambda: faults, range(round(seconds * settings.fps))):
        count += len(assembler.poll(sent.frame.arrival_ns)) + len(assembler.push(sent.frame))
    return count / seconds


def written(stretches: list[Stretch], title: str, settings: SimulationSettings) -> str:
    """docs/soak.md."""
    lost = unexplained(stretches)
    head = (
        f"# Soak\n\n{title}\n\nOne fault of [faults.md](faults.md) after the other, {ON_S:g} s on and {OFF_S:g} s off: "
        f"{min(len(stretches), len(FAULTS))} of the {len(FAULTS)}, {len(stretches)} times in all. Memory grew by "
        f"{100 * growth(stretches):.2f} % after the first twelfth of the time; {lost} camera frames were dropped "
        "because the queue was full (or before there was a rig), by fault (in brackets the frame sets a second that it "
        f"makes): {where_dropped(stretches, settings)}. Latency is from the last keypoints' receipt to the "
        "publication of joint_states; work is the estimator's processor time for each frame set; stolen is what the "
        "machine's host gave to others meanwhile; pace is the processor time of a fixed piece of work, which tells how "
        "fast the machine was. Simulator, estimator and listener share it.\n\n"
        "![memory and latency over time](pictures/soak.png)\n\n"
    )
    lines = [
        "| min | memory MB | p50 ms | p99 ms | work ms | stolen % | pace ms | dropped in between |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups = [list(group) for group in np.array_split(np.array(stretches, dtype=object), min(ROWS, len(stretches)))]
    for group in groups:
        causes: dict[str, int] = {}
        for one in group:
            causes |= {cause: causes.get(cause, 0) + count for cause, count in one.dropped.items()}
        told = ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in sorted(causes.items())) or "nothing"
        p50, p99 = np.nanmedian([one.p50_ms for one in group]), np.nanmedian([one.p99_ms for one in group])
        work_ms, stolen = np.mean([one.work_ms for one in group]), np.mean([one.stolen for one in group])
        figures = f"{group[-1].memory_mb:.0f} | {p50:.1f} | {p99:.1f} | {work_ms:.1f} | {100 * stolen:.1f}"
        figures += f" | {np.mean([one.pace_ms for one in group]):.1f}"
        lines.append(f"| {group[-1].minutes:.1f} | {figures} | {told} |")
    return head + "\n".join(lines) + "\n"


def picture(stretches: list[Stretch]) -> Figure:
    """Memory and latency against time."""
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    minutes = [one.minutes for one in stretches]
    above.plot(minutes, [one.memory_mb for one in stretches])
    above.set(ylabel="memory (MB)", ylim=(0.0, 1.2 * max(one.memory_mb for one in stretches)))
    below.plot(minutes, [one.p50_ms for one in stretches], label="p50")
    below.plot(minutes, [one.p99_ms for one in stretches], label="p99")
    below.set(xlabel="time (min)", ylabel="latency (ms)", ylim=(0.0, None))
    below.legend()
    return figure


def main() -> None:
    """Run and write; ends with 1 where memory grew by more than 1 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    settings, asked = asked_rig(parser)
    os.environ.update(domain := private_domain())
    joints = SEEN_WELL if settings.keypoint_set == "coco_17" else list(range(34))
    with tempfile.TemporaryDirectory() as logs, LiveSystem(Path(logs), domain, settings, joints) as system:
        system.start("", judged=False, queue_frame_sets=EstimatorSettings().queue_frames // settings.cameras)
        stretches = soak(system, asked.minutes)
    rig = f"{settings.cameras} cameras, {settings.keypoint_set}, {settings.fps:g} Hz"
    title = f"{rig}, {asked.minutes:g} min on {device()}: `make soak RIG='{' '.join(sys.argv[1:])}'`"
    (DOCS / "soak.md").write_text(written(stretches, title, settings))
    picture(stretches).savefig(DOCS / "pictures" / "soak.png", dpi=100)
    sys.exit(f"memory grew by {100 * growth(stretches):.2f} %" if growth(stretches) > 0.01 else 0)


if __name__ == "__main__":
    main()
