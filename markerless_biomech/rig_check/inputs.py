"""What can be told before any geometry: image sizes, clocks, silence, pictures that stand still or come twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..cameras.association import CONFIDENT
from ..cameras.calibrated_camera import Camera
from .findings import Finding
from .streams import Stream

MOST_OUTSIDE = 0.1
"""Share of sure points outside of the stated image; detectors guess a few a little outside."""

MARGIN = 0.05
"""Share of the image's size by which a point may lie outside."""

FROZEN_SHARE = 0.5
"""Share of frames that repeat the one before exactly. A detector's noise never does; one that is asked twice for a
picture (a camera slower than its driver says) repeats less than that."""

SAME_SHARE = 0.5
"""Share of frames that two cameras have in common, bit for bit."""

CLOCK_S = 0.25
"""Difference of (stamp - arrival) beyond what transport and detector take."""

SAME_PLACE_M, SAME_DIRECTION_DEG = 1e-3, 0.05
"""Two calibrations closer than this are one: the two lenses of a stereo camera are 20 mm apart or more."""


def silent(streams: Sequence[Stream]) -> list[Finding]:
    """Cameras that sent nothing, or never a person."""
    found = []
    for stream in streams:
        seen = sum(bool(len(frame.points) and (frame.points[..., 2] >= CONFIDENT).any()) for frame in stream.frames)
        if seen == 0:
            what = "sent no keypoints" if not stream.frames else f"saw nobody in {len(stream.frames)} frames"
            text = f"{stream.camera} {what}, so that nothing can be said of it; check its detector and topic names."
            found.append(Finding(stream.camera, "silent", float(len(stream.frames)), "frames", text))
    return found


def image_sizes(streams: Sequence[Stream], cameras: Sequence[Camera]) -> list[Finding]:
    """Detector's image size against the calibration's, and points outside of the image."""
    found = []
    for stream, camera in zip(streams, cameras, strict=True):
        stated = _stated_size(stream)
        if stated not in ((0, 0), (camera.width, camera.height)):
            found.append(_wrong_size(stream.camera, stated, (camera.width, camera.height)))
        else:
            found += _outside(stream, camera)
    return found


def stated_scale(stream: Stream, camera: Camera) -> tuple[float, float] | None:
    """Calibrated over stated image size by axis, where they differ."""
    width, height = _stated_size(stream)
    if not width or not height or (width, height) == (camera.width, camera.height):
        return None
    return camera.width / width, camera.height / height


def only_stated(finding: Finding, distance_px: float) -> Finding:
    """The same finding where the points turn out to fit the calibration as they are."""
    what = finding.sentence.rsplit(" px, ", 1)[0]
    text = (
        f"{what} px, but its points fit the calibration as they are (epipolar distance {distance_px:.1f} px): only the "
        "stated size is wrong; correct width and height where they are written."
    )
    return replace(finding, sentence=text)


def _stated_size(stream: Stream) -> tuple[int, int]:
    sizes = [frame.size_px for frame in stream.frames if all(frame.size_px)]
    return max(set(sizes), key=sizes.count) if sizes else (0, 0)


def _wrong_size(name: str, stated: tuple[int, int], calibrated: tuple[int, int]) -> Finding:
    factor = stated[0] / calibrated[0]
    if stated == calibrated[::-1]:
        what = "portrait and landscape are exchanged; calibrate the images as the detector sees them, or turn them back"
    elif abs(factor - stated[1] / calibrated[1]) < 0.01 * factor:
        what = f"a factor of {factor:.4g}; multiply fx, fy, cx and cy by it, or scale the detector's points back"
    else:
        what = "another shape of image: cropped or stretched; calibrate at the detector's image size"
    text = (
        f"{name} has the wrong image size: its detector works on {stated[0]} x {stated[1]} px, its calibration is for "
        f"{calibrated[0]} x {calibrated[1]} px, {what}."
    )
    return Finding(name, "image_size", factor, "", text)


def _outside(stream: Stream, camera: Camera) -> list[Finding]:
    points = np.concatenate([frame.points.reshape(-1, 3) for frame in stream.frames]) if stream.frames else None
    if points is None or not (points[:, 2] >= CONFIDENT).any():
        return []
    size = np.array([camera.width, camera.height])
    sure = points[points[:, 2] >= CONFIDENT, :2]
    share = float(((sure < -MARGIN * size) | (sure > (1 + MARGIN) * size)).any(1).mean())
    if share <= MOST_OUTSIDE:
        return []
    far = np.percentile(sure, 99, axis=0)
    text = (
        f"{stream.camera} has the wrong image size: {share:.0%} of its points lie outside of the {size[0]} x {size[1]} "
        f"px of its calibration (they reach to {far[0]:.0f}, {far[1]:.0f} px); calibrate at the detector's image size, "
        "or scale its points."
    )
    return [Finding(stream.camera, "image_size", share, "", text)]


