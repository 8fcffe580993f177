"""The whole body over a recording: where its bodies, its points and its centre of mass are at every instant.

In blocks of fixed length, so that one compiled program serves recordings of any length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.base import base_sites
from ..body.inertias import centres_of_mass_m, segment_masses_kg
from ..body.model import body_parameters, body_poses
from ..body.subject import Subject
from ..keypoints import KeypointSet
from ..rotations import matrix_from_xyzw, xyzw_from_wxyz

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class BodyPath:
    """Bodies of one subject at F instants; B = 22, the world first."""

    subject: Subject
    origins_m: np.ndarray
    """(F, B, 3) in world."""
    turns: np.ndarray
    """(F, B, 3, 3) world_from_body."""

    def points_m(self, landmarks: KeypointSet) -> np.ndarray:
        """(F, K, 3) points that are fixed to bodies, such as landmarks of the base model, in world."""
        parameters = body_parameters(self.subject, landmarks)
        body, place_m = np.asarray(parameters.site_body), np.asarray(parameters.site_pos, float)
        return self.origins_m[:, body] + np.einsum("fkij,kj->fki", self.turns[:, body], place_m)

    def centre_of_mass_m(self) -> np.ndarray:
        """(F, 3) of the whole body in world; segment masses and centres of de Leva (1996)."""
        centres = self.origins_m[:, 1:] + np.einsum("fbij,bj->fbi", self.turns[:, 1:], centres_of_mass_m(self.subject))
        return np.einsum("b,fbi->fi", segment_masses_kg(1.0), centres)


def body_path(subject: Subject, qpos: np.ndarray) -> BodyPath:
    """At poses (F, 41)."""
    parameters = body_parameters(subject, base_sites(("vertex",)))
    blocks = []
    for start in range(0, len(qpos), _BLOCK):
        block = qpos[start : start + _BLOCK].astype(np.float32)
        padded = np.concatenate([block, np.repeat(block[-1:], _BLOCK - len(block), axis=0)])
        blocks.append([np.asarray(part, float)[: len(block)] for part in body_poses(parameters, padded)])
    origins, quaternions = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return BodyPath(subject, origins, matrix_from_xyzw(xyzw_from_wxyz(quaternions)))
