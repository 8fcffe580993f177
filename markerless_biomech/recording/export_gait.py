"""strides.csv, gait_parameters.csv and centre_of_mass.csv: the strides of a recording, the means of each walk."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from ..gait.balance import centre_velocity_m_s
from .export_csv import seconds_text
from .stride_figures import FIGURES, StrideFigures, Walker, sides_of_walks, stride_figures

STRIDE_COLUMNS = ("time_s", "end_s", "walk", "side", *(figure.column for figure in FIGURES))
_SYMMETRIES = ("step_length_m", "step_time_s")
PARAMETER_COLUMNS = (
    "walk",
    "side",
    "start_s",
    "end_s",
    *(f"{figure.name}_{what}" for figure in FIGURES for what in (f"mean_{figure.unit}", f"std_{figure.unit}", "n")),
    "step_length_symmetry",
    "step_time_symmetry",
)
CENTRE_COLUMNS = ("time_s", "x_m", "y_m", "z_m", "vx_m_s", "vy_m_s", "vz_m_s")


def gait_tables(walking: Walker) -> dict[str, str]:
    """Text of each table by its name."""
    every = stride_figures(walking)
    return {
        "strides": strides_csv(every),
        "gait_parameters": parameters_csv(every),
        "centre_of_mass": centre_of_mass_csv(walking),
    }


def strides_csv(every: Sequence[StrideFigures]) -> str:
    """A row a stride, from the heel strike at time_s to the foot's next at end_s."""
    rows = [
        [seconds_text(one.start_ns), seconds_text(one.end_ns), one.walk, one.side, *map(_text, one.values.values())]
        for one in every
    ]
    return _table(STRIDE_COLUMNS, rows)


def parameters_csv(every: Sequence[StrideFigures]) -> str:
    """A row a walk and side: mean, SD between strides, and number of strides of every figure."""
    rows = []
    for one in sides_of_walks(every):
        figures = [
            cell
            for figure in FIGURES
            for cell in (_text(one.mean[figure.column]), _text(one.std[figure.column]), one.count[figure.column])
        ]
        even = [_text(one.symmetry.get(column, np.nan)) for column in _SYMMETRIES]
        rows.append([one.walk, one.side, seconds_text(one.start_ns), seconds_text(one.end_ns), *figures, *even])
    return _table(PARAMETER_COLUMNS, rows)


def centre_of_mass_csv(walking: Walker) -> str:
    """A row a state: place and velocity in world."""
    place_m, stamps_ns = walking.body.centre_of_mass_m(), walking.stamps_ns
    velocity_m_s = centre_velocity_m_s(stamps_ns, place_m, stamps_ns)
    rows = [
        [seconds_text(int(stamp)), *map(_text, place), *map(_text, velocity)]
        for stamp, place, velocity in zip(stamps_ns, place_m, velocity_m_s, strict=True)
    ]
    return _table(CENTRE_COLUMNS, rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _text(value: float) -> str:
    """Six decimals; empty where it is not known."""
    return f"{value:.6f}" if np.isfinite(value) else ""
