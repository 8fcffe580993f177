"""The recording pose2sim_balancing under its shipped cameras: free points against the skeleton, and whether the fitted
body is a person's.

    python benchmarks/beam.py openpose_body25b.npz [--work out/beam]

Every figure is over the points of confidence 0.5 or more. `plain DLT`: each point of each frame by itself, linear, from
the cameras that are that sure of it. The skeleton: `calibrate` (stature 1.72 m), then `refit` and `evaluate`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import cv2
import numpy as np

from markerless_biomech.body.names import SCALE_NAMES
from markerless_biomech.body.population import population_prior, stature_error_std_m
from markerless_biomech.body.subject import load_subject

CONFIDENT, HEIGHT_M = 0.5, 1.72


def dlt_errors_px(session: dict) -> np.ndarray:
    """Distances of all confident points from the projection of their linear triangulation."""
    points, errors = session["keypoints"], []
    cameras, frames, keypoints, _ = points.shape
    poses = [np.c_[cv2.Rodrigues(r)[0], t] for r, t in zip(session["rvec"], session["tvec"], strict=True)]
    straight = [
        cv2.undistortPoints(points[c, ..., :2].reshape(-1, 1, 2).astype(float), session["K"][c], session["dist"][c])
        for c in range(cameras)
    ]
    straight = np.array(straight).reshape(cameras, frames, keypoints, 2)
    for frame in range(frames):
        for keypoint in range(keypoints):
            use = np.flatnonzero(points[:, frame, keypoint, 2] >= CONFIDENT)
            if len(use) < 2:
                continue
            rows = [straight[c, frame, keypoint, i] * poses[c][2] - poses[c][i] for c in use for i in (0, 1)]
            place = np.linalg.svd(np.array(rows))[2][-1]
            place = place[:3] / place[3]
            for c in use:
                lens = (session["rvec"][c], session["tvec"][c], session["K"][c], session["dist"][c])
                pixel = cv2.projectPoints(place[None], *lens)[0].ravel()
                errors.append(np.linalg.norm(pixel - points[c, frame, keypoint, :2]))
    return np.array(errors)


def command(*words: object) -> dict:
    """Run a command of the package; the JSON object it ends with."""
    run = [sys.executable, "-m", "markerless_biomech.cli", *map(str, words), "--json"]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def said_of_the_body(subject: Path) -> None:
    """Scales in standard deviations of anthropometry, and the largest offset."""
    fitted, prior = load_subject(subject), population_prior().conditional(HEIGHT_M, stature_error_std_m())
    standard = (fitted.scales - prior.mean) / np.sqrt(np.diagonal(prior.covariance))
    for name, value, z in zip(SCALE_NAMES, fitted.scales, standard, strict=True):
        click.echo(f"  {name}: {value:+.3f}, {z:+.1f} SD of anthropometry")
    sizes = {name: 1000 * float(np.linalg.norm(offset)) for name, offset in fitted.offsets_m.items()}
    largest = max(sizes, key=sizes.__getitem__)
    click.echo(f"largest site offset: {sizes[largest]:.0f} mm ({largest})")


@click.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), default=Path("out/beam"), show_default=True)
def main(recording: Path, work: Path) -> None:
    """Print the figures."""
    work.mkdir(parents=True, exist_ok=True)
    free = dlt_errors_px(dict(np.load(recording)))
    bag, subject, result = work / "bag", work / "subject.yaml", work / "refit"
    command("import", recording, "--out", bag, "--force")
    calibrated = command("calibrate", bag, "--height-m", HEIGHT_M, "--out", subject, "--force")
    command("refit", bag, "--subject", subject, "--out", result, "--force")
    judged = command("evaluate", result, "--result", "refit")
    mean_px = judged["reprojection_px"]["mean"]
    click.echo(f"plain DLT: {free.mean():.2f} px mean, {np.median(free):.2f} median ({len(free)} points)")
    click.echo(
        f"skeleton:  {mean_px:.2f} px mean, {judged['reprojection_px']['median']:.2f} median, "
        f"{mean_px / free.mean():.3f} times plain DLT; frames lost: {judged['frames_lost']}"
    )
    click.echo(f"noise correlation: {calibrated['noise_correlation']:.0f}")
    said_of_the_body(subject)


if __name__ == "__main__":
    main()
