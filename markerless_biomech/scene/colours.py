"""Colours that mean the same everywhere: Okabe and Ito's, told apart by colour-blind people."""

from __future__ import annotations

from ..results import Tracking

LEFT, RIGHT, MIDDLE = "#0072B2", "#D55E00", "#009E73"
SIDE_COLOURS = {"left": LEFT, "right": RIGHT, "": MIDDLE}
TRACKING_COLOURS = {Tracking.TRACKED: "#009E73", Tracking.COASTING: "#E69F00", Tracking.LOST: "#CC3311"}

CAMERA_STATUSES = ("OK", "LATE", "STALE", "DEAD", "MOVED")
"""Words for the numbers in FittedCameras.status."""
CAMERA_COLOURS = {"OK": "#009E73", "LATE": "#D4B106", "STALE": "#E69F00", "DEAD": "#7A8288", "MOVED": "#CC3311"}
OBSERVED, INFERRED = "#F2F5F7", "#8FA3B5"
"""Points that a detector has seen; sites that only the model knows of."""
FLASH = "#F0E442"
"""A heel strike just now."""


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green, blue, each 0 to 1, of '#rrggbb'."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255.0 for start in (1, 3, 5))
    return red, green, blue
