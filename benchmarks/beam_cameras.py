"""The pose2sim_balancing rig before and after bundle adjustment on one man's BODY_25B keypoints.

    python benchmarks/beam_cameras.py openpose_body25b.npz [--work out/beam_cameras]

Judged without our skeleton: every point that the detector reports (confidence > 0) is triangulated by itself from all
cameras that report it, robustly (Huber's loss at 5 px), and projected again; mean and median of all those distances.
`free points` and `skeleton` are both over the points of confidence 0.5 or more, under the refined rig.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
from beam import HEIGHT_M, command, said_of_the_body

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.cameras.calibration_files import load_calibration, session_from_rig

HUBER_PX = 5.0

MIDDLE_M = np.array([-0.9, 0.0, 0.9])
"""About where the man stands."""


def robust_errors_px(session: dict, rig: Rig, least_confidence: float) -> np.ndarray:
    """Distances of all points at least that sure (0: of all that are reported) from their robust triangulation."""
    points, cameras = session["keypoints"], list(rig.cameras.values())
    sure = points[..., 2] >= least_confidence if least_confidence else points[..., 2] > 0
    errors = []
    for frame in range(points.shape[1]):
        for keypoint in range(points.shape[2]):
            use = np.flatnonzero(sure[:, frame, keypoint])
            if len(use) >= 2:
                errors.append(_errors_px([cameras[c] for c in use], points[use, frame, keypoint, :2].astype(float)))
    return np.concatenate(errors)


def _errors_px(cameras: list, pixels: np.ndarray) -> np.ndarray:
    """(n,) of one point in n images: linear start, then Gauss-Newton with Huber's weights."""
    poses = [np.c_[camera.camera_from_world] for camera in cameras]
    flat = [cv2.undistortPoints(p[None], c.k, c.d).ravel() for p, c in zip(pixels, cameras, strict=True)]
    rows = [xy[i] * pose[2] - pose[i] for xy, pose in zip(flat, poses, strict=True) for i in (0, 1)]
    place = np.linalg.svd(np.array(rows))[2][-1]
    place = place[:3] / place[3]
    for _ in range(10):
        seen = [_project(camera, place) for camera in cameras]
        residual = np.concatenate([image - pixel for (image, _), pixel in zip(seen, pixels, strict=True)])
        jacobian = np.concatenate([slope for _, slope in seen])
        distance = np.linalg.norm(residual.reshape(-1, 2), axis=1)
        weight = np.minimum(1.0, HUBER_PX / np.maximum(distance, 1e-9)).repeat(2)
        step = np.linalg.lstsq(jacobian * np.sqrt(weight)[:, None], -residual * np.sqrt(weight), rcond=None)[0]
        place = place + step
    return np.array([np.linalg.norm(_project(c, place)[0] - p) for c, p in zip(cameras, pixels, strict=True)])


def rigid_ratio(session: dict, rig: Rig, least_confidence: float) -> float:
    """What `skeleton / free points` would be of a body that knows every point exactly, with independent noise.

    A free point follows the noise of its own images: of n images' 2 n coordinates it absorbs 3. The points are those
    of the recording, seen in the same images, with noise of one pixel.
    """
    rng, cameras, points = np.random.default_rng(0), list(rig.cameras.values()), session["keypoints"]
    sure = points[..., 2] >= least_confidence
    free, exact = [], []
    for frame in range(0, points.shape[1], 5):
        for keypoint in range(points.shape[2]):
            use = np.flatnonzero(sure[:, frame, keypoint])
            if len(use) < 2:
                continue
            seen = [cameras[c] for c in use]
            noise = rng.normal(size=(len(use), 2))
            pixels = np.array([_project(camera, MIDDLE_M)[0] for camera in seen]) + noise
            free.append(_errors_px(seen, pixels))
            exact.append(np.linalg.norm(noise, axis=1))
    return float(np.concatenate(exact).mean() / np.concatenate(free).mean())


def _project(camera: object, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2,) px and (2, 3) px/m."""
    rotation, translation = camera.camera_from_world  # pyright: ignore
    rvec = cv2.Rodrigues(rotation)[0]
    image, jacobian = cv2.projectPoints(place[None], rvec, translation, camera.k, camera.d)  # pyright: ignore
    # d image / d translation, turned: the point moves by the rotation of its step
    return image.ravel(), jacobian[:, 3:6] @ rotation


@click.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), default=Path("out/beam_cameras"), show_default=True)
@click.option("--prior-deg", default=1.0, show_default=True, help="How far the calibration may be off (SD).")
@click.option("--prior-mm", default=20.0, show_default=True)
@click.option("--refine-lenses", is_flag=True)
def main(recording: Path, work: Path, prior_deg: float, prior_mm: float, refine_lenses: bool) -> None:
    """Print the figures."""
    work.mkdir(parents=True, exist_ok=True)
    session = dict(np.load(recording))
    bag, subject, rig, result = work / "bag", work / "subject.yaml", work / "rig.yaml", work / "refit"
    command("import", recording, "--out", bag, "--force")
    prior = ("--camera-prior-deg", prior_deg, "--camera-prior-mm", prior_mm)
    lenses = ("--refine-lenses",) if refine_lenses else ()
    answer = command(
        "calibrate", bag, "--height-m", HEIGHT_M, "--out", subject, "--refine-cameras", rig, *prior, *lenses, "--force"
    )
    for name, words in answer["cameras"].items():
        click.echo(f"  {name}: {words}")
    refined = load_calibration(rig)
    for words, cameras in (("shipped", load_calibration(recording)), ("refined", refined)):
        errors = robust_errors_px(session, cameras, 0.0)
        click.echo(f"{words}: {errors.mean():.2f} px mean, {np.median(errors):.2f} median ({len(errors)} points)")
    free = robust_errors_px(session, refined, 0.5)
    np.savez(work / "refined.npz", **(session | session_from_rig(refined)))
    command("import", work / "refined.npz", "--out", bag, "--force")
    command("refit", bag, "--subject", subject, "--out", result, "--force")
    judged = command("evaluate", result, "--result", "refit")["reprojection_px"]
    click.echo(f"free points: {free.mean():.2f} px mean, {np.median(free):.2f} median, confidence >= 0.5")
    ratio = judged["mean"] / free.mean()
    click.echo(
        f"skeleton:    {judged['mean']:.2f} px mean, {judged['median']:.2f} median: {ratio:.3f} times the free points"
    )
    exact = rigid_ratio(session, refined, 0.5)
    click.echo(f"a body without error, with independent noise of any size: {exact:.3f} times the free points")
    said_of_the_body(subject)


if __name__ == "__main__":
    main()
