"""The report's section 'Subject': how long the segments are and how sure that is, where the keypoints sit on the body,
which of them and which cameras disagree, and the worst frames. Of a bag with results, or of an offline fit's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ..body.scaling import neutral_qpos
from ..body.soft_tissue import sliding_keypoints
from ..body.subject import Subject
from ..keypoints import KeypointSet
from ..results import Tracking
from ..session import Determined, SessionFit
from .evaluation import CONFIDENT
from .knowledge import (
    in_words,
    keypoint_of,
    known_personal,
    known_scales,
    known_segments,
    known_slides,
    scale_prior,
    undetermined,
)
from .oracle import BodyOracle
from .plots import LEFT, RIGHT, STYLE
from .report_files import check_page_writable, drawn, write_page
from .report_page import Picture, Tile, figures, page, paragraph, section, table
from .reprojection import reprojection_residuals
from .result_bag import ResultBag
from .subject_plots import OFFSETS_TIMES, Panel, interval_figure, offset_figure, site_residual_figure
from .views import bones
from .worst_frames import TrialResiduals, WorstFrame, worst_frames


@dataclass(frozen=True, eq=False)
class SubjectEvidence:
    """A subject with a covariance, and how the keypoints of some trials agree with it."""

    subject: Subject
    keypoint_set: KeypointSet
    cameras: tuple[str, ...]
    trials: tuple[TrialResiduals, ...]

    def residual_px(self) -> np.ndarray:
        """(F, C, K) of all trials; NaN: no point."""
        return np.concatenate([trial.residual_px for trial in self.trials])


def evidence_of_fit(fit: SessionFit, keypoint_set: KeypointSet) -> SubjectEvidence:
    """Of what `calibrate` found."""
    trials = []
    for trial in fit.trials:
        stamps_ns = np.array([body.stamp_ns for body in trial.bodies], dtype=np.int64)
        tracking = np.array([int(body.tracking) for body in trial.bodies])
        times_s = (stamps_ns - stamps_ns[:1]) / 1e9
        trials.append(TrialResiduals(trial.name, times_s, tracking, trial.residual_px))
    return SubjectEvidence(fit.subject, keypoint_set, fit.cameras, tuple(trials))


def evidence_of_bag(session: ResultBag) -> SubjectEvidence | None:
    """Of a bag's best result; None where nobody was tracked or the subject's spread is not known."""
    if session.subject.covariance is None or not session.held_results():
        return None
    track = session.track()
    held = track.where(track.held())
    sites_m = BodyOracle(session.subject, session.keypoint_set).sites_m(held.qpos)
    residuals = reprojection_residuals(session, session.fitted_or_nominal_rig(), held.stamps_ns, sites_m)
    cameras = tuple(session.rig)
    residual_px = np.full((len(track), len(cameras), len(session.keypoint_set)), np.nan)
    frames = np.flatnonzero(track.held())
    for name, one in residuals.items():
        distance_px = np.where(one.confidence >= CONFIDENT, one.distance_px, np.nan)
        residual_px[frames[one.rows], cameras.index(name)] = distance_px
    times_s = (track.stamps_ns - session.frame_sets_ns()[0]) / 1e9
    trial = TrialResiduals(session.path.name, times_s, track.tracking, residual_px)
    return SubjectEvidence(session.subject, session.keypoint_set, cameras, (trial,))


def subject_figures(evidence: SubjectEvidence) -> list[tuple[str, str, Figure]]:
    """(name, caption, figure) of the section, in its order."""
    subject, keypoint_set = evidence.subject, evidence.keypoint_set
    made = [_intervals(subject), *_own_joints(subject), *_soft_tissue(subject, keypoint_set)]
    if any(np.any(offset_m) for offset_m in subject.offsets_m.values()):
        made.append(_offsets(subject, keypoint_set))
    residual_px = evidence.residual_px()
    if np.isfinite(residual_px).any():
        made.append(_site_residuals(residual_px, evidence))
    return made


def _intervals(subject: Subject) -> tuple[str, str, Figure]:
    prior = scale_prior(subject.height_m)
    caption = (
        f"Dots with lines: this person, with 95 % intervals. Grey bands: 95 % of people of {subject.height_m:.2f} m. "
        "Blue left, vermilion right, green middle. A hollow dot is a number that the recordings hardly determined. "
        "Scale factors stretch a body segment beyond the overall size; lengths follow from them."
    )
    usual = "what is usual at this stature"
    panels = (
        Panel("Scale factors", known_scales(subject, prior), 100.0, "%", usual),
        Panel("Segment lengths", known_segments(subject, prior), 1000.0, "mm", usual, absolute=True),
    )
    return "subject_scales", caption, interval_figure(panels)


def _own_joints(subject: Subject) -> list[tuple[str, str, Figure]]:
    """None where the joints are the base model's."""
    known = known_personal(subject)
    if not known:
        return []
    caption = (
        "Joint centres and axes of this person's own, against the base model's, drawn as above. calibrate keeps them "
        "only where cameras that were left out are foretold better with them."
    )
    panels = (
        Panel("Hip centres", [one for one in known if one.unit == "m"], 1000.0, "mm"),
        Panel("Tilts of axes and pelvis", [one for one in known if one.unit == "rad"], float(np.degrees(1.0)), "°"),
    )
    return [("subject_joints", caption, interval_figure(panels))]


