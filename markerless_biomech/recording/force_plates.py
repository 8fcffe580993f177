"""Marker recordings with force plates: events from the markers of the feet against the instants of the plates.

A recording is an npz file: markers (F, M, 3) in m with marker_names and marker_t (s); grf (T, plates, 9: force, centre
of pressure, moment) with grf_t; up ('y' or 'z'). A plate's instant is where the vertical force crosses THRESHOLD_N, by
linear interpolation between samples. `fit_reference` learns how long before the plate the rule speaks; it is judged on
recordings that it has not seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import npz_arrays, short
from ..gait.events import GaitDetector
from ..gait.rules import FORCE_PLATE, EventReference, GaitRule, stride_time_s
from ..gait.values import SIDES, FootSample, StepEvent
from .step_judgement import EDGE_S, StepComparison, compare_steps, last_revisions

KEYS = ("markers", "marker_names", "marker_t", "grf", "grf_t", "up")

UPWARD = ("y", "z")

THRESHOLD_N = 20.0
"""A plate is loaded above this."""
MARKER_STD_M = 5e-4
_LOADED_S = 0.06
"""This long after a plate is loaded (before it is unloaded) the foot on it is the nearest to the centre of pressure."""
_WITHIN_S = 0.15
RULE_ALONE = EventReference("rule", 0.0, 0.0, 0.0, 0.0)
"""The instant at which a foot's point crosses the rule's speed."""

HEEL_MARKERS = (("L.Heel", "R.Heel"), ("L_calc", "r_calc"), ("LHEE", "RHEE"), ("LHeel", "RHeel"))
TOE_MARKERS = (("L.Toe", "R.Toe"), ("L_toe", "r_toe"), ("LTOE", "RTOE"), ("LBigToe", "RBigToe"))
PELVIS_MARKERS = (("L.ASIS", "R.ASIS"), ("L.ASIS", "r.ASIS"), ("LASI", "RASI"), ("lasis", "rasis"))
"""Left and right names that are known, the first that a recording has."""


@dataclass(frozen=True, eq=False)
class PlateWalk:
    """One recording; world has z up."""

    name: str
    times_s: np.ndarray
    """(F,)"""
    heel_m: np.ndarray
    """(F, 2, 3) left, right; NaN where not seen."""
    toe_m: np.ndarray
    """(F, 2, 3)"""
    pelvis_m: np.ndarray
    """(F, 3)"""
    events: tuple[StepEvent, ...]
    """Of the plates, in order of time."""

    @property
    def speed_m_s(self) -> float:
        """Mean horizontal speed of the pelvis."""
        known = np.isfinite(self.pelvis_m).all(axis=-1)
        slope = np.polyfit(self.times_s[known], self.pelvis_m[known, :2], 1)[0]
        return float(np.linalg.norm(slope))

    def samples(self) -> list[FootSample]:
        """The feet at every instant, all settled."""
        std_m = np.full(2, MARKER_STD_M)
        rows = zip(self.times_s, self.heel_m, self.toe_m, self.pelvis_m, strict=True)
        return [FootSample(round(t * 1e9), heel, toe, std_m, std_m, pelvis) for t, heel, toe, pelvis in rows]

    def counted_ns(self) -> tuple[int, int]:
        """From where to where events are judged."""
        return round((self.times_s[0] + EDGE_S) * 1e9), round((self.times_s[-1] - EDGE_S) * 1e9)


def read_plate_walk(path: str | Path) -> PlateWalk:
    """Read one recording. Raises InputError that names what is missing."""
    path = Path(path)
    content = npz_arrays(path, "recording with force plates", KEYS)
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise InputError(f"{path}: the key '{missing[0]}' is missing; expected markers and grf with times and names")
    names = [str(name) for name in content["marker_names"].ravel()]
    markers = _numbers(path, content, "markers", (len(content["marker_t"].ravel()), len(names), 3))
    grf = _numbers(path, content, "grf", (len(content["grf_t"].ravel()), None, 9))
    if str(content["up"]) not in UPWARD:
        raise InputError(f"{path}: the recording's up axis is '{short(str(content['up']))}'; expected y or z")
    markers = z_up(markers, str(content["up"]))
    heel, toe, pelvis = (
        markers[:, _columns(path, names, known)] for known in (HEEL_MARKERS, TOE_MARKERS, PELVIS_MARKERS)
    )
    times_s = _numbers(path, content, "marker_t", (len(markers),))
    walk = PlateWalk(path.stem, times_s, heel, toe, pelvis.mean(axis=1), ())
    force_n = z_up(grf[..., :3], str(content["up"]))[..., 2]
    centre_m = z_up(grf[..., 3:6], str(content["up"]))
    return dataclasses.replace(
        walk, events=plate_events(_numbers(path, content, "grf_t", (len(grf),)), force_n, centre_m, walk)
    )


def _numbers(path: Path, content: dict[str, np.ndarray], key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """The numbers of a key, of this shape (None: any length)."""
    values = content[key]
    fits = values.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, values.shape, strict=True))
    if values.dtype.kind not in "fiu" or not fits or 0 in values.shape:
        expected = " x ".join("any" if n is None else str(n) for n in shape)
        raise InputError(f"{path}: {key} is {values.dtype} {values.shape}; expected numbers of {expected}")
    if key.endswith("_t") and not (np.isfinite(values).all() and np.all(np.diff(values) > 0)):
        raise InputError(f"{path}: {key} has gaps or goes back; expected seconds in order")
    return values.astype(float)


def z_up(points: np.ndarray, up: str) -> np.ndarray:
    """(..., 3) vectors with x kept and z up, from vectors whose `up` axis is 'y' or 'z'."""
    if up == "z":
        return points
    if up not in UPWARD:
        raise InputError(f"the recording's up axis is '{up}'; expected y or z")
    return points[..., [0, 2, 1]] * [1.0, -1.0, 1.0]


def _columns(path: Path, names: list[str], known: tuple[tuple[str, str], ...]) -> list[int]:
    """Columns of the first left and right pair that the recording has."""
    for pair in known:
        if set(pair) <= set(names):
            return [names.index(name) for name in pair]
    raise InputError(f"{path}: none of the marker pairs {known} is there; found {', '.join(names)}")


# --- the plates' instants --------------------------------------------------------------------------------------------


def plate_events(
    times_s: np.ndarray, force_n: np.ndarray, centre_m: np.ndarray, walk: PlateWalk
) -> tuple[StepEvent, ...]:
    """Heel strikes and toe offs of vertical forces (T, plates) with centres of pressure (T, plates, 3)."""
    found = []
    for plate in range(force_n.shape[1]):
        for time_s, loading in threshold_crossings(times_s, force_n[:, plate]):
            inside_s = time_s + (_LOADED_S if loading else -_LOADED_S)
            centre = [np.interp(inside_s, times_s, centre_m[:, plate, axis]) for axis in (0, 1)]
            side = SIDES[_nearest_foot(walk, inside_s, np.array(centre))]
            found.append((time_s, side, "heel_strike" if loading else "toe_off"))
    nowhere = np.full(3, np.nan)
    return tuple(
        StepEvent(round(time_s * 1e9), side, kind, nowhere, number)
        for number, (time_s, side, kind) in enumerate(sorted(found))
    )


def threshold_crossings(times_s: np.ndarray, force_n: np.ndarray) -> list[tuple[float, bool]]:
    """(instant, loading) of every crossing of THRESHOLD_N, interpolated between samples."""
    loaded = force_n >= THRESHOLD_N
    after = 1 + np.flatnonzero(loaded[1:] != loaded[:-1])
    share = (THRESHOLD_N - force_n[after - 1]) / (force_n[after] - force_n[after - 1])
    instants = times_s[after - 1] + share * (times_s[after] - times_s[after - 1])
    return [(float(instant), bool(loaded[row])) for instant, row in zip(instants, after, strict=True)]


def _nearest_foot(walk: PlateWalk, time_s: float, centre_m: np.ndarray) -> int:
    """0 left or 1 right: whose middle between heel and toe is nearest to `centre_m` (2,)."""
    row = int(np.argmin(np.abs(walk.times_s - time_s)))
    middle = 0.5 * (walk.heel_m[row, :, :2] + walk.toe_m[row, :, :2])
    return int(np.argmin(np.nan_to_num(np.linalg.norm(middle - centre_m, axis=-1), nan=np.inf)))


# --- the detector against them ---------------------------------------------------------------------------------------


def detected_events(walk: PlateWalk, reference: EventReference) -> list[StepEvent]:
    """What the detector makes of the markers."""
    detector = GaitDetector(GaitRule(reference=reference, belt_speed_m_s=0.0))
    told = [event for one in walk.samples() for event in detector.update(one)]
    return last_revisions(told + detector.finish())


def against_plates(walk: PlateWalk, reference: EventReference) -> StepComparison:
    """Detected events against the plates'; events off the plates are no false ones and are left out."""
    found = detected_events(walk, reference)
    return dataclasses.replace(compare_steps(found, walk.events, *walk.counted_ns(), same_s=_WITHIN_S), false=())


