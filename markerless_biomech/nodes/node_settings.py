"""Settings of nodes that are of no interest without ROS; the others are in `settings.py`."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import SimulationSettings, setting


@dataclass(frozen=True)
class RigSimulatorSettings(SimulationSettings):
    """Parameters of `rig_simulator`: those of a simulation, and how it is shown."""

    frame_prefix: str = setting("", "Put before the cameras' frames; two rigs on one machine need two.")
    passes: int = setting(
        0, "How often the walk is shown before the node ends; 0: until it is stopped.", "", 0, 1000000
    )
    wait_for_subscribers_s: float = setting(
        0.0, "Wait at most this long until every keypoint topic has a subscriber.", "s", 0.0, 3600.0
    )


@dataclass(frozen=True)
class RecorderSettings:
    """Parameters of `recorder`."""

    bag: str = setting("", "Folder of the bag to write; empty: FOLDER/SUBJECT/TRIAL_DATE, a new one each time.")
    folder: str = setting(".", "Where the bags of all subjects are.")
    subject: str = setting("", "Who is recorded, such as P07: the folder of the bag.")
    trial: str = setting("", "What is recorded, such as walk_03: the beginning of the bag's name.")
    everything: bool = setting(False, "Record every topic there is, not just those of the capture.")
    topics: tuple[str, ...] = setting(
        (), "Topics of ours to record, nothing else, from their first message on; empty: those there are."
    )
    keypoint_set: str = setting("", "File of a lab's own keypoint set, put into the bag where no estimator says it.")
    subject_file: str = setting("", "subject.yaml of the person, put into the bag where no estimator says it.")
    rig_file: str = setting("", "rig.yaml, put into the bag where neither CameraInfo nor an estimator says it.")


@dataclass(frozen=True)
class RvizMarkersSettings:
    """Parameters of `rviz_markers`."""

    rate_hz: float = setting(15.0, "How often the body and the keypoints are drawn.", "Hz", 0.5, 60.0)
    footprints: int = setting(40, "How many footprints stay on the floor.", "", 1, 1000)
    ellipsoid_sigmas: float = setting(
        2.8,
        "Semi-axes of the sites' ellipsoids in standard deviations; 2.8: 95 % lie inside; 0: none.",
        "",
        0.0,
        20.0,
        live=True,
    )
    rays: bool = setting(False, "Draw the line of sight to every keypoint that a camera sees.", live=True)
    flash_s: float = setting(0.4, "How long a heel strike flashes.", "s", 0.05, 5.0, live=True)


@dataclass(frozen=True)
class HumansSettings:
    """Parameters of `humans`."""

    rate_hz: float = setting(30.0, "How often the newest state is told.", "Hz", 0.5, 120.0)
    body_id: str = setting("", "Identifier of the body; empty: a new random one for each track, as REP-155 wants.")


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


@dataclass(frozen=True)
class ViewerSettings:
    """Parameters of `viewer`."""

    host: str = setting(
        "127.0.0.1", "Address at which the page is served; by default nobody but this machine may watch."
    )
    port: int = setting(8080, "Port of the page; 0: any that is free.", "", 0, 65535)