def _soft_tissue(subject: Subject, keypoint_set: KeypointSet) -> list[tuple[str, str, Figure]]:
    """None where no skin slides."""
    known = known_slides(subject, keypoint_set)
    if not known:
        return []
    caption = (
        "How far the skin under keypoints on thighs and shanks slides for each radian (57 degrees) that the hip or the "
        "knee above it is flexed, drawn as above. Forward, left and up are the segment's own, upright. calibrate keeps "
        "these numbers only where cameras that were left out are foretold better with them."
    )
    bodies = {keypoint_set.names[index]: keypoint_set.bodies[index] for index in sliding_keypoints(keypoint_set)}
    panels = []
    for side, title, colour in (("r", "Right leg", RIGHT), ("l", "Left leg", LEFT)):
        own = [one for one in known if bodies[keypoint_of(one.name)].endswith(f"_{side}")]
        panels.append(Panel(title, own, 1000.0, "mm/rad", "skin that stays", colour=colour))
    return [("subject_soft_tissue", caption, interval_figure(panels))]


def _offsets(subject: Subject, keypoint_set: KeypointSet) -> tuple[str, str, Figure]:
    qpos = neutral_qpos(subject)[None]
    subject = replace(subject, soft_tissue_m_per_rad={})
    oracle = BodyOracle(replace(subject, offsets_m={}), keypoint_set)
    used = [index for index, body in enumerate(keypoint_set.bodies) if body]
    sites_m = oracle.sites_m(qpos)[0, used]
    offsets_m = BodyOracle(subject, keypoint_set).sites_m(qpos)[0, used] - sites_m
    skeleton = bones({name: points[0] for name, points in oracle.landmarks_m(qpos).items()})
    caption = (
        "Where the detector sees each keypoint on this person, against where the keypoint set's file places it: arrows "
        f"from the file's place, {OFFSETS_TIMES:g} times as long as the offsets are. The person stands upright, facing "
        "the reader at the left (their left is at the right) and seen from their right side at the right."
    )
    return (
        "subject_offsets",
        caption,
        offset_figure(skeleton, sites_m, offsets_m, [keypoint_set.names[i] for i in used]),
    )


def _site_residuals(residual_px: np.ndarray, evidence: SubjectEvidence) -> tuple[str, str, Figure]:
    used = [index for index, body in enumerate(evidence.keypoint_set.bodies) if body]
    flat = residual_px[:, :, used]
    median_px = np.full(flat.shape[1:], np.nan)
    seen = np.isfinite(flat).any(axis=0)
    median_px[seen] = np.nanmedian(flat[:, seen], axis=0)
    caption = (
        "Median distance of each keypoint from the fitted body, in pixels of each camera's image. A bright column is a "
        "keypoint that the detector places elsewhere than the body allows; a bright row is a camera to be checked."
    )
    names = [evidence.keypoint_set.names[index] for index in used]
    return "subject_residuals", caption, site_residual_figure(median_px, evidence.cameras, names)


def subject_section(evidence: SubjectEvidence, pictures: Sequence[Picture]) -> str:
    """HTML of the section; `pictures` are those of `subject_figures`, among others."""
    return section(
        "subject", "Subject", figures(pictures, "subject"), _in_doubt(evidence.subject), _worst_table(evidence)
    )


def _in_doubt(subject: Subject) -> str:
    """HTML of the sentence on what the recordings could not say."""
    prior = scale_prior(subject.height_m)
    doubtful = undetermined(known_segments(subject, prior))
    if not doubtful:
        return paragraph("The recordings determined the length of every segment.")
    return paragraph(f"The recordings hardly determined the length of {_listed(doubtful)}: move more, in more views.")


def _listed(known: Sequence[Determined]) -> str:
    return ", ".join(in_words(one.name) for one in known)


def _worst_table(evidence: SubjectEvidence) -> str:
    worst = worst_frames(evidence.trials, evidence.cameras, evidence.keypoint_set.names)
    if not worst:
        return ""
    several = len(evidence.trials) > 1
    rows = [[*([one.trial] * several), _when(one), _pixels(one), one.reason] for one in worst]
    head = [*(["recording"] * several), "time, s", "mean residual, px", "what is the matter"]
    return "<h3>Worst frames</h3>" + table(head, rows)


def _when(one: WorstFrame) -> str:
    return f"{one.start_s:.2f}" if one.end_s <= one.start_s else f"{one.start_s:.2f} – {one.end_s:.2f}"


def _pixels(one: WorstFrame) -> str:
    return f"{one.residual_px:.1f}" if np.isfinite(one.residual_px) else "–"


def write_subject_report(fit: SessionFit, keypoint_set: KeypointSet, out_html: Path, force: bool = False) -> Path:
    """A page of this section alone, for what `calibrate` found."""
    check_page_writable(out_html, force)
    evidence = evidence_of_fit(fit, keypoint_set)
    with mpl.rc_context(STYLE):
        pictures = [drawn(*figure) for figure in subject_figures(evidence)]
    subject = fit.subject
    subtitle = f"Found in {', '.join(trial.name for trial in fit.trials)}. Keypoint set {keypoint_set.name}."
    html = page(f"Subject {subject.name}", subtitle, _tiles(evidence, fit), [subject_section(evidence, pictures)])
    return write_page(out_html, html, pictures, force)


def _tiles(evidence: SubjectEvidence, fit: SessionFit) -> list[Tile]:
    tracking = np.concatenate([trial.tracking for trial in evidence.trials])
    spread_mm = 1000 * np.median([one.posterior_std for one in known_segments(fit.subject, scale_prior(None))])
    return [
        Tile(f"{fit.subject.height_m:.2f} m", "stature"),
        Tile(str(len(evidence.trials)), "recording" + "s" * (len(evidence.trials) > 1)),
        Tile(str(int((tracking == Tracking.TRACKED).sum())), "frame sets fitted"),
        Tile(f"{fit.reprojection_px:.1f} px", "mean reprojection error"),
        Tile(f"{spread_mm:.1f} mm", "standard deviation of a segment's length, median"),
    ]
