"""Steps judged: of simulated people before cameras, and against force plates.

    python benchmarks/gait.py walks --out out/gait
    python benchmarks/gait.py plates moco_walk/walk.npz subject4_walks/*.npz
    python benchmarks/gait.py semireal subject4_walks/*.npz --out out/semireal

`walks`: five people at five speeds, a curve and a treadmill whose belt speed is not told, before 8 cameras with 3 px
noise, through the live estimator; medians of |error|, and when events were told. `plates`: events from 3-D markers, the
reference fitted to the others. `semireal`: the markers as keypoints of 8 cameras with 5 px noise, preceded by a
second of the first pose held still, through the live estimator with a generic body. --json: one object, last.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from subject4_semireal import MARKERS, markers_z_up, project_session

from markerless_biomech.body.subject import load_subject, subject_from_height
from markerless_biomech.gait.over_bodies import steps_of_bodies
from markerless_biomech.gait.values import TYPES_OF_EVENT, StepEvent
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.force_plates import (
    PlateWalk,
    leave_one_out,
    mean_absolute_ms,
    plate_table,
    read_plate_walk,
)
from markerless_biomech.recording.imports import import_recording
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.replay import replay
from markerless_biomech.recording.result_bag import result_bag
from markerless_biomech.recording.simulated_bag import write_simulation
from markerless_biomech.recording.step_evaluation import with_true_sizes
from markerless_biomech.recording.step_judgement import EDGE_S, StepComparison, compare_steps, last_revisions
from markerless_biomech.settings import SimulationSettings

PEOPLE = [(0, 0.6, 1.60), (1, 0.9, 1.67), (2, 1.25, 1.74), (3, 1.5, 1.81), (4, 1.8, 1.88)]
"""Seed, speed (m/s), stature (m)."""
SKIP_S = 0.5
"""Of cold start."""
SAME_AS_PLATE_S = 0.15
WALK_COLUMNS = ("walk", "detected", "missed", "false", "heel_strike_ms", "toe_off_ms", "length_mm", "width_mm",
                "told_ms", "final_ms")  # fmt: skip

Told = list[tuple[int, StepEvent]]
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, last.")
out_option = click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the bags.")


@click.group()
def main() -> None:
    """Judge steps."""


@main.command()
@out_option
@click.option("--seconds", default=6.0, show_default=True)
@click.option("--only", multiple=True, help="Names of walks; all without.")
@json_option
def walks(out: Path, seconds: float, only: tuple[str, ...], as_json: bool) -> None:
    """Simulated people before 8 cameras."""
    rows = []
    for name, settings in every_walk(seconds).items():
        if not only or name in only:
            told, true, start_ns, end_ns = simulated_steps(out / name.replace(" ", "_"), settings)
            comparison = compare_steps(last_revisions(event for _, event in told), true, start_ns, end_ns)
            rows.append({"walk": name, **walk_figures(comparison, told, true, start_ns, end_ns)})
            click.echo(f"{name}: {rows[-1]}")
    show(rows, WALK_COLUMNS, as_json)


def every_walk(seconds: float) -> dict[str, SimulationSettings]:
    """What is walked, by name."""
    walks = {
        f"{speed} m/s": SimulationSettings(
            seed=seed, speed_m_s=speed, height_m=height, path="line", seconds=seconds, noise_px=3.0
        )
        for seed, speed, height in PEOPLE
    }
    walks["curve of 3 m"] = SimulationSettings(seed=5, path="loop", radius_m=3.0, seconds=seconds)
    walks["treadmill 1.2 m/s"] = SimulationSettings(seed=6, path="treadmill", speed_m_s=1.2, seconds=seconds)
    return walks


def simulated_steps(folder: Path, settings: SimulationSettings) -> tuple[Told, list[StepEvent], int, int]:
    """(events told, true events, first and last stamp that count) of a simulated and replayed walk."""
    bag, result = folder / "bag", folder / "result"
    if not result.exists():
        write_simulation(settings, bag, True)
        replay(bag, load_subject(bag / "subject.yaml"), result, force=True)
    session = read_session(result)
    judged = result_bag(session)
    live, settled = session.bodies("body_state"), session.bodies("body_state_settled")
    told = steps_of_bodies(judged.subject, judged.keypoint_set, settled, live)
    start_ns = settled[0].stamp_ns + round(SKIP_S * 1e9)
    return (
        told,
        with_true_sizes(judged.true_steps or (), judged.belt_m_s),
        start_ns,
        live[-1].stamp_ns - round(EDGE_S * 1e9),
    )


def walk_figures(
    comparison: StepComparison, told: Told, true: Sequence[StepEvent], start_ns: int, end_ns: int
) -> dict[str, Any]:
    """One row: medians of |error|, and the longest waits for the first and for the final word (stamps of frames)."""
    first, final = {}, {}
    for now_ns, event in told:
        first.setdefault(event.id, now_ns)
        if event.final and not event.withdrawn:
            final.setdefault(event.id, now_ns)
    kept = last_revisions(event for _, event in told)
    inside = [event for event in kept if start_ns <= event.stamp_ns <= end_ns - 500_000_000]
    waits_ms = {
        name: [1e-6 * (when[e.id] - e.stamp_ns) for e in inside] for name, when in (("told", first), ("final", final))
    }
    timing = {f"{kind}_ms": 1e3 * median_abs(error) for kind, error in comparison.time_error_s.items()}
    return {
        "detected": comparison.detected,
        "missed": len(comparison.missed),
        "false": len(comparison.false),
        **timing,
        "length_mm": 1e3 * median_abs(comparison.length_error_m),
        "width_mm": 1e3 * median_abs(comparison.width_error_m),
        **{f"{name}_ms": max(values, default=float("nan")) for name, values in waits_ms.items()},
    }


def median_abs(errors: np.ndarray) -> float:
    """NaN for none."""
    return float(np.median(np.abs(errors))) if errors.size else float("nan")


@main.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@json_option
def plates(recordings: tuple[Path, ...], as_json: bool) -> None:
    """Events from 3-D markers against force plates (20 N), leaving one recording out."""
    rows = plate_table(leave_one_out([read_plate_walk(path) for path in recordings]))
    show_plates(rows, as_json)


@main.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@out_option
@click.option("--noise-px", default=5.0, show_default=True)
@click.option("--hold-s", default=1.0, show_default=True, help="The first pose is held still for this long before.")
@click.option("--height-m", default=1.70, show_default=True)
@json_option
def semireal(
    recordings: tuple[Path, ...], out: Path, noise_px: float, hold_s: float, height_m: float, as_json: bool
) -> None:
    """Events of the live estimator against force plates, real motion seen by virtual cameras."""
    judged = []
    for path in recordings:
        walk = read_plate_walk(path)
        told, hold_ns, offset_ns = semireal_steps(path, out / walk.name, noise_px, hold_s, height_m)
        judged.append((walk, against_plates_from(told, walk, hold_ns, offset_ns)))
    show_plates(plate_table(judged), as_json)


def semireal_steps(path: Path, folder: Path, noise_px: float, hold_s: float, height_m: float) -> tuple[Told, int, int]:
    """(events told, stamp at which the hold ends, stamp of the recording's time 0)."""
    folder.mkdir(parents=True, exist_ok=True)
    content = np.load(path, allow_pickle=False)
    names, rate_hz = load_keypoint_set(MARKERS).names, float(content["rate"])
    markers_m = held_before(markers_z_up(content, names), round(hold_s * rate_hz))
    session = project_session(markers_m, 8, noise_px, np.random.default_rng(0))
    session |= {"names": np.array(names), "fps": rate_hz}
    np.savez_compressed(folder / "session.npz", **session)
    import_recording(folder / "session.npz", folder / "bag", None, str(MARKERS), None, True)
    subject = subject_from_height(height_m, load_keypoint_set(MARKERS))
    replay(folder / "bag", subject, folder / "result", force=True, keypoint_set=load_keypoint_set(MARKERS))
    result = read_session(folder / "result")
    start_ns = min(frame.stamp_ns for frame in result.frames)
    live, settled = result.bodies("body_state"), result.bodies("body_state_settled")
    told = steps_of_bodies(subject, result.keypoint_set, settled, live)
    hold_ns = start_ns + round(hold_s * 1e9)
    return told, hold_ns, hold_ns - round(float(content["marker_t"][0]) * 1e9)


def held_before(markers_m: np.ndarray, frames: int) -> np.ndarray:
    """Markers (F, K, 3) after `frames` of the first place at which each was seen."""
    first = np.array([next((m for m in track if np.isfinite(m).all()), track[0]) for track in markers_m.swapaxes(0, 1)])
    return np.concatenate([np.repeat(first[None], frames, axis=0), markers_m])


def against_plates_from(told: Told, walk: PlateWalk, hold_ns: int, offset_ns: int) -> StepComparison:
    """Comparison with the plates; false are events while the person is held still."""
    found = last_revisions(event for _, event in told)
    true = [dataclasses.replace(event, stamp_ns=event.stamp_ns + offset_ns) for event in walk.events]
    start_ns, end_ns = walk.counted_ns()
    comparison = compare_steps(found, true, start_ns + offset_ns, end_ns + offset_ns, same_s=SAME_AS_PLATE_S)
    still = tuple(event for event in found if event.stamp_ns < hold_ns - round(0.1 * 1e9))
    return dataclasses.replace(comparison, false=still)


def show_plates(rows: list[dict[str, Any]], as_json: bool) -> None:
    """A line a recording, and the means."""
    show(rows, tuple(rows[0]), as_json=False)
    means = mean_absolute_ms(rows)
    click.echo(f"mean |error|: heel strike {means['heel_strike']:.1f} ms, toe off {means['toe_off']:.1f} ms")
    if as_json:
        click.echo(json.dumps({"recordings": rows, "mean_absolute_ms": means}))


def show(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    """A Markdown table."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return " ".join(f"{number:+.0f}" for number in value)
        return f"{value:.1f}" if isinstance(value, float) else str(value)

    click.echo("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for row in rows:
        click.echo("| " + " | ".join(text(row[name]) for name in columns) + " |")
    if as_json:
        click.echo(json.dumps({"rows": rows, "types": TYPES_OF_EVENT}))


if __name__ == "__main__":
    main()
