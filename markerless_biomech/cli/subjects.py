"""Commands of the offline fit: calibrate, refit."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..settings import SessionSettings
from .options import PATH, force_option, settings_from_options, settings_options, trial_option
from .running import Answer, command, progress_bar, say

if TYPE_CHECKING:
    from ..cameras.refinement import RigFit
    from ..keypoints import KeypointSet
    from ..session import Determined, SessionFit, Trial

PREPARING = "preparing; the first time this takes a minute"

keypoint_set_option = click.option("--keypoint-set", help="File of the keypoint set, where the bag does not define it.")


@command("calibrate")
@click.argument("bags", type=PATH, nargs=-1, required=True, metavar="BAG...")
@click.option("--out", type=PATH, required=True, help="subject.yaml to write.")
@click.option("--height-m", type=click.FloatRange(0.5, 2.5), help="Stature, where it was measured. [m]")
@click.option("--name", default="subject", show_default=True, help="Name of the person in the file.")
@click.option("--report", type=PATH, help="HTML file to write as well: how sure it all is, with pictures.")
@click.option("--refine-cameras", type=PATH, help="rig.yaml to write: fits the cameras too, as one rig.")
@click.option("--trial", "trials", multiple=True, help="A trial that is marked in a BAG, by its name; repeatable.")
@keypoint_set_option
@settings_options(SessionSettings, without=("refine_cameras",))
@force_option
def calibrate(
    bags: tuple[Path, ...],
    out: Path,
    height_m: float | None,
    name: str,
    report: Path | None,
    refine_cameras: Path | None,
    trials: tuple[str, ...],
    keypoint_set: str | None,
    force: bool,
    **options: Any,
) -> Answer:
    """Find the person's body in one or several recordings: segment lengths, and where each keypoint sits.

    All BAGs are of one person and one keypoint set; a few seconds of varied movement are best.

    \b
    Example:
      markerless-biomech calibrate walk1 walk2 squat --height-m 1.81 --out anna.yaml --report anna.html
      markerless-biomech calibrate session --trial walk_01 --trial squat --out anna.yaml
    """
    settings = settings_from_options(SessionSettings, options | {"refine_cameras": refine_cameras is not None})
    _check_writable(out, report, force)
    if refine_cameras is not None:
        _check_writable(refine_cameras, None, force)
    from ..devices import enable_compile_cache
    from ..recording.body_choice import fit_best_body
    from ..session import fit_session

    enable_compile_cache()
    taken, points = _trials(bags, trials, keypoint_set)
    choices: Answer = {}
    with progress_bar("calibrating") as progress:
        progress(0.0, PREPARING)
        if settings.personal_joints or settings.soft_tissue:
            fit, found = fit_best_body(taken, points, height_m, name, settings, progress)
            choices = {
                option: {**vars(choice), "in_words": choice.in_words(option)} for option, choice in found.items()
            }
        else:
            fit = fit_session(taken, points, height_m, name, settings, progress)
    answer = _calibrated(fit, points, height_m, settings, out, report, force) | choices
    return answer | _rig_written(fit, refine_cameras, force)


def _check_writable(out: Path, report: Path | None, force: bool) -> None:
    """Before the long work, not after it."""
    from ..files import refuse_existing, refuse_folder

    refuse_folder(out)
    refuse_existing(out, force)
    if report is not None:
        from ..recording.report_files import check_page_writable

        check_page_writable(report, force)


def _trials(
    bags: tuple[Path, ...], names: tuple[str, ...], keypoint_set: str | None
) -> tuple[list[Trial], KeypointSet]:
    """The recordings, or the trials of these names in them, and their keypoint set; InputError where they differ."""
    from ..keypoints import load_keypoint_set
    from ..recording.trial_marks import named_trials
    from ..recording.trials import read_trial

    twice = [bag for bag in bags if [other.resolve() for other in bags].count(bag.resolve()) > 1]
    if twice:
        raise InputError(f"{twice[0]} is given twice; the same frames do not make the subject any surer")
    own_set = load_keypoint_set(keypoint_set) if keypoint_set else None
    places = named_trials(bags, names)
    read = [read_trial(bag, own_set, name) for bag, name in places]
    points = read[0][1]
    for (bag, _), (_, other) in zip(places, read, strict=True):
        if other.to_dict() != points.to_dict():
            raise InputError(
                f"{bag}: its keypoint set '{other.name}' is not the '{points.name}' of {bags[0]}; "
                "calibrate with recordings of one keypoint set"
            )
    return [trial for trial, _ in read], points


def _calibrated(
    fit: SessionFit,
    points: KeypointSet,
    height_m: float | None,
    settings: SessionSettings,
    out: Path,
    report: Path | None,
    force: bool,
) -> Answer:
    """Write the files; the command's answer."""
    import dataclasses

    from ..body.subject import save_subject
    from ..recording.knowledge import known_segments, scale_prior

    subject = dataclasses.replace(fit.subject, date=datetime.date.today().isoformat())
    save_subject(subject, out, force)
    if report is not None:
        from ..recording.report_subject import write_subject_report

        write_subject_report(dataclasses.replace(fit, subject=subject), points, report, force)
    return {
        "out": out,
        "subject": out,
        "rig": None,  # where it was not looked for
        **({"report": report} if report is not None else {}),
        "height_m": subject.height_m,
        "reprojection_px": fit.reprojection_px,
        "noise_correlation": fit.noise_correlation,
        **_how_sure(fit, known_segments(subject, scale_prior(height_m, settings.height_std_m))),
    }


