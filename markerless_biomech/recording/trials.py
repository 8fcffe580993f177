"""A recording as a trial of the offline fit."""

from __future__ import annotations

from pathlib import Path

from ..cameras.frame_sets import FrameSetAssembler
from ..errors import InputError
from ..keypoints import KeypointSet
from ..session import Trial
from .recorded_session import RecordedSession, read_session


def read_trial(path: str | Path, keypoint_set: KeypointSet | None = None) -> tuple[Trial, KeypointSet]:
    """The trial in a bag, and its keypoint set. Raises InputError where the bag holds none."""
    session = read_session(path, keypoint_set)
    return trial_from_session(session), session.keypoint_set


def trial_from_session(session: RecordedSession) -> Trial:
    """All frame sets by stamps alone, in order of time; nothing is late in a recording."""
    assembler = FrameSetAssembler(session.cameras, replay_mode=True)
    frame_sets = [frame_set for frame in session.frames for frame_set in assembler.push(frame)]
    frame_sets = sorted([*frame_sets, *assembler.flush()], key=lambda frame_set: frame_set.stamp_ns)
    if len(frame_sets) < 2:
        raise InputError(f"{session.path}: {len(frame_sets)} frame sets; expected a recording of at least two")
    return Trial(session.path.name, session.rig, tuple(frame_sets))
