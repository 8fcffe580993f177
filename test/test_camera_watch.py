"""What happens to a camera is named within two seconds while somebody walks, and a bumped camera finds its place."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from markerless_biomech.camera_resection import combined
from markerless_biomech.cameras.frame_sets import FrameSet
from markerless_biomech.capture import Capture
from markerless_biomech.keypoints import KeypointFrame
from markerless_biomech.recording.camera_health import fitted_cameras
from markerless_biomech.recording.result_messages import FittedCameras
from markerless_biomech.results import CameraStanding, Tracking
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.camera_ring import project
from markerless_biomech.simulation.virtual_rig import START_NS, simulate

FPS, SECONDS, FAULT_S = 30.0, 13.0, 5.0
SESSION = simulate(SimulationSettings(cameras=8, fps=FPS, seconds=SECONDS, keypoint_set="coco_17", noise_px=2.0))
NAMES = tuple(SESSION.rig_true.cameras)
CAMERA = 3
FIRST = round(FAULT_S * FPS)
"""Frame from which something is wrong."""


def seen_by(changed) -> np.ndarray:
    """(F, C, K, 3) points where one camera is another from FIRST on; their errors stay."""
    points = SESSION.keypoints.copy()
    before, _ = project(SESSION.rig_true.cameras[NAMES[CAMERA]], SESSION.sites_m[FIRST:])
    after, inside = project(changed, SESSION.sites_m[FIRST:])
    points[FIRST:, CAMERA, :, :2] += after - before
    points[FIRST:, CAMERA][~inside] = 0.0
    return points


def bumped(angle_deg: float, moved_mm: float):
    camera = SESSION.rig_true.cameras[NAMES[CAMERA]]
    turn = Rotation.from_rotvec(np.radians(angle_deg) * np.array([0.6, 0.64, 0.48]))
    return replace(
        camera,
        position_m=camera.position_m + moved_mm / 1e3 * np.array([0.8, 0.36, 0.48]),
        orientation_xyzw=(turn * Rotation.from_quat(camera.orientation_xyzw)).as_quat(),
    )


def zoomed(share: float):
    camera = SESSION.rig_true.cameras[NAMES[CAMERA]]
    return replace(camera, k=camera.k * np.array([[1 + share, 1, 1], [1, 1 + share, 1], [1, 1, 1]]))


def from_frame(change) -> np.ndarray:
    """(F, C, K, 3) points of which one camera's are changed from FIRST on: change(points (F, K, 3)) -> the same."""
    points = SESSION.keypoints.copy()
    points[FIRST:, CAMERA] = change(SESSION.keypoints[:, CAMERA])[FIRST:]
    return points


def frame_sets(points: np.ndarray, first: int = 0, end: int | None = None):
    for index in range(first, len(points) if end is None else end):
        stamp_ns = START_NS + round(index * 1e9 / FPS)
        frames = {
            name: KeypointFrame(name, stamp_ns, stamp_ns, points[index, row][None]) for row, name in enumerate(NAMES)
        }
        yield FrameSet(stamp_ns, frames, "complete", stamp_ns, stamp_ns)


@dataclass
class Walk:
    """What came of a walk."""

    words: list[tuple[str, ...]]
    """Of every camera at each frame set."""
    errors_deg: np.ndarray
    """(F,) root mean square of the joints."""
    versions: list[int]

    def first_s(self, part: str) -> float:
        """When the camera was first accused of this, since it happened; NaN: never."""
        said = [index for index, words in enumerate(self.words) if part in words[CAMERA]]
        return said[0] / FPS - FAULT_S if said else np.nan

    def others(self) -> set[str]:
        """What was said of the cameras to which nothing happened."""
        return {word for words in self.words for row, word in enumerate(words) if word and row != CAMERA}


@pytest.fixture(scope="module")
def compiled() -> Capture:
    settings = EstimatorSettings(cameras=NAMES, keypoint_set="coco_17")
    capture = Capture(settings, SESSION.keypoint_set, SESSION.subject)
    capture.estimator.set_rig(SESSION.rig_nominal)
    capture.estimator.compile()
    return capture


def estimator_of(compiled: Capture, refinement: str):
    settings = replace(compiled.estimator.settings, camera_refinement=refinement)
    estimator = Capture(settings, SESSION.keypoint_set, SESSION.subject).estimator
    estimator.set_rig(SESSION.rig_nominal)
    return estimator


def walk(estimator, points: np.ndarray, seconds: float = FAULT_S + 3.0) -> Walk:
    words, errors, versions = [], [], []
    for index, one in enumerate(frame_sets(points, end=round(seconds * FPS))):
        live = estimator.update(one).live
        assert live is not None and live.tracking is Tracking.TRACKED
        estimator.look_after_cameras()
        standing = estimator.care.standing
        words.append(standing.words if standing else ("",) * len(NAMES))
        errors.append(np.degrees(np.sqrt(np.mean((live.qpos[7:] - SESSION.motion.qpos[index, 7:]) ** 2))))
        versions.append(estimator.calibration_version)
    return Walk(words, np.array(errors), versions)


def off(estimator, name: str, truth) -> tuple[float, float]:
    """(deg, mm) of a camera in use from where it truly is."""
    camera = estimator.rig.cameras[name]
    turn = Rotation.from_quat(camera.orientation_xyzw) * Rotation.from_quat(truth.orientation_xyzw).inv()
    return np.degrees(turn.magnitude()), 1e3 * np.linalg.norm(camera.position_m - truth.position_m)


