"""A session's report: one HTML page that carries its pictures, and the same pictures as PNG files beside it.

Needs no network, neither to be made nor to be read. Figures are drawn in `plots.py` (over time), `views.py` (the body)
and `subject_plots.py`; numbers come from `evaluation.py`; the page's look is in `report_page.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ..errors import InputError
from ..gait.norms import YOUNG_ADULTS, Norms, load_norms
from .evaluation import evaluate_bag
from .oracle import BodyOracle
from .plots import STYLE, Curves, angle_curves, angle_figure, residual_figure
from .report_files import check_page_writable, drawn, write_page
from .report_gait import cycle_figure, gait_section, walker_of
from .report_page import Picture, figures, notice, page, section
from .report_tables import camera_section, evaluation_section, joint_section, latency_section, summary_tiles
from .reprojection import CameraResiduals, reprojection_residuals
from .result_bag import RESULTS, BodyTrack, ResultBag, read_result_bag
from .views import Bone, bones, image_figure, room_figure

INSTANTS = 3
"""How many moments of the recording are shown in the cameras' images."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One instant of the shown result."""

    time_s: float
    """Since the start of the recording."""
    stamp_ns: int
    skeleton: list[Bone]
    sites_m: np.ndarray
    """(K, 3)"""


SECTIONS = {
    "skeleton": "The body in the cameras' images",
    "room": "The room",
    "angles": "Joint angles",
    "residuals": "Agreement with the keypoints",
}


def write_report(
    bag: str | Path,
    out_html: str | Path,
    title: str = "",
    force: bool = False,
    trial: str = "",
    norms: str | Path | None = YOUNG_ADULTS,
) -> Path:
    """Write the report of a bag with results, or of a trial in it, to `out_html`, pictures into a folder beside it.

    `norms` is a file of healthy people's angles (`gait/norms.py`), or None for none.
    """
    check_page_writable(Path(out_html), force)
    healthy = load_norms(norms) if norms is not None else None
    session = read_result_bag(bag, trial=trial)
    title = title or " ".join(["Motion capture report:", Path(bag).resolve().name, trial]).strip()
    return write_session_report(session, Path(out_html), title, force, healthy)


def write_session_report(
    session: ResultBag, out_html: Path, title: str, force: bool = False, norms: Norms | None = None
) -> Path:
    """The same for a bag in memory."""
    check_page_writable(out_html, force)
    results = {name: _evaluated(session, name) for name in RESULTS}
    with mpl.rc_context(STYLE):
        pictures = [drawn(*figure) for figure in _figures(session)]
        shown = shown_track(session)
        walking = walker_of(session, shown)
        cycle = cycle_figure(walking, shown, norms)
        gait = [] if cycle is None else [drawn(*cycle)]
        about_subject, subject_html = _subject(session)
    sections = [section(name, heading, figures(pictures, name)) for name, heading in SECTIONS.items()]
    if not pictures:
        sections = [notice("The subject was never tracked in this recording.")]
    sections += [
        gait_section(session, walking, gait),
        subject_html,
        evaluation_section(results),
        joint_section(results),
    ]
    sections += [latency_section(session), camera_section(results, session)]
    html = page(title, _subtitle(session), summary_tiles(session, results), sections)
    return write_page(out_html, html, [*pictures, *gait, *about_subject], force)


def _subject(session: ResultBag) -> tuple[list[Picture], str]:
    """Pictures and HTML of the section on the subject; nothing where its spread is not known."""
    if session.subject.covariance is None:
        return [], ""
    # What only calibrated subjects need: the offline fit takes a while to import.
    from .report_subject import evidence_of_bag, subject_figures, subject_section

    evidence = evidence_of_bag(session)
    if evidence is None:
        return [], ""
    pictures = [drawn(*figure) for figure in subject_figures(evidence)]
    return pictures, subject_section(evidence, pictures)


def _subtitle(session: ResultBag) -> str:
    subject = session.subject
    return (
        f"Subject {subject.name or 'without a name'}, {subject.height_m:.2f} m. Keypoint set "
        f"{session.keypoint_set.name}, {len(session.keypoint_set)} points. Bag {session.path.name}."
    )


def _evaluated(session: ResultBag, result: str) -> dict[str, Any] | None:
    try:
        return evaluate_bag(session, result)
    except InputError:
        return None


def _figures(session: ResultBag) -> list[tuple[str, str, Figure]]:
    """(name, caption, figure) in the order of the page."""
    shown = shown_track(session)
    if shown is None:
        return []
    start_ns = int(session.frame_sets_ns()[0])
    end_s = (session.frame_sets_ns()[-1] - start_ns) / 1e9
    oracle = BodyOracle(session.subject, session.keypoint_set)
    moments = _moments(session, shown, oracle, start_ns)
    return [
        *_image_figures(session, moments),
        _room(session, shown, moments),
        _angles(session, start_ns, end_s),
        _residuals(session, shown, oracle, start_ns, end_s),
    ]