def fit_reference(walks: Sequence[PlateWalk]) -> EventReference:
    """Mean delay of the plates after the rule's instant, and its spread, over the events of these recordings."""
    delays: dict[str, list[float]] = {"heel_strike": [], "toe_off": []}
    strides_s: list[float] = []
    for walk in walks:
        stride_s = float(stride_time_s(walk.speed_m_s))
        strides_s.append(stride_s)
        for kind, error_s in against_plates(walk, RULE_ALONE).time_error_s.items():
            delays[kind] += list(-error_s / stride_s)
    if not all(delays.values()):
        raise InputError("the recordings hold no heel strike or no toe off on a plate; give others")
    mean = {kind: float(np.mean(values)) for kind, values in delays.items()}
    std = {kind: float(np.std(values) * np.mean(strides_s)) for kind, values in delays.items()}
    return EventReference(FORCE_PLATE.name, mean["heel_strike"], mean["toe_off"], std["heel_strike"], std["toe_off"])


def leave_one_out(walks: Sequence[PlateWalk]) -> list[tuple[PlateWalk, StepComparison]]:
    """Each recording judged with the reference fitted to the others."""
    return [(walk, against_plates(walk, fit_reference([w for w in walks if w is not walk]))) for walk in walks]


def plate_table(judged: Sequence[tuple[PlateWalk, StepComparison]]) -> list[dict[str, Any]]:
    """One row a recording: found, missed and uncounted events, errors in ms (found minus plate)."""
    return [
        {
            "recording": walk.name,
            "speed_m_s": walk.speed_m_s,
            "plate_events": comparison.detected + len(comparison.missed),
            "missed": len(comparison.missed),
            "invented": len(comparison.false),
            "not_counted": len(walk.events) - comparison.detected - len(comparison.missed),
            **{f"{kind}_ms": [1e3 * float(e) for e in errors] for kind, errors in comparison.time_error_s.items()},
        }
        for walk, comparison in judged
    ]


def mean_absolute_ms(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Mean |error| of all events of each type."""
    return {
        kind: float(np.mean(np.abs([error for row in rows for error in row[f"{kind}_ms"]])))
        for kind in ("heel_strike", "toe_off")
    }
