"""The floor from the feet of whoever walks on it: levels a rig whose floor is not z = 0.

The feet's keypoints are triangulated robustly, without a skeleton. Where one of them rests for a tenth of a second it
is taken for standing on the floor, as high above it as on the base model's standing foot; the floor is the plane that
most of these places agree on (Geman-McClure's loss, first wide, then narrow). Up is where the trunk is from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from ..body.model import NEUTRAL_QPOS
from ..body.subject import subject_from_height
from ..cameras.association import Rays, triangulate
from ..cameras.calibrated_camera import Rig
from ..cameras.camera import undistort
from ..cameras.levelling import rotation_to_z, turned
from ..cameras.rig import camera_arrays
from ..errors import InputError
from ..keypoints import KeypointSet
from .oracle import BodyOracle
from .recorded_session import RecordedSession
from .trials import trial_from_session

FEET, TRUNK = ("talus", "calcn", "toes"), ("pelvis", "torso", "humerus")
"""Segments whose keypoints tell where the floor is, and which way is up."""

TYPICAL_HEIGHT_M = 1.72
"""Stature for the height of keypoints above the sole; 10 % of it changes an ankle's by 8 mm, a toe's by 2 mm."""

RESTING_SPEED_M_S, RESTING_TIME_S = 0.2, 0.1
"""Slower than this, and for as long, a point rests. Triangulated points jitter by 1 to 2 cm, so slower is not seen."""

AGREEING_M = 0.05
"""Lines of sight that miss a point by more (median) say nothing about the floor."""

LOSS_SCALES_M = (0.3, 0.15, 0.08, 0.05, 0.03, 0.03, 0.03, 0.03)
"""Of Geman-McClure's loss, one iteration each: feet on their toes or on a step are further off than the last."""

LEAST_STD_M = 0.008
"""Of a resting place's height: skin, shoes and the detector are not better than this."""

ABOVE_SOLE_STD_M = {"talus": 0.015, "calcn": 0.008, "toes": 0.006}
"""Between people and detectors, of a keypoint's height above the sole, by its segment; the same at every place."""

FROM_Z_STD_RAD, FROM_TRUNK_STD_RAD = np.radians(2.0), np.radians(5.0)
"""What is known of the floor's tilt against the world's z, or against a trunk: holds it where nobody walked."""

UP_AGREES_DEG = 20.0
"""The trunk leans less than this; a world's z further from it is no vertical."""

FEWEST_PLACES = 3

FRAMES_AT_ONCE = 1000

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Floor:
    """A plane in a rig's world, and how well it is known."""

    normal: np.ndarray
    """(3,) unit vector, up."""
    offset_m: float
    """Of the plane along its normal: normal . p = offset."""
    places: int
    """Resting places of foot keypoints that agree on it, of `places_seen`."""
    places_seen: int
    residual_m: float
    """Median distance of all of them from the plane."""
    tilt_std_rad: float
    """Of the normal, in its worst direction."""
    height_std_m: float
    """Of the plane, below the middle of the resting places."""

    @property
    def tilt_deg(self) -> float:
        """Between the normal and z."""
        return float(np.degrees(np.arccos(np.clip(self.normal[2], -1.0, 1.0))))

    @property
    def sentence(self) -> str:
        """In one line."""
        side = "above" if self.offset_m > 0 else "below"
        return (
            f"the floor was tilted by {self.tilt_deg:.2f} deg (known to {np.degrees(self.tilt_std_rad):.2f}) and "
            f"{1e3 * abs(self.offset_m):.0f} mm {side} the origin (known to {1e3 * self.height_std_m:.0f}), by "
            f"{self.places} of {self.places_seen} places where feet rested"
        )

    def level(self, rig: Rig) -> Rig:
        """The rig in a world whose z is up and whose floor is z = 0."""
        return turned(rig, _to_z(self.normal), np.array([0.0, 0.0, -self.offset_m]))


def floor_from_feet(session: RecordedSession, rig: Rig | None = None, progress: Progress = lambda _: None) -> Floor:
    """The floor in the world of `rig` (None: the recording's own), from the keypoints of `session`.

    Raises InputError where no feet rest in view of two cameras, with what to record instead.
    """
    rig = _same_cameras(session, rig or session.rig)
    keypoint_set = session.keypoint_set
    feet, trunk = _on(keypoint_set, FEET), _on(keypoint_set, TRUNK)
    if not feet.any() or not trunk.any():
        raise InputError(
            f"{session.path}: the keypoint set '{keypoint_set.name}' has no points on the feet and the trunk; "
            "the floor comes from ankles, heels or toes"
        )
    stamps_s, points_m, known = _triangulated(session, rig, progress)
    up, up_std_rad = _up(points_m, known, feet, trunk, str(session.path))
    places = _resting_places(stamps_s, points_m, known, feet)
    if len(places) < FEWEST_PLACES:
        raise InputError(
            f"{session.path}: feet rest at {len(places)} places in view of two cameras; record somebody who stands and "
            "walks about slowly for ten seconds, and check the rig (check-rig) if somebody does"
        )
    points, rows = np.array([place for place, _ in places]), [keypoint for _, keypoint in places]
    above_std_m = np.mean([ABOVE_SOLE_STD_M[_segment(keypoint_set.bodies[row])] for row in rows])
    return plane(points, _heights_above_sole_m(keypoint_set)[rows], up, up_std_rad, float(above_std_m))


