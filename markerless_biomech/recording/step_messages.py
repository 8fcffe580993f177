"""StepEvent message <-> value."""

from __future__ import annotations

from typing import Any

from ..gait.values import SIDES, TYPES_OF_EVENT, StepEvent
from .message_types import (
    Types,
    header_to_message,
    point_to_message,
    stamp_from_message,
    xyz_from_message,
)

StepRecord = StepEvent
"""As it is in a bag."""

_LENGTHS = ("step_length_m", "step_width_m", "stride_length_m")
_NUMBERS = (
    "time_std_s",
    "confidence",
    *_LENGTHS,
    *(name.removesuffix("_m") + "_std_m" for name in _LENGTHS),
    "step_time_s",
    "stride_time_s",
)


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
