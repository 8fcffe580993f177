"""Settings of nodes that are of no interest without ROS; the others are in `settings.py`."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import SimulationSettings, setting


@dataclass(frozen=True)
class RigSimulatorSettings(SimulationSettings):
    """Parameters of `rig_simulator`: those of a simulation, and how it is shown."""

    passes: int = setting(
        0, "How often the walk is shown before the node ends; 0: until it is stopped.", "", 0, 1000000
    )
    wait_for_subscribers_s: float = setting(
        0.0, "Wait at most this long until every keypoint topic has a subscriber.", "s", 0.0, 3600.0
    )


@dataclass(frozen=True)
class RecorderSettings:
    """Parameters of `recorder`."""

    bag: str = setting("", "Folder of the bag to write.")
    topics: tuple[str, ...] = setting((), "Topics of ours to record from their first message on; empty: all there are.")


@dataclass(frozen=True)
class LoadSettings:
    """Parameters of `load_generator`, which measures latency: keypoints made beforehand, sent at a fixed rate."""

    cameras: int = setting(8, "Cameras on a circle around the volume.", "", 2, 64)
    fps: float = setting(60.0, "Frames a second.", "Hz", 1.0, 1000.0)
    keypoint_set: str = setting("bml_movi_87", "Shipped keypoint set, or the path of a lab's own file.")
    seconds: float = setting(20.0, "How long keypoints are sent.", "s", 1.0, 36000.0)
    wait_for_subscribers_s: float = setting(
        300.0, "Wait at most this long until every keypoint topic has a subscriber.", "s", 0.0, 3600.0
    )