def shown_track(session: ResultBag) -> BodyTrack | None:
    """The best result, without LOST frames; None: never tracked."""
    if not session.held_results():
        return None
    track = session.track()
    return track.where(track.held())


def _moments(session: ResultBag, track: BodyTrack, oracle: BodyOracle, start_ns: int) -> list[Moment]:
    """A few instants, spread over the recording."""
    rows = np.unique(np.linspace(0, len(track) - 1, INSTANTS + 2).round().astype(int)[1:-1])
    landmarks, sites = oracle.landmarks_m(track.qpos[rows]), oracle.sites_m(track.qpos[rows])
    return [
        Moment(
            time_s=(int(track.stamps_ns[row]) - start_ns) / 1e9,
            stamp_ns=int(track.stamps_ns[row]),
            skeleton=bones({name: points[i] for name, points in landmarks.items()}),
            sites_m=sites[i],
        )
        for i, row in enumerate(rows)
    ]


def _image_figures(session: ResultBag, moments: list[Moment]) -> list[tuple[str, str, Figure]]:
    """Each moment close to the subject; the middle one in the whole images as well."""
    rectified = any(frame.rectified for frames in session.keypoints.values() for frame in frames[:1])
    views = [(moment, f"skeleton_{number}", True) for number, moment in enumerate(moments, start=1)]
    views.insert(0, (moments[len(moments) // 2], "skeleton_whole_images", False))
    figures = []
    for moment, name, close in views:
        people = _people_at(session, moment.stamp_ns)
        rig = session.fitted_or_nominal_rig()
        figure = image_figure(rig, people, moment.skeleton, moment.sites_m, rectified, close)
        figures.append((name, _image_caption(moment, close), figure))
    return figures


def _image_caption(moment: Moment, close: bool) -> str:
    if close:
        return f"{moment.time_s:.2f} s after the start, the part of each image around the subject. Axes in pixels."
    return (
        f"The fitted skeleton over the 2-D keypoints of each camera, {moment.time_s:.2f} s after the start: whole "
        "images, axes in pixels. Left limbs are blue, right limbs vermilion, the trunk green. Dots are the detector's "
        "keypoints, darker where it was more confident; other people in view are grey."
    )


def _people_at(session: ResultBag, stamp_ns: int) -> dict[str, np.ndarray]:
    """(P, K, 3) keypoints of each camera's frame nearest in time, where there is one within half a frame."""
    people = {}
    for name, frames in session.keypoints.items():
        nearest = min(frames, key=lambda frame: abs(frame.stamp_ns - stamp_ns))
        if abs(nearest.stamp_ns - stamp_ns) <= session.half_frame_ns:
            people[name] = nearest.points
    return people


def _room(session: ResultBag, track: BodyTrack, moments: list[Moment]) -> tuple[str, str, Figure]:
    figure = room_figure(session.fitted_or_nominal_rig(), [moment.skeleton for moment in moments], track.qpos[:, :3])
    caption = (
        "The cameras where the calibration places them, the fitted skeleton at the moments above, and the path of the "
        "pelvis on the floor. The floor's squares are one metre wide."
    )
    return "room", caption, figure


def _angles(session: ResultBag, start_ns: int, end_s: float) -> tuple[str, str, Figure]:
    best = session.best_result()
    smooth, live, truth = (
        angle_curves(track, start_ns, session.half_frame_ns)
        for track in (None if best == "live" else session.track(best), session.live, session.truth)
    )
    lines = f"The line is the {best} result"
    if smooth and live:
        lines = f"The thick line is the {best} result, the thin one the live result"
    caption = (
        f"Joint angles in degrees over time. {lines}; the band is two standard deviations to either side, as the fit "
        "itself states them."
    )
    caption += " The dashed line is the truth of the simulation." if truth is not None else ""
    return "angles", caption, angle_figure(Curves(smooth, live, truth, best), end_s)


def _residuals(
    session: ResultBag, track: BodyTrack, oracle: BodyOracle, start_ns: int, end_s: float
) -> tuple[str, str, Figure]:
    rig = session.fitted_or_nominal_rig()
    residuals = reprojection_residuals(session, rig, track.stamps_ns, oracle.sites_m(track.qpos))
    residual_px = {name: _on_frames(len(track), one) for name, one in residuals.items()}
    frame_sets_s = (session.frame_sets_ns() - start_ns) / 1e9
    figure = residual_figure(
        (track.stamps_ns - start_ns) / 1e9, residual_px, frame_sets_s, session.frame_set_tracking(), end_s
    )
    caption = (
        "How far the fitted body's keypoints lie from the detected ones, in pixels of each camera's image. A camera "
        "whose row is brighter than the others throughout may have been moved since it was calibrated."
    )
    return "residuals", caption, figure


def _on_frames(frames: int, residuals: CameraResiduals) -> np.ndarray:
    """(F,) mean distance in one camera at each result; NaN where it has none."""
    values = np.full(frames, np.nan)
    seen = np.isfinite(residuals.distance_px).any(axis=1)
    values[residuals.rows[seen]] = np.nanmean(residuals.distance_px[seen], axis=1)
    return values
