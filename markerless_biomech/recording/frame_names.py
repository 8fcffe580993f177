"""Names of the frames that we publish: whoever publishes one and whoever leaves it out must mean the same."""

from __future__ import annotations


def fitted_frame(optical_frame: str, prefix: str) -> str:
    """Of a camera as it was found, under our prefix, which the frame of a rig file has already."""
    return f"{prefix}{optical_frame.removeprefix(prefix)}_fitted"
