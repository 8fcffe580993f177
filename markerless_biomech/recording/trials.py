"""A recording as a trial of the offline fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..cameras.frame_sets import FrameSetAssembler
from ..errors import InputError
from ..keypoints import KeypointSet
from ..session import Trial
from ..settings import EstimatorSettings
from .recorded_session import RecordedSession, read_session


def read_trial(path: str | Path, keypoint_set: KeypointSet | None = None, name: str = "") -> tuple[Trial, KeypointSet]:
    """The trial that a bag is, or the one of this name in it, and its keypoint set. InputError where there is none."""
    session = read_session(path, keypoint_set, name)
    return trial_from_session(session), session.keypoint_set


def trial_from_session(session: RecordedSession) -> Trial:
    """All frame sets by stamps alone, in order of time; nothing is late in a recording.

    Clocks that were known to be off when it was recorded are put right.
    """
    assembler = FrameSetAssembler(session.cameras, replay_mode=True)
    offsets_ns = {name: round(offset_s * 1e9) for name, offset_s in time_offsets_s(session).items()}
    frames = [replace(frame, stamp_ns=frame.stamp_ns + offsets_ns.get(frame.camera, 0)) for frame in session.frames]
    frame_sets = [frame_set for frame in frames for frame_set in assembler.push(frame)]
    frame_sets = sorted([*frame_sets, *assembler.flush()], key=lambda frame_set: frame_set.stamp_ns)
    if len(frame_sets) < 2:
        raise InputError(f"{session.path}: {len(frame_sets)} frame sets; expected a recording of at least two")
    return Trial(session.name, session.rig, tuple(frame_sets))


def time_offsets_s(session: RecordedSession) -> dict[str, float]:
    """camera_time_offsets_s of the bag's definitions/settings, by camera; empty where none were set."""
    settings = session.settings(EstimatorSettings)
    names, offsets = settings.cameras, settings.camera_time_offsets_s
    if len(names) != len(offsets) and offsets:
        raise InputError(
            f"{session.path}: definitions/settings holds {len(offsets)} camera_time_offsets_s; "
            f"expected one for each of {len(names)} cameras"
        )
    return dict(zip(names, offsets, strict=False))
