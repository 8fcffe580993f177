"""Every setting once: default, unit, bounds and a sentence.

ROS parameters (`nodes/parameters.py`), `config/*.yaml`, `definitions/settings` in a bag and the README's table are
derived from these dataclasses, and a test compares them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import InputError
from .files import number_text, short

Group = TypeVar("Group")


def setting(
    default: Any,
    sentence: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """A dataclass field that carries its own description. `live`: may be changed while the node is active."""
    metadata = {"sentence": sentence, "unit": unit, "low": low, "high": high, "choices": choices, "live": live}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class EstimatorSettings:
    """Settings of the live estimator: parameters of `motion_estimator`, options of `replay`."""

    cameras: tuple[str, ...] = setting(
        (), "Names of the cameras; each publishes <camera>/keypoints and <camera>/camera_info."
    )
    keypoint_set: str = setting("bml_movi_87", "Shipped keypoint set, or the path of a lab's own file.")
    subject_file: str = setting(
        "", "subject.yaml of the person in view; empty: the base model scaled to height_m.", live=True
    )
    height_m: float = setting(1.75, "Stature of the person, used without a subject file.", "m", 0.5, 2.5, live=True)
    rig_file: str = setting("", "rig.yaml with the cameras; empty: CameraInfo and /tf_static.")
    world_frame: str = setting("world", "Frame in which everything is estimated: z up, metres.")
    frame_prefix: str = setting("", "Put before every frame of ours; two rigs on one machine need two.")
    sync: str = setting("deadline", "How frame sets are assembled.", choices=("deadline", "approximate"))
    frame_set_tolerance_s: float = setting(
        0.0, "Largest distance of a member's stamp from its frame set's; 0: half a frame, measured.", "s", 0.0, 1.0
    )
    frame_set_deadline_s: float = setting(
        0.05, "A frame set leaves this long after its first member came, complete or not.", "s", 0.001, 10.0
    )
    camera_time_offsets_s: tuple[float, ...] = setting(
        (), "Added to each camera's stamps, in the order of cameras; empty: none.", "s", -10.0, 10.0
    )
    window_frames: int = setting(16, "Frame sets fitted together.", "", 4, 256)
    iterations: int = setting(1, "Gauss-Newton iterations for each new frame set.", "", 1, 20)
    lag_s: float = setting(0.1, "How long after its stamp a frame set's result is settled.", "s", 0.0, 2.0)
    coast_s: float = setting(
        0.5, "How long the state is predicted without usable views before it is LOST.", "s", 0.0, 10.0
    )
    association_gate: float = setting(
        6.0,
        "A person further from the prediction than this many standard deviations is not the subject.",
        "",
        1.0,
        100.0,
    )
    capture_volume_m: tuple[float, ...] = setting(
        (),
        "xmin, xmax, ymin, ymax, zmin, zmax in world: a cold start takes nobody outside; empty: anywhere.",
        "m",
        -1e3,
        1e3,
    )
    tf: str = setting("full", "/tf of every link, of the pelvis alone, or none.", choices=("full", "root", "off"))
    camera_refinement: str = setting(
        "off",
        "Camera poses while tracking: watched only, proposed for ~/accept_cameras, or taken into use.",
        choices=("off", "propose", "accept"),
    )
    check_rig: bool = setting(
        True, "Compare the calibration with the first seconds of keypoints, and warn where they disagree."
    )
    camera_memory_s: float = setting(
        5.0,
        "Half-life of what slow refinement of the cameras has learnt; the shorter, the faster drift is followed.",
        "s",
        1.0,
        1e5,
    )
    camera_report_hz: float = setting(2.0, "How often fitted_cameras is published.", "Hz", 0.1, 60.0)
    calibration_s: float = setting(5.0, "Length of a live calibration.", "s", 0.5, 600.0)
    calibration_folder: str = setting(
        "", "Where live calibrations write; empty: beside subject_file, or subjects/ in the working directory."
    )
    belt_speed_m_s: float = setting(
        -1.0,
        "Speed of a treadmill's belt; 0: the floor does not move; negative: found from the standing feet.",
        "m/s",
        -1.0,
        10.0,
    )
    hold_feet: bool = setting(
        True, "Feet that stand, by the steps found so far, are held where they stand in the next fit."
    )
    queue_frames: int = setting(
        256, "Camera frames that wait for the fit before new ones are dropped and counted.", "", 1, 4096
    )
    device: str = setting("auto", "Where the fit runs.", choices=("auto", "cpu", "gpu"))
    gpu_memory_fraction: float = setting(0.3, "Share of the GPU's memory that may be taken.", "", 0.01, 0.95)
    replay_mode: bool = setting(False, "Play bags without losing a frame: closed by stamps alone, late if need be.")
    autostart: bool = setting(True, "Configure and activate without being asked.")


@dataclass(frozen=True)
class SessionSettings:
    """Settings of the offline fit: options of `calibrate` and `refit`."""

    trajectory: str = setting(
        "smoother", "Banded Gauss-Newton, or the paper's network of time.", choices=("smoother", "implicit")
    )
    frames_most: int = setting(
        3600,
        "Frames from which the subject is found; of longer sessions every second, third, ... is taken.",
        "",
        60,
        10**6,
    )
    height_std_m: float = setting(0.01, "How well the stature is known, where it is given.", "m", 0.001, 0.2)
    personal_joints: bool = setting(
        False, "Look for hip centres and knee and ankle axes too; kept where left-out cameras are foretold better."
    )
    soft_tissue: bool = setting(
        False, "Look for skin that slides on thighs and shanks too; kept where left-out cameras are foretold better."
    )
    refine_cameras: bool = setting(False, "Fit the cameras' poses too, about those of the calibration.")
    refine_lenses: bool = setting(False, "With refine_cameras: focal length, principal point and k1 too.")
    refine_times: bool = setting(False, "With refine_cameras: by how much each camera exposes later than it says, too.")
    camera_prior_deg: float = setting(
        1.0, "How far each camera's rotation may be off, per axis (SD), where cameras are refined.", "deg", 1e-4, 30.0
    )
    camera_prior_mm: float = setting(
        20.0, "How far each camera's position may be off, per axis (SD), where cameras are refined.", "mm", 1e-3, 1e3
    )
    association_gate: float = setting(
        6.0,
        "A person further from the prediction than this many standard deviations is not the subject.",
        "",
        1.0,
        100.0,
    )
    capture_volume_m: tuple[float, ...] = setting(
        (),
        "xmin, xmax, ymin, ymax, zmin, zmax in world: the subject is looked for inside; empty: anywhere.",
        "m",
        -1e3,
        1e3,
    )
    device: str = setting("auto", "Where the fit runs.", choices=("auto", "cpu", "gpu"))


@dataclass(frozen=True)
class SimulationSettings:
    """A virtual walker before a virtual rig: options of `simulate`, parameters of `rig_simulator`."""

    cameras: int = setting(8, "Cameras on a circle around the volume.", "", 2, 64)
    fps: float = setting(60.0, "Frames a second.", "Hz", 1.0, 1000.0)
    seconds: float = setting(10.0, "Length; the node starts over (time goes on) when it is reached.", "s", 0.1, 36000.0)
    keypoint_set: str = setting("bml_movi_87", "Shipped keypoint set, or the path of a lab's own file.")
    noise_px: float = setting(
        3.0,
        "Standard deviation of each pixel coordinate for a person 4 m away; smaller when further away.",
        "px",
        0.0,
        100.0,
    )
    seed: int = setting(0, "Fixes the noise and, unless person_seed is given, the person.", "", 0, 2**31 - 1)
    person_seed: int = setting(-1, "Fixes the person alone; -1: seed.", "", -1, 2**31 - 1)
    height_m: float = setting(1.75, "Stature of the person.", "m", 0.5, 2.5)
    speed_m_s: float = setting(1.25, "Walking speed.", "m/s", 0.3, 2.5)
    path: str = setting(
        "loop",
        "Where the person goes.",
        choices=("loop", "there-and-back", "line", "treadmill", "stand", "sit-to-stand"),
    )
    radius_m: float = setting(1.5, "Radius of the loop.", "m", 0.5, 50.0)
    step_width_m: float = setting(0.11, "Distance between the feet's lines of progress.", "m", 0.0, 0.4)
    asymmetry: float = setting(
        0.0, "Share by which the left leg's excursions are smaller than the right's.", "", -0.5, 0.5
    )
    scale_sd: float = setting(0.04, "SD of the segment lengths of the person about those of the stature.", "", 0.0, 0.3)
    offset_sd_mm: float = setting(8.0, "SD of each keypoint site's offset, per axis.", "mm", 0.0, 100.0)
    soft_tissue_mm: float = setting(
        0.0, "SD, per axis, of how far skin on thighs and shanks slides for each radian of flexion.", "mm", 0.0, 100.0
    )
    hard_person: bool = setting(False, "Segment lengths +-12 % (uniform) and 15 mm offsets.")
    outliers: float = setting(0.0, "Share of the points that are somewhere else.", "", 0.0, 0.9)
    occlusion: bool = setting(False, "Points behind the person's own body are not seen.")
    realistic: bool = setting(
        False, "Self-occlusion, 5 % outliers, left/right swaps, white and correlated noise, view-dependent site bias."
    )
    camera_error_deg: float = setting(0.0, "Rotation error of each camera of the nominal rig.", "deg", 0.0, 30.0)
    camera_error_mm: float = setting(0.0, "Position error of each camera of the nominal rig.", "mm", 0.0, 1000.0)
    latency_s: float = setting(0.0, "Mean delay from mid-exposure to publishing.", "s", 0.0, 5.0)
    jitter_s: float = setting(0.0, "SD of that delay and, at a tenth of it, of the stamps.", "s", 0.0, 1.0)
    faults: tuple[str, ...] = setting(
        (),
        "What goes wrong, such as camera-bump:cam3@5=1deg,20mm or camera-stop:cam2@3-6; set while the node runs, times "
        "count from then on.",
        live=True,
    )


@dataclass(frozen=True)
class PlayerSettings:
    """Parameters of `keypoint_player`."""

    bag: str = setting("", "Folder of the bag to play.")
    mode: str = setting(
        "live",
        "Inputs as if they came now; inputs and definitions as recorded with /clock, for an estimator in replay_mode; "
        "or everything as recorded with /clock.",
        choices=("live", "refit", "show"),
    )
    recorded_results: bool = setting(False, "With refit: the recorded results too, under recorded/.")
    rate: float = setting(1.0, "Speed; 1 is as recorded.", "", 0.01, 100.0)
    loop: bool = setting(False, "Start over at the end: live with stamps that go on, else with time set back.")
    start_delay_s: float = setting(0.0, "Wait before the first message.", "s", 0.0, 600.0)
    wait_for_subscribers_s: float = setting(
        60.0, "Wait at most this long until every keypoint topic has a subscriber (not to show).", "s", 0.0, 3600.0
    )
    settle_s: float = setting(
        3.0,
        "With refit: end when the estimator has reported nothing for so long after the last message.",
        "s",
        0.0,
        60.0,
    )


def checked(group: Group, where: str = "") -> Group:
    """Return `group` unchanged, or raise InputError naming the first setting out of its bounds, and `where` it is."""
    for field in dataclasses.fields(group):  # type: ignore[arg-type]
        try:
            check_value(field, getattr(group, field.name))
        except InputError as error:
            raise InputError(f"{where}: {error}" if where else str(error)) from None
    return group


def check_value(field: dataclasses.Field[Any], value: Any) -> None:
    """Raise InputError when `value` is outside of what the field's metadata allows."""
    meta = field.metadata
    if meta["choices"] and value not in meta["choices"]:
        raise InputError(f"setting {field.name} is '{value}'; expected one of {', '.join(meta['choices'])}")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, (str, bool)):
            continue
        low, high = meta["low"], meta["high"]
        if not ((low is None or number >= low) and (high is None or number <= high)):
            unit = f" {meta['unit']}" if meta["unit"] else ""
            raise InputError(f"setting {field.name} is {number_text(number)}; expected {low:g} to {high:g}{unit}")


def to_dict(group: Any) -> dict[str, Any]:
    """Plain values for YAML: tuples become lists."""
    values = dataclasses.asdict(group)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def from_dict(kind: type[Group], values: dict[str, Any], where: str = "settings") -> Group:
    """Settings from plain values. Raises InputError for an unknown name, a wrong type or a value out of bounds."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise InputError(f"{where}: unknown setting '{unknown[0]}'; known are {', '.join(fields)}")
    return checked(kind(**{name: _converted(where, fields[name], value) for name, value in values.items()}), where)


def _converted(where: str, field: dataclasses.Field[Any], value: Any) -> Any:
    """`value` in the type of the field's default."""
    kind = type(field.default)
    if kind is tuple and isinstance(value, (list, tuple)):
        member: Any = dataclasses.field(default="" if field.metadata["low"] is None else 0.0, metadata=field.metadata)
        member.name = field.name
        return tuple(_converted(where, member, one) for one in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**1000:
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(
            f"{where}: setting {field.name} is {short(value)}; expected {kind.__name__}, such as {field.default!r}"
        )
    return value
