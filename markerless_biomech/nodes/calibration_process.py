"""The process that calibrates the subject in view: frame sets in, a subject out. `calibration.py` starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..cameras.frame_sets import FrameSet
from ..devices import enable_compile_cache
from ..errors import InputError
from ..session import Determined, SessionFit, Trial, fit_session
from .calibration_messages import CalibratedSubject, CalibrationRequest, Progress, Refusal
from .second_process import serve

UNDETERMINED = 0.9
"""A parameter whose posterior std is more than this share of its prior std has not been seen by the data."""


def calibrate(request: CalibrationRequest, send: Callable[[Any], None]) -> None:
    """Fit, and say how it goes."""
    enable_compile_cache()
    trials = [
        Trial(f"stretch {n}", stretch.rig, tuple(corrected(one, request.time_offsets_s) for one in stretch.frame_sets))
        for n, stretch in enumerate(request.stretches, 1)
    ]

    def progress(share: float, words: str) -> None:
        send(Progress(share, words))

    try:
        fit = fit_session(
            trials, request.keypoint_set, request.height_m, request.name, request.settings, progress=progress
        )
    except InputError as error:
        send(Refusal(str(error)))
    else:
        send(CalibratedSubject(fit.subject, fit.reprojection_px, figures(fit)))


def corrected(frame_set: FrameSet, offsets_s: Mapping[str, float]) -> FrameSet:
    """Each camera's offset added to its stamp, as the live fit does."""
    frames = {
        name: replace(frame, stamp_ns=frame.stamp_ns + round(offsets_s.get(name, 0.0) * 1e9))
        for name, frame in frame_set.frames.items()
    }
    return replace(frame_set, frames=frames)


def figures(fit: SessionFit) -> dict[str, str]:
    """Each scale with its standard deviation, and the names of what the data could not tell."""
    known = {
        f"scale {one.name}": f"{1.0 + one.value:.3f} +- {one.posterior_std:.3f} (known before to {one.prior_std:.3f})"
        for one in fit.determined
        if not one.name.startswith("offset ")
    }
    return {
        "reprojection error [px]": f"{fit.reprojection_px:.2f}",
        **known,
        "not determined by the data": _named(fit.determined) or "nothing",
    }


def _named(determined: Sequence[Determined]) -> str:
    return ", ".join(one.name for one in determined if one.posterior_std > UNDETERMINED * one.prior_std)


if __name__ == "__main__":
    serve(calibrate)