CHANGES = {
    "turned": (lambda: seen_by(bumped(1.0, 0.0)), "moved by"),
    "pushed": (lambda: seen_by(bumped(0.0, 20.0)), "moved by"),
    "late": (lambda: from_frame(lambda points: np.roll(points, 1, axis=0)), "exposed"),
    "frozen": (lambda: from_frame(lambda points: np.broadcast_to(points[FIRST - 1], points.shape)), "again and again"),
    "swapped": (lambda: from_frame(lambda points: points[:, SESSION.keypoint_set.partners]), "exchanged"),
    "zoomed": (lambda: seen_by(zoomed(0.02)), "focal length"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_happened_to_a_camera_is_named_within_two_seconds(compiled, what):
    points, part = CHANGES[what]
    went = walk(estimator_of(compiled, "off"), points())
    assert 0.0 <= went.first_s(part) < 2.0
    assert part in went.words[-1][CAMERA] and "odds" in went.words[-1][CAMERA]
    # Nothing is said of the other seven, nor of this one before.
    assert went.others() == set() and not any(words[CAMERA] for words in went.words[:FIRST])
    assert set(went.versions) == {1}


def test_a_sound_walk_accuses_nobody(compiled):
    went = walk(estimator_of(compiled, "accept"), SESSION.keypoints, SECONDS)
    assert {word for words in went.words for word in words} == {""} and set(went.versions) == {1}


def test_a_bumped_camera_is_found_and_taken_into_use(compiled):
    estimator, truth = estimator_of(compiled, "accept"), bumped(1.0, 20.0)
    went = walk(estimator, seen_by(truth), SECONDS)
    assert went.versions[-1] == 2 and went.words[-1] == ("",) * len(NAMES)
    # 0.1 deg, 5 mm is what counts as well enough known, as a standard deviation in each direction.
    turned_deg, moved_mm = off(estimator, NAMES[CAMERA], truth)
    assert turned_deg < 0.2 and moved_mm < 12.0
    for name in NAMES[:CAMERA] + NAMES[CAMERA + 1 :]:
        assert estimator.rig.cameras[name] is SESSION.rig_nominal.cameras[name]
    before, after = went.errors_deg[FIRST - 90 : FIRST], went.errors_deg[-90:]
    assert np.sqrt(np.mean(after**2)) < 1.2 * np.sqrt(np.mean(before**2))


def test_what_is_proposed_waits_to_be_accepted(compiled):
    estimator, truth = estimator_of(compiled, "propose"), bumped(1.0, 20.0)
    went = walk(estimator, seen_by(truth), SECONDS)
    standing = estimator.care.standing
    assert set(went.versions) == {1} and standing.proposed == (NAMES[CAMERA],) and standing.moved[CAMERA]
    # The pose that is reported is the new one, and its covariance says how well it is known.
    missed_m = np.abs(standing.poses[CAMERA, :3] - truth.position_m)
    assert (missed_m < 4.0 * np.sqrt(np.diagonal(standing.covariance[CAMERA])[:3])).all()
    assert estimator.accept_cameras() == (NAMES[CAMERA],)
    assert estimator.calibration_version == 2 and off(estimator, NAMES[CAMERA], truth)[1] < 12.0


def test_a_rig_is_exchanged_in_the_middle_of_a_track(compiled):
    estimator = estimator_of(compiled, "off")
    sets = list(frame_sets(SESSION.keypoints, end=60))
    before = [estimator.update(one) for one in sets[:30]]
    rotated = estimator.live.cameras.moved({NAMES[0]: np.r_[0.004, 0.0, 0.0, 0.0, np.radians(0.05), 0.0]})
    estimator.exchange_rig(rotated)
    after = [estimator.update(one) for one in sets[30:]]
    assert estimator.calibration_version == 2 and estimator.rig is rotated
    assert {estimate.live.tracking for estimate in after} == {Tracking.TRACKED}
    # The lab's calibration, said again, does not undo what was accepted.
    estimator.set_rig(SESSION.rig_nominal)
    assert np.array_equal(estimator.rig.cameras[NAMES[0]].position_m, rotated.cameras[NAMES[0]].position_m)
    assert estimator.tracking is Tracking.TRACKED
    stamps = [body.stamp_ns for estimate in before + after for body in estimate.settled]
    assert stamps == [one.stamp_ns for one in sets[: len(stamps)]]


def test_increments_follow_each_other():
    rng = np.random.default_rng(0)
    first, second, point = rng.normal(size=6), rng.normal(size=6), rng.normal(size=3)

    def apply(increment, at):
        return Rotation.from_rotvec(increment[3:]).apply(at) + increment[:3]

    assert np.allclose(apply(combined(first, second), point), apply(second, apply(first, point)))


def test_a_camera_that_moved_is_reported_where_it_was_found():
    rig, count = SESSION.rig_nominal, len(NAMES)
    fixed = fitted_cameras(rig, 1, NAMES, statuses=dict.fromkeys(NAMES, "OK"))
    moved = np.arange(count) == CAMERA
    poses = fixed.poses + 0.01 * moved[:, None]
    words = tuple("moved; odds" if here else "" for here in moved)
    covariance = np.tile(np.eye(6), (count, 1, 1))
    standing = CameraStanding(moved, words, poses, covariance, 0.5 * moved, 0.02 * moved)
    found = fitted_cameras(rig, 1, NAMES, statuses=dict.fromkeys(NAMES, "OK"), standing=standing)
    assert found.status.tolist() == [FittedCameras.MOVED if here else FittedCameras.OK for here in moved]
    assert np.array_equal(found.poses, poses) and found.correction_deg[CAMERA] == 0.5
    # A camera that says nothing any more is DEAD, wherever it stands.
    dead = fitted_cameras(rig, 1, NAMES, statuses=dict.fromkeys(NAMES, "DEAD"), standing=standing)
    assert set(dead.status.tolist()) == {FittedCameras.DEAD}
