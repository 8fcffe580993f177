"""Everything that is said of the strides of a recording, and the means of each walk: for `export` and `report`.

Pelvis angles are OpenSim's about axes that go with the direction of progress, so that they mean the same wherever one
walks; list and rotation are those of the stride's own side, mirrored on the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body.names import BODY_NAMES
from ..body.subject import Subject
from ..gait.balance import margins_of_stability
from ..gait.body_feet import standing_points
from ..gait.body_path import BodyPath, body_path
from ..gait.cycles import covered
from ..gait.foot_figures import FeetPath, foot_figures, with_surface
from ..gait.parameters import Stride, strides, symmetry
from ..gait.values import SIDES, StepEvent
from ..keypoints import KeypointSet
from .opensim_axes import PELVIS_ANGLES, pelvis_angles_deg

_FEMURS = [1 + BODY_NAMES.index(f"femur_{side}") for side in "lr"]
OWN_SIDE = {"right": np.ones(3), "left": np.array([1.0, -1.0, -1.0])}
"""Signs that make tilt, list and rotation those of a side: list positive with the own side down, rotation with the own
side forward."""


@dataclass(frozen=True)
class Figure:
    """One figure of a stride."""

    name: str
    unit: str
    """As in column names: m, s, m_s, percent, deg, per_min."""
    words: str

    @property
    def column(self) -> str:
        """'step_length_m'"""
        return f"{self.name}_{self.unit}"


FIGURES = (
    Figure("step_length", "m", "Step length"),
    Figure("step_width", "m", "Step width"),
    Figure("step_time", "s", "Step time"),
    Figure("stride_length", "m", "Stride length"),
    Figure("stride_time", "s", "Stride time"),
    Figure("speed", "m_s", "Speed"),
    Figure("cadence", "per_min", "Cadence"),
    Figure("stance", "percent", "Stance"),
    Figure("swing", "percent", "Swing"),
    Figure("single_support", "percent", "Single support"),
    Figure("double_support", "percent", "Double support"),
    Figure("foot_progression", "deg", "Foot progression, toes out positive"),
    Figure("toe_clearance", "m", "Least toe clearance in mid swing"),
    Figure("pelvis_tilt", "deg", "Pelvic tilt at heel strike, forward negative"),
    Figure("pelvis_list", "deg", "Pelvic list at heel strike, own side down positive"),
    Figure("pelvis_rotation", "deg", "Pelvic rotation at heel strike, own side forward positive"),
    Figure("margin_sideways", "m", "Margin of stability at heel strike, sideways"),
    Figure("margin_forward", "m", "Margin of stability at heel strike, forward"),
    Figure("centre_of_mass_rise", "m", "Rise and fall of the centre of mass"),
)


@dataclass(frozen=True, eq=False)
class StrideFigures:
    """Of one stride."""

    side: str
    start_ns: int
    end_ns: int
    walk: int
    """Counted from 1."""
    values: dict[str, float]
    """By the figure's column; NaN where it cannot be told."""


@dataclass(frozen=True, eq=False)
class Walker:
    """A body that walks, over F instants."""

    path: FeetPath
    body: BodyPath
    pelvis_deg: np.ndarray
    """(F, 3) tilt, list, rotation about axes along the direction of progress, signs of the right side."""
    events: tuple[StepEvent, ...]
    """Last revisions."""

    @property
    def stamps_ns(self) -> np.ndarray:
        """(F,)"""
        return self.path.stamps_ns


def walker(
    subject: Subject, keypoint_set: KeypointSet, stamps_ns: np.ndarray, qpos: np.ndarray, events: Sequence[StepEvent]
) -> Walker | None:
    """Of the poses (F, 41) at rising stamps (F,), LOST left out; None without a stride."""
    every = strides(events)
    if not every or len(stamps_ns) < 2:
        return None
    body = body_path(subject, qpos)
    feet_m = body.points_m(standing_points(keypoint_set))
    # the middle of the hips: a point before it turns inwards on a curve, and would turn the direction of progress
    hips_m = body.origins_m[:, _FEMURS].mean(axis=1)
    still = FeetPath(stamps_ns, feet_m[:, :2], feet_m[:, 2:], hips_m, np.zeros(2))
    path = with_surface(still, events)
    half_ns = round(0.5e9 * float(np.median([stride.time_s for stride in every])))
    return Walker(path, body, pelvis_along_progress_deg(path, qpos[:, 3:7], half_ns), tuple(events))


def pelvis_along_progress_deg(path: FeetPath, quaternion_wxyz: np.ndarray, half_ns: int) -> np.ndarray:
    """(F, 3) tilt, list, rotation of the pelvis, orientations (F, 4), where x is the direction of progress from
    `half_ns` before to after; walking backwards, its opposite. NaN for a person in place."""
    ahead = path.directions(path.stamps_ns - half_ns, path.stamps_ns + half_ns)
    w, x, y, z = quaternion_wxyz.T
    pelvis_forward = np.stack([1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z)], axis=-1)
    ahead = ahead * np.sign((pelvis_forward * ahead).sum(axis=-1, keepdims=True))
    half_turn = -0.5 * np.arctan2(ahead[:, 1], ahead[:, 0])
    c, s = np.cos(half_turn), np.sin(half_turn)
    return pelvis_angles_deg(np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=-1))