def _rig_written(fit: SessionFit, path: Path | None, force: bool) -> Answer:
    """rig.yaml, and how far each camera was from its calibration (SD of what is left, after similarity alignment)."""
    if fit.rig is None or path is None:
        return {}
    from ..cameras.rig import save_rig

    save_rig(fit.rig.rig, path, force)
    return {"rig": path, "cameras": cameras_in_words(fit.rig)}


def cameras_in_words(rig: RigFit) -> dict[str, str]:
    """Of each camera: its correction and how sure it is."""
    import numpy as np

    found = {}
    for name, covariance in rig.covariance.items():
        std = np.sqrt(np.diagonal(covariance))
        found[name] = (
            f"moved by {rig.correction_deg[name]:.3f} deg and {1000 * rig.correction_m[name]:.1f} mm, known to "
            f"{np.degrees(np.linalg.norm(std[3:])):.3f} deg and {1000 * np.linalg.norm(std[:3]):.1f} mm"
        )
        if rig.time_offset_s[name]:
            found[name] += f", exposes {1000 * rig.time_offset_s[name]:+.1f} ms later than it says"
    return found


def _how_sure(fit: SessionFit, segments: tuple[Determined, ...]) -> Answer:
    """What the recordings said of scales, joints, segment lengths, slides and offsets."""
    offsets, slides = _of_keypoints(fit, "offset "), _of_keypoints(fit, "soft tissue ")
    scales = [one for one in fit.determined if not one.name.startswith(("offset ", "soft tissue "))]
    return {
        "segments": {one.name: f"{one.value:.3f} m, known to {1000 * one.posterior_std:.1f} mm" for one in segments},
        "determined": [_plain(one) for one in (*scales, *segments)],
        "offsets": [_plain(one) for one in offsets],
        **({"slides": [_plain(one) for one in slides]} if slides else {}),
        "hardly_determined": _doubts((*scales, *segments), {"offset": offsets, "soft tissue": slides}),
    }


def _of_keypoints(fit: SessionFit, kind: str) -> list[Determined]:
    return [one for one in fit.determined if one.name.startswith(kind)]


def _plain(one: Determined) -> dict[str, Any]:
    return {key: getattr(one, key) for key in ("name", "unit", "value", "prior_std", "posterior_std")}


def _doubts(lengths: tuple[Determined, ...], of_keypoints: dict[str, list[Determined]]) -> str:
    """What the recordings could not say, short: names of scales and segments, keypoints by number."""
    from ..recording.knowledge import in_words, keypoint_of, undetermined

    parts = list(dict.fromkeys(in_words(one.name) for one in undetermined(lengths)))
    for kind, numbers in of_keypoints.items():
        keypoints = dict.fromkeys(keypoint_of(one.name) for one in undetermined(numbers))
        if keypoints:
            shown = ", ".join(list(keypoints)[:4]) + (", ..." if len(keypoints) > 4 else "")
            plural = "offsets" if kind == "offset" else kind
            parts.append(f"{plural} of {len(keypoints)} keypoints ({shown})")
    return ", ".join(parts) or "nothing"


OF_THE_SUBJECT = (
    "frames_most",
    "height_std_m",
    "personal_joints",
    "soft_tissue",
    "refine_cameras",
    "refine_lenses",
    "refine_times",
)
"""Settings of a session that `refit` has no use for, or has as a flag of its own."""


@command("refit")
@click.argument("bag", type=PATH)
@click.option("--subject", type=PATH, help="subject.yaml of the person; without, the subject that the bag defines.")
@click.option("--out", type=PATH, required=True, help="Folder of the result bag to write.")
@click.option("--refine-cameras", is_flag=True, help="Fit the cameras' poses too, about those of the calibration.")
@keypoint_set_option
@settings_options(SessionSettings, without=OF_THE_SUBJECT)
@trial_option
@force_option
def refit(
    bag: Path,
    subject: Path | None,
    out: Path,
    refine_cameras: bool,
    keypoint_set: str | None,
    trial: str,
    force: bool,
    **options: Any,
) -> Answer:
    """Fit the best trajectory to the whole of BAG, offline: every frame set with what came before and after.

    \b
    Example:
      markerless-biomech refit walk1 --subject anna.yaml --out walk1_refit
      markerless-biomech refit walk1_live --out walk1_refit
    """
    settings = settings_from_options(SessionSettings, options | {"refine_cameras": refine_cameras})
    from ..body.subject import load_subject
    from ..devices import enable_compile_cache
    from ..keypoints import load_keypoint_set
    from ..recording.refit import refit as run

    enable_compile_cache()
    person = load_subject(subject) if subject else None
    own_set = load_keypoint_set(keypoint_set) if keypoint_set else None
    with progress_bar("refitting") as progress:
        progress(0.0, PREPARING)
        summary = run(bag, person, out, settings, force, own_set, progress, trial)
    answer = {"out": out, **vars(summary)}
    if remark := answer.pop("remark"):
        say(remark)
    return answer
