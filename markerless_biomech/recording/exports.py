"""Results and subjects in the files of other programs; one module a format, docs/exports.md says what is in each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..body.mjcf import mjcf_text
from ..body.subject import Subject, load_subject
from ..body.urdf import urdf_text
from ..errors import InputError
from ..files import refuse_existing, refuse_folder, write_text
from ..keypoints import load_keypoint_set
from ..results import BodyEstimate, Tracking
from .export_bvh import bvh_text
from .export_c3d import write_c3d
from .export_csv import events_csv, joints_csv, seconds_text
from .export_gait import gait_tables
from .export_motion import Motion, read_bodies, read_motion, read_person, read_steps, read_subject
from .export_opensim import OPENSIM_MODELS, mot_text, trc_text
from .step_messages import StepRecord
from .stride_figures import walker
from .sync_pulses import clock_remark, read_sync_pulses, sync_csv
from .trial_marks import open_recording

MOTION_FORMATS = ("csv", "trc", "mot", "c3d", "bvh")
"""Formats that hold a result over time."""

SUBJECT_FORMATS = ("urdf", "mjcf")
"""Formats that hold the scaled subject."""

FORMATS = (*MOTION_FORMATS, *SUBJECT_FORMATS)


def export(
    source: str | Path,
    out: str | Path,
    kind: str = "csv",
    result: str | None = None,
    opensim_model: str = OPENSIM_MODELS[0],
    force: bool = False,
    trial: str = "",
) -> dict[str, Any]:
    """Write `out` in the format `kind` from a bag or a trial in it (urdf, mjcf: or a subject.yaml); say what is in it.

    Without `result` the best that the bag holds. Raises InputError for what cannot be read, held or written.
    """
    out = Path(out)
    refuse_folder(out)
    refuse_existing(out, force)
    if kind in SUBJECT_FORMATS:
        subject = _subject(Path(source), result)
        text = urdf_text(subject) if kind == "urdf" else mjcf_text(subject, _own_keypoint_set(subject))
        write_text(out, text, force)
        return {"subject": subject.name}
    if kind == "csv":
        return _write_tables(source, out, result, force, trial)
    motion = read_motion(source, result, trial)
    first_ns = int(motion.stamps_ns[0])
    pulses = _write_pulses(source, trial, out, first_ns, force)
    _write_motion(motion, kind, out, opensim_model, force)
    rows = int(motion.held.sum())
    time_base = {"rate_hz": motion.rate_hz, "time_0": seconds_text(first_ns)}
    return {"result": motion.result, "rows": rows, "empty_rows": len(motion.held) - rows, **time_base, **pulses}


def _write_tables(source: str | Path, out: Path, result: str | None, force: bool, trial: str) -> dict[str, Any]:
    """The joints' table; beside it those of events and strides where there are any: events.csv beside joints.csv."""
    name, bodies = read_bodies(source, result, trial)
    steps, text = read_steps(source, name, trial), joints_csv(bodies)
    tables = {"events": events_csv(steps), **_gait_tables(source, name, trial, bodies, steps)} if steps else {}
    beside = {table: _beside(out, table, out.suffix) for table in tables}
    first_ns = next(body.stamp_ns for body in bodies if body.tracking is not Tracking.LOST)
    for path in beside.values():
        refuse_folder(path)
        refuse_existing(path, force)
    pulses = _write_pulses(source, trial, out, first_ns, force)
    for table, path in beside.items():
        write_text(path, tables[table], force)
    write_text(out, text, force)
    found = {"result": name, "rows": text.count("\n") - 1, **pulses, **beside}
    return {**found, "event_rows": len(steps)} if steps else found


def _gait_tables(
    source: str | Path, result: str, trial: str, bodies: Sequence[BodyEstimate], steps: Sequence[StepRecord]
) -> dict[str, str]:
    """Text of the strides' tables by name; none without a stride."""
    held = {body.stamp_ns: body.qpos for body in bodies if body.tracking is not Tracking.LOST}
    subject, keypoint_set = read_person(source, result, trial)
    walking = walker(subject, keypoint_set, np.array(list(held)), np.array(list(held.values())), steps)
    return {} if walking is None else gait_tables(walking)


def _write_pulses(source: str | Path, trial: str, out: Path, first_ns: int, force: bool) -> dict[str, Any]:
    """sync.csv beside joints.csv where the bag holds pulses of a synchronisation line."""
    with open_recording(source, trial) as bag:
        pulses = read_sync_pulses(bag)
        remark = clock_remark(bag, pulses)
    if not pulses:
        return {}
    sync_out, text = _beside(out, "sync", ".csv"), sync_csv(pulses, first_ns)
    same = sync_out.is_file() and sync_out.read_text() == text  # of another format of the same trial
    if not same:
        write_text(sync_out, text, force)
    return {"sync": sync_out, "sync_pulses": len(pulses), **({"remark": remark} if remark else {})}


def _beside(out: Path, name: str, suffix: str) -> Path:
    """events.csv beside joints.csv, walk_events.csv beside walk.csv."""
    return out.with_name(f"{name}{suffix}" if out.name == "joints.csv" else f"{out.stem}_{name}{suffix}")


def _write_motion(motion: Motion, kind: str, out: Path, opensim_model: str, force: bool) -> None:
    if kind == "c3d":
        _write_whole(out, lambda path: write_c3d(motion, path))
        return
    if kind == "mot":
        text = mot_text(motion, opensim_model)
    else:
        text = trc_text(motion, out.name) if kind == "trc" else bvh_text(motion)
    write_text(out, text, force)


def _subject(source: Path, result: str | None) -> Subject:
    """Of a subject.yaml, else of a bag's results or truth."""
    is_file = source.suffix in (".yaml", ".yml") and source.is_file()
    return load_subject(source) if is_file else read_subject(source, result or "live")


def _own_keypoint_set(subject: Subject) -> Any:
    """The shipped set that the subject's offsets are for; None where it is a lab's own, which is not at hand."""
    try:
        return load_keypoint_set(subject.keypoint_set) if subject.keypoint_set else None
    except InputError:
        return None


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let a library write a file, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            write(Path(folder) / path.name)
            os.replace(Path(folder) / path.name, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error})") from error
