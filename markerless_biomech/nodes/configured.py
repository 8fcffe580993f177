"""What the parameters of motion_estimator name: the cameras, the person in view, and where a calibration is written."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from pathlib import Path

from ..body.subject import Subject, load_subject, subject_from_height
from ..cameras.calibrated_camera import with_prefix
from ..cameras.rig import Rig, load_rig
from ..errors import InputError
from ..keypoints import KeypointSet
from ..recording.bag_names import plain_name
from ..settings import EstimatorSettings, SessionSettings
from .calibration_messages import CalibrationRequest

DEFAULT_HEIGHT_M = next(field.default for field in fields(EstimatorSettings) if field.name == "height_m")


def load_configured_rig(settings: EstimatorSettings) -> Rig:
    """The cameras of `rig_file`, their frames under our prefix. Raises InputError when it is not this rig's file."""
    rig = load_rig(settings.rig_file)
    unknown = [name for name in settings.cameras if name not in rig.cameras]
    if unknown:
        raise InputError(f"{settings.rig_file}: no camera '{unknown[0]}'; the file has {', '.join(rig.cameras)}")
    if rig.world_frame != settings.world_frame:
        raise InputError(
            f"{settings.rig_file}: world_frame is '{rig.world_frame}', the parameter world_frame "
            f"'{settings.world_frame}'; make them the same"
        )
    return with_prefix(rig, settings.frame_prefix)


def load_configured_subject(settings: EstimatorSettings, keypoint_set: KeypointSet) -> Subject:
    """The subject of `subject_file`, or one scaled by `height_m`."""
    if settings.subject_file:
        return load_subject(settings.subject_file)
    return subject_from_height(settings.height_m, keypoint_set)


def subject_words(settings: EstimatorSettings) -> str:
    """Which subject that is."""
    if settings.subject_file:
        return f"subject of {settings.subject_file}"
    return f"generic subject of {settings.height_m:g} m"


def measured_height_m(settings: EstimatorSettings) -> float | None:
    """The person's stature, where somebody has given it: neither a default nor the height of another fit is one."""
    given = not settings.subject_file and settings.height_m != DEFAULT_HEIGHT_M
    return settings.height_m if given else None


def calibration_request(
    settings: EstimatorSettings, keypoint_set: KeypointSet, name: str, height_m: float | None
) -> CalibrationRequest:
    """What the second process is asked, but for the frame sets. It leaves a GPU to the live fit."""
    return CalibrationRequest(
        keypoint_set,
        height_m,
        name,
        SessionSettings(
            association_gate=settings.association_gate, capture_volume_m=settings.capture_volume_m, device="cpu"
        ),
        dict(zip(settings.cameras, settings.camera_time_offsets_s, strict=False)),
    )


def calibration_path(settings: EstimatorSettings, name: str, now: datetime) -> Path:
    """Where a calibrated subject is written: a new file in calibration_folder, beside subject_file, or in subjects/."""
    folder = settings.calibration_folder or (
        str(Path(settings.subject_file).parent) if settings.subject_file else "subjects"
    )
    return Path(folder).absolute() / f"{plain_name(name or 'subject')}_{now:%Y-%m-%d_%H-%M-%S}.yaml"