def frozen(streams: Sequence[Stream]) -> list[Finding]:
    """Cameras whose pictures stand still while others' move."""
    shares = np.array([_repeats(stream) for stream in streams])
    found = []
    if (shares <= FROZEN_SHARE).any():
        for stream, share in zip(streams, shares, strict=True):
            if share > FROZEN_SHARE:
                text = (
                    f"{stream.camera} is frozen: {share:.0%} of its frames repeat the one before to the last digit "
                    "while others move; restart the camera or its detector."
                )
                found.append(Finding(stream.camera, "frozen", float(share), "", text))
    return found


def _repeats(stream: Stream) -> float:
    prints = [frame.points.tobytes() for frame in stream.frames if len(frame.points)]
    if len(prints) < 5:
        return 0.0
    return sum(a == b for a, b in zip(prints, prints[1:], strict=False)) / (len(prints) - 1)


def duplicates(streams: Sequence[Stream], cameras: Sequence[Camera]) -> dict[tuple[int, int], list[Finding]]:
    """Two names for the same pictures, or one calibration given to two cameras; by pair, the later one is named."""
    found = {}
    for b in range(len(streams)):
        for a in range(b):
            pair = _same_pictures(streams[a], streams[b]) + _same_calibration(cameras[a], cameras[b])
            if pair:
                found[a, b] = pair
    return found


def _same_pictures(a: Stream, b: Stream) -> list[Finding]:
    prints = [{frame.points.tobytes() for frame in stream.frames if len(frame.points)} for stream in (a, b)]
    fewest = min(map(len, prints))
    share = len(prints[0] & prints[1]) / fewest if fewest >= 3 else 0.0
    if share <= SAME_SHARE:
        return []
    text = (
        f"{b.camera} is a duplicate of {a.camera}: {share:.0%} of their keypoints are the same to the last digit; "
        "one camera is published under two names, so correct the topic or the device number of one."
    )
    return [Finding(b.camera, "duplicate_pictures", share, "", text)]


def _same_calibration(a: Camera, b: Camera) -> list[Finding]:
    apart_m = float(np.linalg.norm(a.position_m - b.position_m))
    cosine = (np.trace(a.world_from_camera[0].T @ b.world_from_camera[0]) - 1.0) / 2.0
    turn_deg = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    if apart_m > SAME_PLACE_M or turn_deg > SAME_DIRECTION_DEG:
        return []
    text = (
        f"{b.name} has the same calibration as {a.name} ({1000 * apart_m:.1f} mm and {turn_deg:.2f} deg apart); "
        "two cameras cannot stand in one place, so give each its own."
    )
    return [Finding(b.name, "duplicate_calibration", 1000 * apart_m, "mm", text)]


def clock_offsets_s(streams: Sequence[Stream]) -> np.ndarray:
    """(C,) what to add to each camera's stamps, from the times of receipt; 0 where the clocks agree within CLOCK_S."""
    ahead = [
        np.median([(frame.stamp_ns - frame.arrival_ns) * 1e-9 for frame in stream.frames]) if stream.frames else np.nan
        for stream in streams
    ]
    if not np.isfinite(ahead).any():
        return np.zeros(len(streams))
    known = np.array(ahead)[np.isfinite(ahead)]
    off = np.array(ahead) - (known[0] if len(known) == 2 else np.median(known))
    return np.where(np.abs(np.nan_to_num(off)) > CLOCK_S, -np.nan_to_num(off), 0.0)


def clocks(streams: Sequence[Stream], offsets_s: np.ndarray) -> list[Finding]:
    """Cameras whose stamps come from another clock."""
    found = []
    for stream, offset_s in zip(streams, offsets_s, strict=True):
        if offset_s:
            way = "behind" if offset_s > 0 else "ahead of"
            text = (
                f"{stream.camera} has a time offset: its stamps are {1e3 * abs(offset_s):.0f} ms {way} the other "
                "cameras', measured by the times of receipt; synchronise its clock (chrony, PTP)."
            )
            found.append(Finding(stream.camera, "time_offset", 1e3 * float(offset_s), "ms", text))
    return found