def _same_cameras(session: RecordedSession, rig: Rig) -> Rig:
    """The rig's cameras that the recording has. Raises InputError where fewer than two are."""
    common = [name for name in session.cameras if name in rig.cameras]
    if len(common) < 2:
        raise InputError(
            f"{session.path}: has keypoints of {', '.join(session.cameras)}, but the rig has {', '.join(rig.cameras)}; "
            "expected at least two cameras of the same name"
        )
    return replace(rig, cameras={name: rig.cameras[name] for name in common})


def _on(keypoint_set: KeypointSet, segments: tuple[str, ...]) -> np.ndarray:
    """(K,) keypoints in use on the named segments of either side."""
    return np.isin([_segment(body) for body in keypoint_set.bodies], segments) & (keypoint_set.weights > 0)


def _segment(body: str) -> str:
    """Its name without the side."""
    return body.removesuffix("_r").removesuffix("_l")


def _triangulated(session: RecordedSession, rig: Rig, progress: Progress) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stamps (F,), points (F, K, 3) in world and whether they are known (F, K), of the surest person of each image."""
    own = replace(session, rig=rig, frames=[frame for frame in session.frames if frame.camera in rig.cameras])
    sets = trial_from_session(own).frame_sets
    names = tuple(rig.cameras)
    seen = np.zeros((len(sets), len(names), len(session.keypoint_set), 3), np.float32)
    for row, frame_set in enumerate(sets):
        for name, frame in frame_set.frames.items():
            if len(frame.points):
                seen[row, names.index(name)] = frame.points[np.argmax(frame.points[..., 2].sum(axis=1))]
    rectified = {frame.camera: frame.rectified for frame in own.frames}
    parts = []
    for start in range(0, len(sets), FRAMES_AT_ONCE):
        parts.append(_points(rig, seen[start : start + FRAMES_AT_ONCE], rectified))
        progress(min(1.0, (start + FRAMES_AT_ONCE) / len(sets)))
    stamps_s = np.array([frame_set.stamp_ns for frame_set in sets], dtype=np.int64)
    points_m, known = (np.concatenate(values) for values in zip(*parts, strict=True))
    return (stamps_s - stamps_s[0]) / 1e9, points_m, known


def _points(rig: Rig, seen: np.ndarray, rectified: dict[str, bool]) -> tuple[np.ndarray, np.ndarray]:
    """Points (F, K, 3) and known (F, K) of keypoints (F, C, K, 3)."""
    frames, _, count, _ = seen.shape
    names = tuple(rig.cameras)
    normalised, reached = (
        np.asarray(x) for x in undistort(camera_arrays(rig, names, rectified), jnp.asarray(seen[..., :2]))
    )
    rays = []
    for index, name in enumerate(names):
        rotation, position_m = rig.cameras[name].world_from_camera
        inward = np.concatenate([normalised[:, index], np.ones((frames, count, 1))], axis=-1)
        direction = (inward / np.linalg.norm(inward, axis=-1, keepdims=True)) @ rotation.T
        confidence = (seen[:, index, :, 2] * reached[:, index]).ravel()
        rays.append(Rays(index, 0, position_m, direction.reshape(-1, 3), confidence))
    points, known, distances = triangulate(rays)
    used = np.where(np.stack([ray.confidence for ray in rays]) > 0, distances, np.nan)
    with np.errstate(all="ignore"):
        agreeing = np.nanmedian(np.where(known, used, 0.0), axis=0) < AGREEING_M
    return points.reshape(frames, count, 3), (known & agreeing).reshape(frames, count)


def _up(
    points_m: np.ndarray, known: np.ndarray, feet: np.ndarray, trunk: np.ndarray, where: str
) -> tuple[np.ndarray, float]:
    """(3,) z where the trunk is over the feet, else the direction from the feet to the trunk; how well it is known."""
    both = np.flatnonzero(known[:, feet].any(axis=1) & known[:, trunk].any(axis=1))
    if not len(both):
        raise InputError(f"{where}: no frame shows feet and trunk of a person to two cameras that agree; check the rig")
    pairs = zip(points_m[both], known[both], strict=True)
    upward = np.array([p[k & trunk].mean(axis=0) - p[k & feet].mean(axis=0) for p, k in pairs])
    up = np.median(upward / np.linalg.norm(upward, axis=1, keepdims=True), axis=0)
    up /= max(float(np.linalg.norm(up)), 1e-9)
    if up[2] > np.cos(np.radians(UP_AGREES_DEG)):
        return np.array([0.0, 0.0, 1.0]), FROM_Z_STD_RAD
    return up, FROM_TRUNK_STD_RAD


def _resting_places(
    stamps_s: np.ndarray, points_m: np.ndarray, known: np.ndarray, feet: np.ndarray
) -> list[tuple[np.ndarray, int]]:
    """Place (3,) and keypoint of each spell in which a foot's keypoint rests."""
    places = []
    for keypoint in np.flatnonzero(feet):
        rows = np.flatnonzero(known[:, keypoint])
        resting = rows[_rests(stamps_s[rows], points_m[rows, keypoint])]
        gaps = np.flatnonzero(np.diff(stamps_s[resting]) > RESTING_TIME_S) + 1
        for spell in np.split(resting, gaps):
            if len(spell) > 2 and stamps_s[spell[-1]] - stamps_s[spell[0]] >= RESTING_TIME_S:
                places.append((np.median(points_m[spell, keypoint], axis=0), int(keypoint)))
    return places


