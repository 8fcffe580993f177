"""Writes a simulated session as a bag: what the live estimator would be given, and the truth beside it.

In the bag's folder lie subject.yaml (the true subject) and rig.yaml (the nominal cameras) as well.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..cameras.rig import rig_text
from ..results import BodyEstimate, Tracking
from ..settings import SimulationSettings, to_dict
from ..simulation.faulted_frames import sent_in_order
from ..simulation.faulted_scene import person_is_there, true_rig_at
from ..simulation.faults import parse_faults
from ..simulation.virtual_rig import START_NS, SimulatedSession
from ..simulation.virtual_rig import simulate as simulate_session
from .bags import BagWriter, check_writable
from .camera_health import fitted_cameras
from .definitions import definition_texts, model_id, model_text, subject_text, yaml_text
from .result_messages import body_to_message, cameras_to_message
from .session_bag import write_cameras, write_definitions, write_frame
from .step_messages import StepRecord, step_to_message


def write_simulation(
    settings: SimulationSettings,
    out: str | Path,
    force: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Simulate and write the bag `out`; returns the answer of the command `simulate`."""
    out = Path(out)
    check_writable(out, force)
    session = simulate_session(settings)
    with BagWriter(out, force) as writer:
        write_definitions(writer, definition_texts(session.keypoint_set, session.rig_nominal), START_NS)
        write_cameras(writer, session.rig_nominal, START_NS)
        _write_truth(writer, session)
        count = session.keypoints.shape[0] * session.keypoints.shape[1]
        faults = parse_faults(settings.faults)
        for index, sent in enumerate(sent_in_order(session, lambda: faults, range(len(session.stamps_ns)))):
            write_frame(writer, sent.frame, session.keypoint_set, session.rig_nominal, sent.keypoint_set)
            progress(min(1.0, (index + 1) / count))
        writer.add_file("subject.yaml", subject_text(session.subject))
        writer.add_file("rig.yaml", rig_text(session.rig_nominal))
    return {
        "out": out,
        "bag": out,
        "subject": out / "subject.yaml",
        "rig": out / "rig.yaml",
        "frames": len(session.stamps_ns),
        "cameras": list(session.rig_nominal.cameras),
        "events": len(session.events),
    }


def true_body(session: SimulatedSession, frame: int, start_ns: int = START_NS) -> BodyEstimate:
    """The true state at one of the session's frames."""
    keypoints = len(session.keypoint_set)
    return BodyEstimate(
        stamp_ns=start_ns + round(float(session.motion.stamps_s[frame]) * 1e9),
        settled=True,
        tracking=Tracking.TRACKED,
        qpos=session.motion.qpos[frame],
        qvel=session.qvel[frame],
        covariance=np.zeros((40, 40)),
        sites_m=session.sites_m[frame],
        sites_std_m=np.zeros(keypoints),
        site_seen=np.ones(keypoints, dtype=bool),
    )


def true_steps(session: SimulatedSession, start_ns: int = START_NS) -> list[StepRecord]:
    """The true events, in order of time."""
    return [
        StepRecord(
            start_ns + round(event.time_s * 1e9), event.side, event.type, np.array(event.foot_position_m), number
        )
        for number, event in enumerate(session.events, start=1)
    ]


def _write_truth(writer: BagWriter, session: SimulatedSession) -> None:
    texts = {
        "model": model_text(session.keypoint_set),
        "subject": subject_text(session.subject),
        "rig": rig_text(session.rig_true),
        "simulation": yaml_text(to_dict(session.settings)),
    }
    write_definitions(writer, texts, START_NS, "truth/")
    faults = parse_faults(session.settings.faults)
    name, poses = model_id(session.keypoint_set), np.zeros(0)
    for frame, time_s in enumerate(session.motion.stamps_s.tolist()):
        body = true_body(session, frame)
        cameras = fitted_cameras(true_rig_at(session, faults, time_s), body.stamp_ns)
        if not np.array_equal(cameras.poses, poses):
            poses = cameras.poses
            writer.write("/truth/fitted_cameras", cameras_to_message(writer.types, cameras), body.stamp_ns)
        if person_is_there(faults, time_s):
            writer.write("/truth/body_state", body_to_message(writer.types, body, model_id=name), body.stamp_ns)
    for step in true_steps(session):
        if person_is_there(faults, (step.stamp_ns - START_NS) * 1e-9):
            writer.write("/truth/step_events", step_to_message(writer.types, step), step.stamp_ns)
