"""What steps leave behind: footprints with step length and width, and the line of progression."""

from __future__ import annotations

from ...scene.colours import INFERRED, OBSERVED, SIDE_COLOURS
from ...scene.footprints import Footprints
from .canvas import Canvas

TEXT_M = 0.06
ABOVE_FLOOR_M = 0.004


def draw_steps(canvas: Canvas, footprints: Footprints, foot_length_m: float) -> None:
    """Every footprint that is kept; paler while its time is provisional."""
    raised = [0.0, 0.0, ABOVE_FLOOR_M]
    for one in footprints.prints:
        alpha = 0.9 if one.final else 0.5
        canvas.triangles("footprints", one.id, one.triangles_m(foot_length_m) + raised, SIDE_COLOURS[one.side], alpha)
        above = one.middle_m(foot_length_m) + [0.0, 0.0, 0.1]
        canvas.text("step_sizes", one.id, above, one.words(), TEXT_M, OBSERVED)
    for number, path in enumerate(footprints.progression_m()):
        canvas.path("progression", number, path + raised, 0.012, INFERRED)