def stride_figures(walking: Walker) -> list[StrideFigures]:
    """Of every stride, in the order of their ends."""
    every = strides(walking.events)
    feet = {(one.side, one.start_ns): one for one in foot_figures(walking.path, walking.events)}
    margins = {
        (one.side, one.stamp_ns): one
        for one in margins_of_stability(walking.body, walking.stamps_ns, walking.events, walking.path.surface_m_s)
    }
    height_m = walking.body.centre_of_mass_m()[:, 2]
    answer = []
    for stride, walk in zip(every, _walks(every), strict=True):
        values = _of_events(stride)
        if covered(stride.start_ns, stride.end_ns, walking.stamps_ns):
            key = (stride.side, stride.start_ns)
            inside = walking.path.between(stride.start_ns, stride.end_ns)
            foot, margin, pelvis = feet[key], margins.get(key), _pelvis_deg(walking, stride)
            values |= {
                "foot_progression_deg": foot.foot_progression_deg,
                "toe_clearance_m": foot.toe_clearance_m,
                "margin_sideways_m": margin.sideways_m if margin else float("nan"),
                "margin_forward_m": margin.forward_m if margin else float("nan"),
                "centre_of_mass_rise_m": float(np.ptp(height_m[inside])),
                **{f"{name}_deg": float(angle) for name, angle in zip(PELVIS_ANGLES, pelvis, strict=True)},
            }
        values = {figure.column: values.get(figure.column, float("nan")) for figure in FIGURES}
        answer.append(StrideFigures(stride.side, stride.start_ns, stride.end_ns, walk, values))
    return answer


def _of_events(stride: Stride) -> dict[str, float]:
    """What the events alone tell."""
    return {
        "step_length_m": stride.step_length_m,
        "step_width_m": stride.step_width_m,
        "step_time_s": stride.step_time_s,
        "stride_length_m": stride.length_m,
        "stride_time_s": stride.time_s,
        "speed_m_s": stride.speed_m_s,
        "cadence_per_min": 60.0 / stride.step_time_s,
        "stance_percent": stride.stance_percent,
        "swing_percent": 100.0 - stride.stance_percent,
        "single_support_percent": stride.single_support_percent,
        "double_support_percent": stride.double_support_percent,
    }


def _pelvis_deg(walking: Walker, stride: Stride) -> np.ndarray:
    """(3,) at the stride's first heel strike."""
    row = int(np.argmin(np.abs(walking.stamps_ns - stride.start_ns)))
    return walking.pelvis_deg[row] * OWN_SIDE[stride.side]


def _walks(every: Sequence[Stride]) -> list[int]:
    """The walk of each stride: a stride that begins after all before it have ended begins the next."""
    order = sorted(range(len(every)), key=lambda k: every[k].start_ns)
    walk, end_ns = 0, -1
    answer = [0] * len(every)
    for k in order:
        if walk == 0 or every[k].start_ns > end_ns:
            walk += 1
        end_ns = max(end_ns, every[k].end_ns)
        answer[k] = walk
    return answer


@dataclass(frozen=True, eq=False)
class SideOfWalk:
    """Means over the strides of one side in one walk; dictionaries by the figure's column."""

    walk: int
    side: str
    start_ns: int
    end_ns: int
    mean: dict[str, float]
    std: dict[str, float]
    """Sample SD between strides; NaN for fewer than two."""
    count: dict[str, int]
    """Strides of which the figure is known."""
    symmetry: dict[str, float]
    """(right - left) / mean of both, of the whole walk."""


def sides_of_walks(every: Sequence[StrideFigures]) -> list[SideOfWalk]:
    """In the order of the walks, left before right; a side without strides is left out."""
    answer = []
    for walk in sorted({one.walk for one in every}):
        sides = [_side(walk, side, [one for one in every if (one.walk, one.side) == (walk, side)]) for side in SIDES]
        left, right = sides
        even = {
            figure.column: symmetry(left.mean[figure.column], right.mean[figure.column])
            for figure in FIGURES
            if left.count[figure.column] and right.count[figure.column]
        }
        answer += [replace(side, symmetry=even) for side in sides if side.end_ns]
    return answer


def whole_recording(every: Sequence[StrideFigures]) -> list[SideOfWalk]:
    """[left, right] over the strides of all walks together."""
    return [_side(0, side, [one for one in every if one.side == side]) for side in SIDES]


def _side(walk: int, side: str, own: Sequence[StrideFigures]) -> SideOfWalk:
    mean, std, count = {}, {}, {}
    for column in (figure.column for figure in FIGURES):
        values = np.array([one.values[column] for one in own])
        known = values[np.isfinite(values)] if len(values) else values
        count[column] = len(known)
        mean[column] = float(known.mean()) if len(known) else float("nan")
        std[column] = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
    start_ns, end_ns = min((one.start_ns for one in own), default=0), max((one.end_ns for one in own), default=0)
    return SideOfWalk(walk, side, start_ns, end_ns, mean, std, count, {})
