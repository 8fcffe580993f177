"""Commands on recordings: simulate, import, replay, evaluate, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..settings import EstimatorSettings, SimulationSettings
from .options import PATH, force_option, settings_from_options, settings_options, trial_option
from .running import Answer, command, progress_bar, say

if TYPE_CHECKING:
    from ..body.subject import Subject
    from ..keypoints import KeypointSet

OF_THE_NODE = (
    "keypoint_set",
    "subject_file",
    "height_m",
    "rig_file",
    "world_frame",
    "sync",
    "queue_frames",
    "autostart",
)
OF_THE_NODE += ("camera_refinement", "check_rig", "calibration_s", "calibration_folder")
"""Settings of the estimator that a replay takes from its bag, or that mean nothing to it."""

RESULTS = ("refit", "settled", "live")
WHICH = "Which result: fitted offline, live and smoothed lag_s later, or live."
BEST = "Without, the first of these that the bag holds."


@command("simulate")
@click.option("--out", type=PATH, required=True, help="Folder of the bag to write.")
@settings_options(SimulationSettings, without=("faults",))
@click.option(
    "--fault", "faults", multiple=True, metavar="TEXT", help="What goes wrong: KIND:CAMERAS@FROM-TO=SIZES; repeatable."
)
@force_option
def simulate(out: Path, force: bool, faults: tuple[str, ...], **options: Any) -> Answer:
    """Record a virtual walker before a virtual rig, with the truth.

    In the bag's folder lie subject.yaml (the true subject) and rig.yaml (the nominal cameras) as well. A fault that
    is not understood is answered with the kinds that there are.

    \b
    Example:
      markerless-biomech simulate --out walk --cameras 8 --seconds 10 --seed 1
      markerless-biomech simulate --out bad --fault camera-bump:cam3@5=1deg,20mm --fault camera-stop:cam2@3-6
    """
    from ..recording.simulated_bag import write_simulation

    settings = replace(settings_from_options(SimulationSettings, options), faults=faults)
    with progress_bar("simulating") as progress:
        return write_simulation(settings, out, force, progress)


@command("import")
@click.argument("source", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder of the bag to write.")
@click.option("--calibration", type=PATH, help="Of JSON folders: any file or folder that convert-rig reads.")
@click.option("--keypoint-set", help="Shipped keypoint set, or the path of a lab's own file; guessed without.")
@click.option(
    "--fps", type=click.FloatRange(0.1, 1000), help="Frames a second of JSON folders without Config.toml. [Hz]"
)
@force_option
def import_(
    source: Path, out: Path, calibration: Path | None, keypoint_set: str | None, fps: float | None, force: bool
) -> Answer:
    """Make a bag of SOURCE: a session npz, or a folder with OpenPose's or Pose2Sim's JSON of each camera.

    \b
    Example:
      markerless-biomech import session.npz --out bag
      markerless-biomech import trial1 --calibration Calib.toml --keypoint-set body_25b --fps 60 --out bag
    """
    from ..recording.imports import import_recording

    session = import_recording(source, out, calibration, keypoint_set, fps, force)
    return {
        "out": out,
        "bag": out,
        "cameras": list(session.rig.cameras),
        "keypoint_set": session.keypoint_set.name,
        "frames": len(session.frames),
        "people": max(len(frame.points) for frame in session.frames),
        "height_m": session.height_m,
    }


@command("replay")
@click.argument("bag", type=PATH)
@click.option("--subject", type=PATH, help="subject.yaml of the person.")
@click.option("--height-m", type=click.FloatRange(0.5, 2.5), help="Stature, where there is no subject.yaml. [m]")
@click.option("--out", type=PATH, required=True, help="Folder of the result bag to write.")
@click.option("--keypoint-set", help="File of the keypoint set, where the bag does not define it.")
@settings_options(EstimatorSettings, without=OF_THE_NODE)
@force_option
def replay(
    bag: Path,
    subject: Path | None,
    height_m: float | None,
    out: Path,
    keypoint_set: str | None,
    force: bool,
    **options: Any,
) -> Answer:
    """Run the live estimator over BAG, without ROS: same bag, same answer.

    \b
    Example:
      markerless-biomech replay walk --subject walk/subject.yaml --out walk_result
      markerless-biomech replay lab_bag --height-m 1.81 --out lab_result
    """
    if (subject is None) == (height_m is None):
        raise click.UsageError("give either --subject or --height-m")
    settings = settings_from_options(EstimatorSettings, options)
    from ..devices import enable_compile_cache
    from ..keypoints import load_keypoint_set
    from ..recording.replay import replay as run

    enable_compile_cache()
    own_set = load_keypoint_set(keypoint_set) if keypoint_set else None
    with progress_bar("replaying") as progress:
        summary = run(bag, _subject(subject, height_m), out, settings, force, own_set, progress)
    for sentence, count in summary.refused.items():
        say(f"refused {count} messages: {sentence}")
    if not summary.tracked:
        say(f"the subject was never tracked in {bag}; 'markerless-biomech evaluate {out}' says why")
    return {"out": out, **vars(summary), "refused": sum(summary.refused.values())}


def _subject(path: Path | None, height_m: float | None) -> Any:
    """The subject's file, or the base model scaled once the keypoint set is known."""
    from ..body.subject import load_subject, subject_from_height

    if path is not None:
        return load_subject(path)

    def scaled(keypoint_set: KeypointSet) -> Subject:
        assert height_m is not None
        return subject_from_height(height_m, keypoint_set)

    return scaled


