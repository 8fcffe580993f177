"""Comparison of joint angles with another program's, given as a joints.csv."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ..body.names import JOINT_NAMES
from ..errors import InputError
from ..files import first_line
from . import metrics


def read_joints_csv(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(F,) times in s and each known joint's (F,) angle in degrees. Raises InputError naming file and column."""
    if not path.is_file():
        what = "a folder; give the joints.csv in it" if path.is_dir() else "no such file"
        raise InputError(f"reference {path}: {what}")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"reference {path}: cannot be read ({first_line(error)}); expected a joints.csv") from error
    header = [name.strip() for name in rows[0]] if rows else []
    if "time_s" not in header or len(rows) < 2:
        raise InputError(
            f"reference {path}: expected a header with the column 'time_s' and at least one row of numbers"
        )
    ragged = [number for number, row in enumerate(rows[1:], start=2) if row and len(row) != len(header)]
    if ragged:
        raise InputError(f"reference {path}: row {ragged[0]} does not have the header's {len(header)} columns")
    try:
        values = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in rows[1:] if row])
    except ValueError as error:
        raise InputError(f"reference {path}: {error}; expected numbers below the header") from error
    times_s = values[:, header.index("time_s")] if values.size else values
    if not len(times_s) or not np.isfinite(times_s).all() or np.any(np.diff(times_s) < 0):
        raise InputError(f"reference {path}: time_s has no rows, gaps or goes back; expected seconds in order")
    angles = {name: values[:, header.index(name)] for name in JOINT_NAMES if name in header}
    if not angles:
        raise InputError(f"reference {path}: no column is named as one of our joints, such as {JOINT_NAMES[0]}")
    return times_s, angles


def compare_with_reference(path: Path, times_s: np.ndarray, angles_rad: np.ndarray) -> dict[str, Any]:
    """RMSE of (F, 34) angles against a reference interpolated to `times_s`: per joint, raw and debiased, in degrees.

    `mean` is over the joints that the reference has.
    """
    reference_s, reference_deg = read_joints_csv(path)
    inside = (times_s >= reference_s[0]) & (times_s <= reference_s[-1])
    if not inside.any():
        raise InputError(
            f"reference {path}: its times {reference_s[0]:.3f} to {reference_s[-1]:.3f} s do not meet the result's "
            f"{times_s[0]:.3f} to {times_s[-1]:.3f} s; time_s must be the header's stamp"
        )
    names = list(reference_deg)
    ours = angles_rad[inside][:, [JOINT_NAMES.index(name) for name in names]]
    theirs = np.radians([_interpolated(times_s[inside], reference_s, reference_deg[name]) for name in names]).T
    return {
        "frames": int(inside.sum()),
        "joint_rmse_deg": _by_name(names, metrics.joint_rmse_deg(ours, theirs)),
        "joint_rmse_debiased_deg": _by_name(names, metrics.joint_rmse_debiased_deg(ours, theirs)),
    }


def _by_name(names: list[str], values_deg: np.ndarray) -> dict[str, Any]:
    return {"mean": float(np.mean(values_deg)), "per_joint": dict(zip(names, map(float, values_deg), strict=True))}


def _interpolated(times_s: np.ndarray, reference_s: np.ndarray, values_deg: np.ndarray) -> np.ndarray:
    """Linear in time, over cells left empty."""
    given = np.isfinite(values_deg)
    return np.interp(times_s, reference_s[given], values_deg[given]) if given.any() else np.full(len(times_s), np.nan)
