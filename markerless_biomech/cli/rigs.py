"""Commands on calibrations: convert-rig."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import PATH, force_option
from .running import Answer, command, progress_bar

if TYPE_CHECKING:
    from ..cameras.calibrated_camera import Rig
    from ..cameras.calibration_files import ImportedRig
    from ..recording.floor import Floor

RAD_TO_DEG = 57.29577951308232

VAGUE_TILT_RAD = 0.01
"""0.6 deg: 10 mm of height for each metre walked."""

AXES = ("x", "-x", "y", "-y", "z", "-z", "upright")


class _ImageSize(click.ParamType):
    """WIDTHxHEIGHT in pixels."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(part.isdecimal() and 0 < int(part) < 100_000 for part in parts):
            self.fail(f"'{value}' is no image size; expected one such as 1920x1080", param, ctx)
        return int(parts[0]), int(parts[1])


@command("convert-rig")
@click.argument("sources", type=PATH, nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", type=PATH, required=True, help="rig.yaml, Calib.toml, or a folder for ROS's files, to write.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["rig", "ros", "pose2sim"]),
    help="What to write; without, by OUT's ending: .toml pose2sim, no ending ros, else rig.",
)
@click.option("--units", type=click.Choice(["m", "cm", "mm"]), help="Of SOURCE's lengths, where it does not say.")
@click.option(
    "--up",
    type=click.Choice(AXES),
    help="Axis of SOURCE's world that points up and becomes z; 'upright': that along which most images are.",
)
@click.option(
    "--image-size",
    type=_ImageSize(),
    metavar="1920x1080",
    help="Of every camera, where SOURCE does not say (EasyMocap). [px]",
)
@click.option(
    "--floor-from-feet",
    "floor_bag",
    type=PATH,
    metavar="BAG",
    help="Recording of somebody walking before these cameras: the floor under the feet becomes z = 0.",
)
@force_option
def convert_rig(
    sources: tuple[Path, ...],
    out: Path,
    kind: str | None,
    units: str | None,
    up: str | None,
    image_size: tuple[int, int] | None,
    floor_bag: Path | None,
    force: bool,
) -> Answer:
    """Turn a calibration of another program into rig.yaml (or into ROS's or Pose2Sim's), z up, metres.

    SOURCE: rig.yaml, Calib.toml (Pose2Sim, AniPose, FreeMoCap, Caliscope), *.qca.txt (Qualisys), session npz, OpenCV's
    YAML, intri.yml and extri.yml (EasyMocap), cameraIntrinsicsExtrinsics.pickle (OpenCap), camera_info and /tf_static
    YAML (ROS), a folder with these, or a bag.

    \b
    Example:
      markerless-biomech convert-rig calibration.toml --units mm --up -y --out rig.yaml
      markerless-biomech convert-rig rig.yaml --floor-from-feet walk --out levelled.yaml
      markerless-biomech convert-rig rig.yaml --out camera_infos --format ros
    """
    from ..cameras.calibration_files import save_calibration
    from ..cameras.rig_summary import doubts, summarise

    kind = kind or _kind_of(out)
    imported = _read(sources, units, up or ("z" if floor_bag else None), image_size)
    rig, floor = imported.rig, None
    if floor_bag is not None:
        rig, floor = _levelled(rig, floor_bag)
    rig = rig if kind == "pose2sim" else _with_topic_names(rig)
    save_calibration(rig, out, kind, force)
    summary = summarise(rig)
    remarks = [{"ok": True, "sentence": words} for words in imported.remarks]
    return {
        "out": out,
        "format": kind,
        "cameras": list(rig.cameras),
        "summary": summary.sentence,
        "apart_m": summary.apart_m,
        "heights_m": summary.heights_m,
        "looking_at_m": summary.looking_at_m,
        **({"floor": _floor_answer(floor)} if floor is not None else {}),
        "remarks": remarks + [{"ok": False, "sentence": words} for words in (*_vague(floor), *doubts(rig))],
    }


def _kind_of(out: Path) -> str:
    """The format that a path's ending asks for."""
    return {".toml": "pose2sim", "": "ros"}.get(out.suffix.lower(), "rig")


def _read(
    sources: tuple[Path, ...], units: str | None, up: str | None, image_size: tuple[int, int] | None
) -> ImportedRig:
    """The calibration in the files, or the cameras of a bag."""
    from ..cameras.calibration_files import ImportedRig, read_calibration

    if len(sources) == 1 and (sources[0] / "metadata.yaml").is_file():
        from ..cameras.calibrations.calibration import Calibration, rig_from_calibration
        from ..recording.bags import open_bag
        from ..recording.recorded_session import keypoint_topics, read_definitions, read_rig

        with open_bag(sources[0]) as bag:
            rig = read_rig(bag, read_definitions(bag), tuple(keypoint_topics(bag)))
        found = Calibration(list(rig.cameras.values()), world_frame=rig.world_frame)
        return ImportedRig(*rig_from_calibration(str(sources[0]), found, units, up))
    return read_calibration(sources, units, up, image_size)


def _levelled(rig: Rig, bag: Path) -> tuple[Rig, Floor]:
    """The rig on the floor of those who walk in the recording."""
    from ..recording.floor import floor_from_feet
    from ..recording.recorded_session import read_session

    session = read_session(bag)
    with progress_bar("looking for the floor") as progress:
        floor = floor_from_feet(session, _with_topic_names(rig), progress)
    return floor.level(rig), floor


def _with_topic_names(rig: Rig) -> Rig:
    """Cameras named as their topics may be, as import names them."""
    from ..errors import InputError
    from ..recording.imports import renamed, topic_name

    cameras = [
        camera if topic_name(name) == name else renamed(camera, topic_name(name))
        for name, camera in rig.cameras.items()
    ]
    by_name = {camera.name: camera for camera in cameras}
    if len(by_name) != len(cameras):
        raise InputError(f"cameras {', '.join(rig.cameras)} have names that do not differ as topics; rename them")
    return replace(rig, cameras=by_name)


def _vague(floor: Floor | None) -> tuple[str, ...]:
    """What to do where the feet did not say enough of the floor."""
    if floor is None or floor.tilt_std_rad < VAGUE_TILT_RAD:
        return ()
    return (
        f"the floor's tilt is known to no better than {RAD_TO_DEG * floor.tilt_std_rad:.1f} deg, because the feet "
        "rested at few places: record somebody who walks over more of the floor",
    )


def _floor_answer(floor: Floor) -> Answer:
    return {
        "sentence": floor.sentence,
        "tilt_deg": floor.tilt_deg,
        "height_m": floor.offset_m,
        "tilt_std_deg": RAD_TO_DEG * floor.tilt_std_rad,
        "height_std_m": floor.height_std_m,
        "places": floor.places,
        "residual_m": floor.residual_m,
    }
