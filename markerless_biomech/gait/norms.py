"""Angles of healthy people over the gait cycle: mean and SD, to be drawn behind somebody's own.

Ours are in `YOUNG_ADULTS`; a lab may give a file of its own:

    # 20 adults of our lab, overground, 1.3 m/s
    joint,percent,mean_deg,sd_deg
    hip_flexion,0,30.1,5.2
    hip_flexion,5,29.6,5.3

Names and signs are those of the report's curves (`CYCLE_ANGLES`); percent rises from 0 to 100 within a joint, in steps
of any size; joints that are not in the file have no band. Lines that begin with # say where the numbers are from.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

CYCLE_ANGLES = (
    *("pelvis_tilt", "pelvis_list", "pelvis_rotation"),
    *("hip_flexion", "hip_adduction", "hip_rotation"),
    *("knee_angle", "ankle_angle", "subtalar_angle"),
)
"""Without their side; list and rotation of the pelvis are those of the own side (docs/gait.md)."""
YOUNG_ADULTS = Path(__file__).with_name("norms_young_adults.csv")
"""Where they are from and what was done with them: docs/gait.md."""
COLUMNS = ("joint", "percent", "mean_deg", "sd_deg")


@dataclass(frozen=True, eq=False)
class Norm:
    """One angle over the gait cycle; N rows."""

    percent: np.ndarray
    """(N,) of the stride, rising from 0 to 100."""
    mean_deg: np.ndarray
    """(N,)"""
    std_deg: np.ndarray
    """(N,) between people."""


@dataclass(frozen=True, eq=False)
class Norms:
    """Of one population."""

    source: str
    """In words, as the file says it; '' where it says nothing."""
    norm_from_joint: dict[str, Norm]


def load_norms(path: str | Path) -> Norms:
    """Read a file. Raises InputError that names the file, the line and what was expected."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as text ({error}); expected a csv file of {', '.join(COLUMNS)}"
        ) from None
    remarks = [line.lstrip("# ").strip() for line in lines if line.startswith("#")]
    table = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
    if not table or tuple(cell.strip() for cell in table[0][1].split(",")) != COLUMNS:
        raise InputError(f"{path}: expected the columns {','.join(COLUMNS)} in this order in the first line")
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for number, line in table[1:]:
        joint, numbers = _row(line, f"{path}, line {number}")
        rows.setdefault(joint, []).append(numbers)
    norms = {joint: _norm(np.array(own), f"{path}: {joint}") for joint, own in rows.items()}
    if not norms:
        raise InputError(f"{path}: holds no rows below its columns; expected some of {', '.join(CYCLE_ANGLES)}")
    return Norms(" ".join(remarks), norms)


def _row(line: str, where: str) -> tuple[str, tuple[float, float, float]]:
    """Joint and its percent, mean, SD."""
    cells = [cell.strip() for cell in next(csv.reader([line]))]
    if len(cells) != len(COLUMNS) or cells[0] not in CYCLE_ANGLES:
        raise InputError(
            f"{where}: '{line}' is no row of {','.join(COLUMNS)} with a joint of {', '.join(CYCLE_ANGLES)}"
        )
    try:
        percent, mean_deg, std_deg = (float(cell) for cell in cells[1:])
    except ValueError:
        raise InputError(f"{where}: '{line}' holds something that is no number where one was expected") from None
    if not np.isfinite([percent, mean_deg, std_deg]).all() or std_deg < 0.0 or abs(mean_deg) > 180.0:
        raise InputError(f"{where}: '{line}' is no angle in degrees with a standard deviation of 0 or more")
    return cells[0], (percent, mean_deg, std_deg)


def _norm(rows: np.ndarray, where: str) -> Norm:
    """Of rows (N, 3)."""
    percent = rows[:, 0]
    if len(rows) < 2 or percent[0] != 0.0 or percent[-1] != 100.0 or np.any(np.diff(percent) <= 0.0):
        raise InputError(
            f"{where}: percent does not rise from 0 to 100 (it has {len(rows)} rows); give the whole cycle"
        )
    return Norm(*rows.T)
