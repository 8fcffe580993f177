"""The command check-rig: does the calibration agree with what the cameras see?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import PATH
from .running import Answer, command

if TYPE_CHECKING:
    import numpy as np

    from ..rig_check.findings import RigCheck


def show_check(answer: Answer) -> None:
    """A table of cameras, the matrix of pairs, and a sentence for each finding."""
    from rich.console import Console

    console = Console()
    console.print(_camera_table(answer["cameras"]), _pair_table(list(answer["cameras"]), answer["pairs"]))
    for finding in answer["findings"]:
        console.print(f"  - {finding['sentence']}", soft_wrap=True, markup=False, highlight=False)
    for note in answer["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False, highlight=False)
    if not answer["findings"]:
        console.print("ok: the rig agrees with what its cameras see", highlight=False)


@command("check-rig", show=show_check)
@click.argument("bag", type=PATH)
@click.option(
    "--rig", "rig_file", type=PATH, help="rig.yaml to check against the bag's images; without, the bag's own."
)
@click.option("--keypoint-set", help="File of the keypoint set, where the bag does not define it.")
@click.option(
    "--camera-time-offsets-s",
    default="",
    metavar="A,B,...",
    help="Added to each camera's stamps, in the rig's order. [s]",
)
def check_rig(bag: Path, rig_file: Path | None, keypoint_set: str | None, camera_time_offsets_s: str) -> Answer:
    """Check the cameras' calibration against a recording of a person who moves about.

    Compares every pair of cameras (epipolar distance) and all of them together (reprojection), looks for exchanged
    cameras, mirrored worlds, wrong units, image sizes, clocks and poses, and says what to do. Needs no subject.

    \b
    Example:
      markerless-biomech check-rig walk
      markerless-biomech check-rig walk --rig new_rig.yaml --json
    """
    from ..cameras.rig import load_rig
    from ..keypoints import load_keypoint_set
    from ..recording.rig_recording import read_rig_recording
    from ..rig_check.check import check_rig as check

    points = load_keypoint_set(keypoint_set) if keypoint_set else None
    recording = read_rig_recording(bag, points, load_rig(rig_file) if rig_file else None)
    offsets_s = _offsets(camera_time_offsets_s, list(recording.rig.cameras))
    found = check(recording.rig, recording.frames, recording.keypoint_set, offsets_s)
    refused = [f"{count} messages were refused: {reason}" for reason, count in recording.refused.items()]
    return answer_of(found) | {"notes": [*found.notes, *refused]}


def answer_of(check: RigCheck) -> Answer:
    """Findings first, then the figures: a camera's under its name, a pair's under both."""
    names = check.cameras
    cameras = {
        name: {
            "epipolar_px": _median(check.epipolar_px[c]),
            "reprojection_px": float(check.reprojection_px[c]),
            "refined_px": float(check.refined_px[c]),
            "time_offset_ms": 1e3 * float(check.time_offset_s[c]),
            "time_offset_std_ms": 1e3 * float(check.time_offset_std_s[c]),
            "time_offset_frames": float(check.time_offset_s[c] / check.frame_s[c]),
            "points": int(check.points[c]),
        }
        for c, name in enumerate(names)
    }
    pairs = [
        {"cameras": [names[a], names[b]], "epipolar_px": float(check.epipolar_px[a, b])}
        for a in range(len(names))
        for b in range(a + 1, len(names))
    ]
    return {"findings": [vars(one) for one in check.findings], "cameras": cameras, "pairs": pairs}


def _median(values: np.ndarray) -> float:
    import numpy as np

    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def _offsets(text: str, cameras: list[str]) -> dict[str, float]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        values = [float(part) for part in parts]
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not a list of numbers separated by commas") from error
    if values and len(values) != len(cameras):
        raise click.BadParameter(f"{len(values)} time offsets for {len(cameras)} cameras ({', '.join(cameras)})")
    return dict(zip(cameras, values, strict=False))


def _camera_table(cameras: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title="cameras", title_justify="left")
    table.add_column("camera")
    for head in (
        "epipolar\npx",
        "reprojection\npx",
        "if refined\npx",
        "time offset\nms",
        "time offset\nframes",
        "points",
    ):
        table.add_column(head, justify="right")
    for name, row in cameras.items():
        offset = f"{_word(row['time_offset_ms'], '+.1f')} ± {_word(row['time_offset_std_ms'], '.1f')}"
        table.add_row(
            name,
            _word(row["epipolar_px"], ".1f"),
            _word(row["reprojection_px"], ".1f"),
            _word(row["refined_px"], ".1f"),
            offset,
            _word(row["time_offset_frames"], "+.2f"),
            str(row["points"]),
        )
    return table


def _pair_table(names: list[str], pairs: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(title="pairs: median epipolar distance, px", title_justify="left")
    table.add_column("")
    by_pair = {tuple(pair["cameras"]): pair["epipolar_px"] for pair in pairs}
    for name in names:
        table.add_column(name, justify="right")
    for a in names:
        cells = [_word(by_pair.get((a, b), by_pair.get((b, a))), ".1f") if a != b else "" for b in names]
        table.add_row(a, *cells)
    return table


def _word(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