def _rests(stamps_s: np.ndarray, track_m: np.ndarray) -> np.ndarray:
    """(F,) the point is slower than RESTING_SPEED_M_S from a tenth of a second before to one after."""
    if len(stamps_s) < 3:
        return np.zeros(len(stamps_s), bool)
    before = np.maximum(np.searchsorted(stamps_s, stamps_s - RESTING_TIME_S), 0)
    after = np.minimum(np.searchsorted(stamps_s, stamps_s + RESTING_TIME_S), len(stamps_s) - 1)
    span_s = stamps_s[after] - stamps_s[before]
    moved_m = np.linalg.norm(track_m[after] - track_m[before], axis=1)
    return (span_s > RESTING_TIME_S) & (span_s < 4 * RESTING_TIME_S) & (moved_m < RESTING_SPEED_M_S * span_s)


def _heights_above_sole_m(keypoint_set: KeypointSet) -> np.ndarray:
    """(K,) of each keypoint when the base model, scaled to TYPICAL_HEIGHT_M, stands."""
    oracle = BodyOracle(subject_from_height(TYPICAL_HEIGHT_M, keypoint_set), keypoint_set)
    standing = np.asarray(NEUTRAL_QPOS, dtype=float)[None]
    soles = [place[0, 2] for name, place in oracle.landmarks_m(standing).items() if name.startswith("sole_")]
    return oracle.sites_m(standing)[0, :, 2] - float(np.mean(soles))


def plane(
    points_m: np.ndarray,
    above_m: np.ndarray,
    up: np.ndarray,
    up_std_rad: float = FROM_Z_STD_RAD,
    above_std_m: float = 0.0,
) -> Floor:
    """The floor under resting places (N, 3), each `above_m` (N,) over its sole, that most of them agree on.

    z - above = a x + b y + c in axes whose z is `up` (3,), by reweighted least squares with a prior of the tilt:
    `up_std_rad` is the standard deviation of `up` against the floor's normal, `above_std_m` that of the error which
    all `above_m` share.
    """
    turn = _to_z(up)
    x, y, z = (points_m @ turn.T).T
    middle = np.array([x.mean(), y.mean()])
    design = np.stack([x - middle[0], y - middle[1], np.ones_like(x)], axis=1)
    target = z - above_m
    prior = np.diag([up_std_rad**-2, up_std_rad**-2, 0.0])
    solution = np.array([0.0, 0.0, np.quantile(target, 0.3)])
    weight, variance = np.ones_like(x), 0.05**2
    for scale_m in LOSS_SCALES_M:
        residual = target - design @ solution
        weight = 1.0 / (1.0 + (residual / scale_m) ** 2) ** 2
        information = design.T @ (weight[:, None] * design) / variance + prior
        solution = np.linalg.solve(information, design.T @ (weight * target) / variance)
        residual = target - design @ solution
        variance = max(float(1.4826 * np.median(np.abs(residual))), LEAST_STD_M) ** 2
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design) / variance + prior)
    normal = np.array([-solution[0], -solution[1], 1.0])
    normal /= np.linalg.norm(normal)
    offset_m = float(normal @ [*middle, solution[2]])
    return Floor(
        normal=turn.T @ normal,
        offset_m=offset_m,
        places=int((weight > 0.25).sum()),
        places_seen=len(points_m),
        residual_m=float(np.median(np.abs(residual))),
        tilt_std_rad=float(np.sqrt(np.linalg.eigvalsh(covariance[:2, :2])[-1])),
        height_std_m=float(np.hypot(np.sqrt(covariance[2, 2]), above_std_m)),
    )


def _to_z(direction: np.ndarray) -> np.ndarray:
    """`rotation_to_z`, of any direction: straight down is turned about x."""
    return np.diag([1.0, -1.0, -1.0]) if direction[2] < -1.0 + 1e-9 else rotation_to_z(direction)
