"""Does this rig agree with what its cameras see? READ FIRST: `check_rig` is one line a step.

1. before geometry: silence, image sizes, clocks, frozen and duplicate cameras (`inputs.py`);
2. gross disagreement of pairs: exchanged cameras, mirrored worlds, wrong poses or images (`gross.py`);
3. among cameras that agree: poses a little off, time offsets, focal lengths (`fine.py`);
4. the person as a yardstick: units, up, floor, left and right (`person.py`).
What one step finds is put right before the next one looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..cameras.calibrated_camera import Rig
from ..errors import InputError
from ..keypoints import KeypointFrame, KeypointSet
from . import inputs
from .adjust import camera_medians
from .epipolar import pair_matrix
from .findings import Finding, RigCheck
from .fine import Clock, Fine, clock, clock_findings, judge, loss_width_px
from .gross import Explained, explain, limits_px, nearly_alike
from .person import floor, left_and_right, person, units, upright
from .points import Cameras, Sightings, residuals_px, sightings, standard_cameras, triangulated
from .searched import Scene, shifted
from .setup import UNTOUCHED, Setup
from .streams import Stream, blinded, common_instants, look, streams_from_frames

CLOCK_STEPS, CLOCK_ENOUGH_S = 5, 0.0005
"""Time offsets are applied and estimated again until the step is short."""

FEW_DEG = 4.0
"""A camera is said to have moved alone by less than this only where the others agree."""

FEWEST_POINTS = 100
"""Seen by two agreeing cameras; with fewer only step 1 is done."""


@dataclass
class Said:
    """Findings as they come in; a camera is not accused twice of one thing."""

    findings: list[Finding]
    spoiled: set[str] = field(default_factory=set)
    """Cameras with the wrong pictures or calibration: what geometry says of them follows from that."""
    blind: set[str] = field(default_factory=set)
    """Cameras whose pictures mean nothing."""

    def add(self, later: Iterable[Finding]) -> None:
        """What is new."""
        known = {(one.camera, one.kind) for one in self.findings}
        sizes = any(one.kind == "image_size" for one in self.findings)
        for one in later:
            again = (one.camera, one.kind) in known or (sizes and one.kind == "image_size")
            if not again and one.camera not in self.spoiled:
                self.findings.append(one)


def check_rig(
    rig: Rig, frames: Iterable[KeypointFrame], keypoint_set: KeypointSet, offsets_s: Mapping[str, float] | None = None
) -> RigCheck:
    """Check the cameras of `rig` against the frames that their detectors sent, in any order.

    `offsets_s`: known time offsets, added to the stamps. Raises InputError for a rig of fewer than two cameras.
    """
    names = tuple(rig.cameras)
    if len(names) < 2:
        raise InputError(f"the rig has {len(names)} cameras; expected at least two to compare")
    streams = streams_from_frames(frames, names, offsets_s or {})
    said, streams = _before_geometry(streams, rig)
    setup = _setup(streams, rig)
    instants_s = common_instants(streams)
    seen = [look(stream, instants_s, keypoint_set) for stream in streams]
    as_given = pair_matrix(setup, seen)
    seen = [blinded(one) if name in said.blind else one for name, one in zip(names, seen, strict=True)]
    scales = [inputs.stated_scale(stream, camera) for stream, camera in zip(streams, setup.cameras, strict=True)]
    scene = Scene(streams, instants_s, keypoint_set, scales, limits_px(seen))
    explained = explain(setup, seen, scene)
    said.add(explained.findings)
    said.findings = _sizes_judged(said.findings, explained)
    return _with_points(said, explained, scene, as_given)


def _before_geometry(streams: tuple[Stream, ...], rig: Rig) -> tuple[Said, tuple[Stream, ...]]:
    """Findings, and the streams with clocks put right."""
    cameras = tuple(rig.cameras.values())
    clock_s = inputs.clock_offsets_s(streams)
    said = Said(inputs.silent(streams) + inputs.image_sizes(streams, cameras) + inputs.clocks(streams, clock_s))
    still = inputs.frozen(streams)
    twice = inputs.duplicates(streams, cameras)
    said.findings += still + [one for pair in twice.values() for one in pair]
    names = tuple(rig.cameras)
    said.spoiled |= {one.camera for one in still} | {names[c] for pair in twice for c in pair}
    said.blind = {one.camera for one in said.findings if one.kind in ("frozen", "duplicate_pictures")}
    righted = tuple(replace(s, stamps_s=s.stamps_s + late) for s, late in zip(streams, clock_s, strict=True))
    return said, righted


def _setup(streams: tuple[Stream, ...], rig: Rig) -> Setup:
    count = len(streams)
    rectified = tuple(bool(stream.frames) and stream.frames[0].rectified for stream in streams)
    return Setup(tuple(rig.cameras.values()), (UNTOUCHED,) * count, (0.0,) * count, rectified)


def _sizes_judged(findings: list[Finding], explained: Explained) -> list[Finding]:
    """Where images of another size than stated fit as they are, only the statement is wrong."""
    after = pair_matrix(explained.setup, explained.seen)
    judged = []
    for one in findings:
        index = next((c for c, camera in enumerate(explained.setup.cameras) if camera.name == one.camera), -1)
        fits = index >= 0 and explained.agreeing[index] and np.array_equal(explained.setup.pixels[index], UNTOUCHED)
        if one.kind == "image_size" and fits and " px, its calibration is for " in one.sentence:
            one = inputs.only_stated(one, float(np.nanmedian(after[index])))
        judged.append(one)
    return judged


def _with_points(said: Said, explained: Explained, scene: Scene, as_given: np.ndarray) -> RigCheck:
    """Steps 3 and 4, where enough cameras agree."""
    names = tuple(camera.name for camera in explained.setup.cameras)
    agreeing = explained.agreeing
    frame_s = np.array([stream.period_s for stream in scene.streams])
    seen = sightings(explained.setup, explained.seen)
    nothing = np.full(len(names), np.nan)
    if len(_compared(seen, agreeing).weight) < FEWEST_POINTS:
        note = f"fewer than {FEWEST_POINTS} points are seen by two cameras that agree: residuals and scale are unknown"
        counts = (seen.weight > 0).sum(0)
        return RigCheck(
            names, tuple(said.findings), as_given, nothing, nothing, nothing, nothing, frame_s, counts, (note,)
        )
    cameras = standard_cameras(explained.setup)
    width_px = loss_width_px(cameras, _compared(seen, agreeing), agreeing)
    seen, late = _synchronised(explained, scene, cameras, seen, width_px, frame_s)
    alone = _compared(seen, agreeing)
    said.add(clock_findings(late, frame_s, names, agreeing.sum() == 2))
    fine = judge(cameras, alone, names, agreeing, width_px)
    exchanges: list[Finding] = []
    if fine.off:
        exchanges = nearly_alike(explained, scene)
    if any(one.kind == "residual" for one in fine.findings):
        said.findings = [_not_alone(one, as_given, names) for one in said.findings]
    said.add(exchanges or fine.findings)
    # An exchange explains where the person seems to stand as well.
    said.add([] if exchanges else _by_person(fine, alone, scene.keypoint_set))
    residual_px = _residuals_of_all(cameras, seen, alone, fine)
    counts = (seen.weight > 0).sum(0)
    return RigCheck(
        names, tuple(said.findings), as_given, residual_px, fine.refined_px, late.offset_s, late.std_s, frame_s, counts
    )


def _not_alone(finding: Finding, as_given: np.ndarray, names: tuple[str, ...]) -> Finding:
    """Where the others are off as well, a camera a few degrees off has not moved alone."""
    if finding.kind != "moved" or finding.value > FEW_DEG:
        return finding
    distance_px = float(np.nanmedian(as_given[names.index(finding.camera)]))
    text = (
        f"{finding.camera} disagrees with the others by {distance_px:.0f} px (epipolar, median), and they among each "
        "other by more than the detector's noise; refine the calibration (calibrate --refine-cameras), or calibrate again."
    )
    return Finding(finding.camera, "residual", distance_px, "px", text)


def _synchronised(
    explained: Explained, scene: Scene, cameras: Cameras, seen: Sightings, width_px: float, frame_s: np.ndarray
) -> tuple[Sightings, Clock]:
    """Sightings with late cameras' stamps put right, step by step: noise in the velocities makes each too short."""
    total = None
    views, lags_s = list(explained.seen), np.array(explained.setup.lags_s)
    for _ in range(CLOCK_STEPS):
        step = clock(cameras, _compared(seen, explained.agreeing), explained.agreeing, width_px, frame_s)
        total = step if total is None else Clock(total.offset_s + step.offset_s, step.std_s, total.late)
        if not total.late.any() or np.nanmax(np.abs(step.offset_s[total.late])) < CLOCK_ENOUGH_S:
            break
        for c in np.flatnonzero(total.late):
            lags_s[c] += step.offset_s[c]
            views[c] = shifted(scene, int(c), float(lags_s[c]), scene.instants_s)
        seen = sightings(explained.setup, views)
    assert total is not None
    return seen, total


