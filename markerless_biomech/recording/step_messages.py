"""StepEvent message <-> value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .message_types import (
    Types,
    header_to_message,
    point_to_message,
    stamp_from_message,
    xyz_from_message,
)

SIDES = ("left", "right")
TYPES_OF_EVENT = ("heel_strike", "toe_off")

_LENGTHS = ("step_length_m", "step_width_m", "stride_length_m")
_NUMBERS = (
    "time_std_s",
    "confidence",
    *_LENGTHS,
    *(name.removesuffix("_m") + "_std_m" for name in _LENGTHS),
    "step_time_s",
    "stride_time_s",
)
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class StepRecord:
    """One revision of one event; NaN where a figure is undefined."""

    stamp_ns: int
    side: str
    """'left' or 'right'."""
    type: str
    """'heel_strike' or 'toe_off'."""
    foot_position_m: np.ndarray
    """(3,) in world: the heel at a heel strike, the toe at a toe off."""
    id: int
    revision: int = 0
    final: bool = True
    withdrawn: bool = False
    time_std_s: float = 0.0
    confidence: float = 1.0
    step_length_m: float = _NAN
    step_width_m: float = _NAN
    stride_length_m: float = _NAN
    step_length_std_m: float = _NAN
    step_width_std_m: float = _NAN
    stride_length_std_m: float = _NAN
    step_time_s: float = _NAN
    stride_time_s: float = _NAN
    calibration_version: int = 1


def step_to_message(types: Types, step: StepRecord, world_frame: str = "world") -> Any:
    """StepEvent message."""
    return types.StepEvent(
        header=header_to_message(types, step.stamp_ns, world_frame),
        side=SIDES.index(step.side),
        type=TYPES_OF_EVENT.index(step.type),
        foot_position=point_to_message(types, step.foot_position_m),
        id=int(step.id),
        revision=int(step.revision),
        final=bool(step.final),
        withdrawn=bool(step.withdrawn),
        calibration_version=int(step.calibration_version),
        **{name: float(getattr(step, name)) for name in _NUMBERS},
    )


def step_from_message(message: Any) -> StepRecord:
    """Value of a StepEvent message."""
    return StepRecord(
        stamp_ns=stamp_from_message(message.header.stamp),
        side=SIDES[message.side],
        type=TYPES_OF_EVENT[message.type],
        foot_position_m=xyz_from_message(message.foot_position),
        id=int(message.id),
        revision=int(message.revision),
        final=bool(message.final),
        withdrawn=bool(message.withdrawn),
        calibration_version=int(message.calibration_version),
        **{name: float(getattr(message, name)) for name in _NUMBERS},
    )