@command("evaluate")
@click.argument("bag", type=PATH)
@click.option("--result", type=click.Choice(RESULTS), help=f"{WHICH} {BEST}")
@click.option("--skip-s", type=click.FloatRange(0), default=0.0, help="Leave out so much of the start. [s]")
@click.option("--reference", type=PATH, help="joints.csv of another program to compare with.")
@click.option(
    "--leave-one-out",
    is_flag=True,
    help="Fit anew without each camera in turn and score the one left out; needs three cameras and no truth.",
)
def evaluate(bag: Path, result: str | None, skip_s: float, reference: Path | None, leave_one_out: bool) -> Answer:
    """Judge the results in BAG: against the images, against the truth where the bag holds it.

    \b
    Example:
      markerless-biomech evaluate walk_result --skip-s 1 --json
      markerless-biomech evaluate lab_refit --leave-one-out
    """
    from ..recording.evaluation import evaluate as judge

    answer = judge(bag, result, skip_s, reference)
    if leave_one_out:
        answer["leave_one_out"] = _leave_one_out(bag, skip_s)
    return answer


def _leave_one_out(bag: Path, skip_s: float) -> Answer:
    """The key of this name."""
    from ..devices import enable_compile_cache
    from ..recording.leave_one_out import leave_one_out
    from ..recording.recorded_session import read_session
    from ..recording.result_bag import result_bag

    enable_compile_cache()
    recorded = read_session(bag)
    with progress_bar("leaving cameras out") as progress:
        return leave_one_out(recorded, result_bag(recorded), skip_s, progress=progress)


@command("report")
@click.argument("bag", type=PATH)
@click.option("--out", type=PATH, required=True, help="HTML file to write; its pictures go beside it.")
@click.option(
    "--norms",
    type=PATH,
    help="Angles of healthy people over the gait cycle, drawn behind the subject's: a csv of joint, percent, mean_deg, "
    "sd_deg (docs/gait.md); without it 24 young adults on a treadmill.",
)
@click.option("--no-norms", is_flag=True, help="Draw no healthy people behind the subject's angles.")
@trial_option
@force_option
def report(bag: Path, out: Path, norms: Path | None, no_norms: bool, trial: str, force: bool) -> Answer:
    """Write a page with pictures of the results in BAG: angles, skeleton over keypoints, cameras, residuals.

    \b
    Example:
      markerless-biomech report walk_result --out report.html
      markerless-biomech report walk_result --norms our_lab.csv --out report.html
    """
    from ..gait.norms import YOUNG_ADULTS
    from ..recording.report import write_report

    if no_norms and norms is not None:
        raise click.UsageError("--norms and --no-norms exclude each other; give one of them")
    drawn = None if no_norms else norms or YOUNG_ADULTS
    return {"out": write_report(bag, out, force=force, trial=trial, norms=drawn)}