def _compared(seen: Sightings, agreeing: np.ndarray) -> Sightings:
    """Only the agreeing cameras' points, those that two of them see."""
    seen = seen.only(agreeing)
    two = (seen.weight > 0).sum(1) >= 2
    return replace(
        seen,
        x=seen.x[two],
        velocity=seen.velocity[two],
        weight=seen.weight[two],
        instant=seen.instant[two],
        keypoint=seen.keypoint[two],
    )


def _residuals_of_all(cameras: Cameras, seen: Sightings, alone: Sightings, fine: Fine) -> np.ndarray:
    """(C,) px; of cameras that do not agree, against the points of those that do."""
    if len(seen.weight) != len(alone.weight):
        return fine.reprojection_px
    points = triangulated(cameras, alone, fine.width_px)
    others = camera_medians(np.linalg.norm(residuals_px(cameras, seen, points), axis=-1), seen.weight)
    return np.where(np.isfinite(fine.reprojection_px), fine.reprojection_px, others)


def _by_person(fine: Fine, seen: Sightings, keypoint_set: KeypointSet) -> list[Finding]:
    """Step 4."""
    cameras = fine.best.cameras
    points = triangulated(cameras, seen, fine.width_px)
    size = np.linalg.norm(residuals_px(cameras, seen, points), axis=-1)
    good = ((size < 3.0 * fine.width_px) & (seen.weight > 0)).sum(1) >= 2
    somebody = person(cameras, seen, points, good, keypoint_set)
    found = units(somebody)
    if not found:
        found += upright(somebody)
        if not found:
            found += floor(somebody)
    return found + left_and_right(somebody)
