"""The process that checks the rig: camera frames in, findings out. `rig_watch.py` starts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..cameras.calibrated_camera import Rig
from ..errors import InputError
from ..keypoints import KeypointFrame, KeypointSet
from ..rig_check.check import check_rig
from ..rig_check.findings import RigCheck
from .calibration_messages import Refusal
from .second_process import serve


@dataclass(frozen=True, eq=False)
class RigCheckRequest:
    """What is to be compared."""

    rig: Rig
    keypoint_set: KeypointSet
    frames: tuple[KeypointFrame, ...]
    """Of all cameras, in any order."""
    time_offsets_s: dict[str, float] = field(default_factory=dict)
    """By camera, to be added to its stamps."""


def check(request: RigCheckRequest, send: Callable[[RigCheck | Refusal], Any]) -> None:
    """Compare, and say what was found."""
    try:
        send(check_rig(request.rig, request.frames, request.keypoint_set, request.time_offsets_s))
    except InputError as error:
        send(Refusal(str(error)))


if __name__ == "__main__":
    serve(check)
