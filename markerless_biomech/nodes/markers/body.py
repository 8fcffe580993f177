"""The fitted body: its keypoint sites, how sure they are, whether it is tracked, and where a heel strikes just now."""

from __future__ import annotations

import numpy as np

from ...cameras.calibrated_camera import Rig
from ...results import BodyEstimate, Tracking
from ...scene.colours import FLASH, INFERRED, TRACKING_COLOURS
from ...scene.ellipsoids import ellipsoid_axes, site_covariances
from ...scene.footprints import Footprints
from .canvas import Canvas

SITE_M = 0.01
TEXT_M = 0.16
OVER_PELVIS_M = 1.05
"""Height of the words above the pelvis: over the head."""
STATUS_WORDS = {Tracking.TRACKED: "", Tracking.COASTING: "COASTING", Tracking.LOST: "LOST"}


def draw_body(canvas: Canvas, body: BodyEstimate, rig: Rig | None, sigmas: float) -> None:
    """Sites, coloured by tracking where they were observed; ellipsoids of `sigmas` standard deviations, 0: none.

    A site that is nowhere, as another's fit may say, is not drawn.
    """
    somewhere = np.isfinite(body.sites_m).all(axis=-1) & np.isfinite(body.sites_std_m)
    if body.tracking is Tracking.LOST or not somewhere.any():
        return
    colour = TRACKING_COLOURS[body.tracking]
    colours = [colour if seen else INFERRED for seen in body.site_seen[somewhere]]
    sites_m, sites_std_m = body.sites_m[somewhere], body.sites_std_m[somewhere]
    canvas.spheres("sites", sites_m, SITE_M, colours)
    if sigmas <= 0.0:
        return
    cameras_m = np.array([camera.position_m for camera in rig.cameras.values()] if rig is not None else [])
    covariances = site_covariances(sites_m, sites_std_m, cameras_m.reshape(-1, 3))
    axes_m, turns = ellipsoid_axes(covariances, sigmas)
    for number, (centre, axes, turn) in enumerate(zip(sites_m, axes_m, turns, strict=True)):
        canvas.ellipsoid("uncertainty", number, centre, axes, turn, colours[number], 0.3)


def draw_status(canvas: Canvas, body: BodyEstimate | None, silent: bool, place_m: np.ndarray) -> None:
    """COASTING or LOST in large letters over the place (3,) where the pelvis was seen last, and what keeps silent."""
    words, colour = _status(body, silent)
    canvas.text("tracking", 0, place_m + [0.0, 0.0, OVER_PELVIS_M], words, TEXT_M, colour)
    if body is not None and body.tracking is Tracking.LOST:
        canvas.disc("tracking", 1, np.array([place_m[0], place_m[1], 0.01]), 0.35, colour, 0.5)


def _status(body: BodyEstimate | None, silent: bool) -> tuple[str, str]:
    """Words and their colour."""
    if body is None:
        return "waiting for body_state", INFERRED
    if silent and body.tracking is not Tracking.LOST:  # LOST is said once
        return "body_state is silent", TRACKING_COLOURS[Tracking.LOST]
    return STATUS_WORDS[body.tracking], TRACKING_COLOURS[body.tracking]


def draw_flashes(canvas: Canvas, footprints: Footprints, now_ns: int, flash_s: float) -> None:
    """A disc that grows and fades at each heel that struck within `flash_s`."""
    for one in footprints.struck_lately(now_ns, flash_s):
        age = min(max((now_ns - one.stamp_ns) * 1e-9 / flash_s, 0.0), 1.0)
        canvas.disc(
            "heel_strikes", one.id, one.heel_m + [0, 0, 0.01], 0.05 + 0.1 * age, FLASH, round(0.9 - 0.8 * age, 1)
        )
