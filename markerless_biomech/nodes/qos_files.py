"""QoS overrides for `ros2 bag record` and `ros2 bag play`, for labs that prefer them to our recorder and player.

`python -m markerless_biomech.nodes.qos_files` writes config/qos_*.yaml anew (part of `make config`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from rclpy.qos import QoSProfile

from ..recording.topic_roles import OWN_DEFINITIONS, RESULTS, SYNC_TOPIC, TRIAL_TOPIC
from . import quality

CAMERAS = tuple(f"cam{index}" for index in range(8))
"""Names to be replaced by the lab's own."""

RECORD_HEAD = """\
# Of our topics, for `ros2 bag record --all --qos-profile-overrides-path FILE`. Written by `make config`.
# What is latched is asked for as such, also when its publisher comes later; bursts of results wait in a deep queue.
# <camera>/keypoints and camera_info are left out: rosbag2 asks for what your drivers and detectors offer. If these
# offer keypoints reliably, an entry of each with depth 1000 (as /step_events below) loses none while the disk is busy.
# In a namespace, put it before every name but TF's.
"""
PLAY_HEAD = """\
# Of our topics, for `ros2 bag play --clock --qos-profile-overrides-path FILE`. Written by `make config`.
# Detectors often offer keypoints as best effort, and so says the bag; an estimator in replay_mode wants every one of
# them. Replace cam0, cam1, ... by the names of your cameras; in a namespace, put it before every name but TF's.
"""


@dataclass(frozen=True)
class Override:
    """How one topic is asked for when it is recorded, and offered when it is played."""

    record: QoSProfile | None
    """None: as rosbag2 finds by itself."""
    play: QoSProfile


def overrides() -> dict[str, Override]:
    """By topic, with a slash before it as rosbag2 wants."""
    latched = Override(quality.LATCHED, quality.LATCHED)
    entries = {f"/{name}": latched for name in sorted(OWN_DEFINITIONS) + ["robot_description", TRIAL_TOPIC]}
    entries["/tf_static"] = Override(quality.STATIC_TRANSFORMS, quality.STATIC_TRANSFORMS)
    entries["/tf"] = Override(quality.EVERY_RESULT, quality.TRANSFORMS)
    entries |= {f"/{name}": Override(quality.EVERY_RESULT, quality.RESULTS) for name in sorted(RESULTS)}
    entries[f"/{SYNC_TOPIC}"] = Override(quality.EVERY_RESULT, quality.RESULTS)
    for camera in CAMERAS:
        entries[f"/{camera}/keypoints"] = Override(None, quality.EVERY_RESULT)
        entries[f"/{camera}/camera_info"] = Override(None, quality.LATCHED)
    return entries


def entry(profile: QoSProfile) -> dict[str, str | int]:
    """A profile in rosbag2's words."""
    return {
        "history": profile.history.short_key,
        "depth": profile.depth,
        "reliability": profile.reliability.short_key,
        "durability": profile.durability.short_key,
    }


def file_texts() -> dict[str, str]:
    """Text by name of the file."""
    found = overrides()
    record = {topic: entry(one.record) for topic, one in found.items() if one.record is not None}
    play = {topic: entry(one.play) for topic, one in found.items()}
    return {"qos_record.yaml": RECORD_HEAD + _yaml(record), "qos_play.yaml": PLAY_HEAD + _yaml(play)}


def _yaml(content: dict[str, dict[str, str | int]]) -> str:
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120)


if __name__ == "__main__":
    for name, text in file_texts().items():
        (Path("config") / name).write_text(text)
