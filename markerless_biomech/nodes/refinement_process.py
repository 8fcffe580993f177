"""The process that refines the rig: batches of frame sets in, rigs out, until the node closes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..devices import enable_compile_cache
from ..rig_refinement import Batch, RigRefiner
from .calibration_process import corrected
from .refinement_messages import Refined, Refinement
from .second_process import serve_all


def refine() -> Callable[[Any, Callable[[Any], None]], None]:
    """What answers one request after the other."""
    enable_compile_cache()
    refiner, knowledge, offsets_s = None, None, {}

    def answer(request: Any, send: Callable[[Any], None]) -> None:
        nonlocal refiner, knowledge, offsets_s
        if isinstance(request, Refinement):
            refiner = RigRefiner(request.reference, request.subject, request.keypoint_set, request.half_life_s)
            knowledge, offsets_s = refiner.nothing(), request.time_offsets_s
            return
        assert isinstance(request, Batch) and refiner is not None and knowledge is not None
        frame_sets = tuple(corrected(frame_set, offsets_s) for frame_set in request.frame_sets)
        knowledge, fit = refiner.take(knowledge, replace(request, frame_sets=frame_sets))
        send(Refined(fit))

    return answer


if __name__ == "__main__":
    serve_all(refine())
