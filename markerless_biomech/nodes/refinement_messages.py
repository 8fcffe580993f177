"""What the node and the process that refines the rig say to each other, besides batches. In a module of their own: what
the module that runs as the process defines has another name there."""

from __future__ import annotations

from dataclasses import dataclass

from ..body.subject import Subject
from ..cameras.calibrated_camera import Rig
from ..cameras.refinement import RigFit
from ..keypoints import KeypointSet


@dataclass(frozen=True, eq=False)
class Refinement:
    """The first thing that is sent: what batches are fitted with."""

    reference: Rig
    subject: Subject
    keypoint_set: KeypointSet
    half_life_s: float
    time_offsets_s: dict[str, float]


@dataclass(frozen=True, eq=False)
class Refined:
    """The answer to each batch."""

    fit: RigFit | None
    """None: the batch said nothing new."""
