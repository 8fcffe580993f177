"""StepEvent and GaitParameters messages <-> values."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..gait.parameters import GaitParameters
from ..gait.step_watch import StepNews
from ..gait.values import SIDES, TYPES_OF_EVENT, StepEvent
from .message_checks import check_code
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
_FIGURES = tuple(
    field.name for field in dataclasses.fields(GaitParameters) if field.name not in ("stamp_ns", "strides")
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
        side=SIDES[check_code(message, "side", len(SIDES))],
        type=TYPES_OF_EVENT[check_code(message, "type", len(TYPES_OF_EVENT))],
        foot_position_m=xyz_from_message(message.foot_position),
        id=int(message.id),
        revision=int(message.revision),
        final=bool(message.final),
        withdrawn=bool(message.withdrawn),
        calibration_version=int(message.calibration_version),
        **{name: float(getattr(message, name)) for name in _NUMBERS},
    )


def parameters_to_message(
    types: Types, parameters: GaitParameters, world_frame: str = "world", calibration_version: int = 1
) -> Any:
    """GaitParameters message."""
    figures = {name: getattr(parameters, name) for name in _FIGURES}
    return types.GaitParameters(
        header=header_to_message(types, parameters.stamp_ns, world_frame),
        strides=int(parameters.strides),
        calibration_version=int(calibration_version),
        **{
            name: np.array(figure, dtype=np.float64) if np.ndim(figure) else float(figure)
            for name, figure in figures.items()
        },
    )


def parameters_from_message(message: Any) -> GaitParameters:
    """Value of a GaitParameters message."""
    figures: dict[str, Any] = {
        name: np.array(figure) if np.ndim(figure := getattr(message, name)) else figure for name in _FIGURES
    }
    return GaitParameters(
        stamp_ns=stamp_from_message(message.header.stamp),
        strides=int(message.strides),
        **figures,
    )


def news_messages(types: Types, news: StepNews, world_frame: str) -> tuple[list[Any], Any]:
    """(StepEvent messages in the order told, GaitParameters message or None) of what one frame set brought."""
    events = [step_to_message(types, event, world_frame) for event in news.events]
    if news.parameters is None:
        return events, None
    return events, parameters_to_message(types, news.parameters, world_frame, news.calibration_version)
