"""Real motion, no model of ours: optical markers of a walk, seen by virtual cameras, as 2-D keypoints.

    python benchmarks/subject4_semireal.py make subject4_walks/walking1.npz --out walking1_session.npz
    markerless-biomech import walking1_session.npz --keypoint-set benchmarks/subject4_markers.yaml --out walking1
    markerless-biomech replay walking1 --height-m 1.70 --out walking1_result
    python benchmarks/subject4_semireal.py judge walking1_result walking1_session.npz

`make` projects the markers with OpenCV and adds white noise; the true 3-D markers travel in the same file under a key
that `import` ignores. It also writes the other program's joint angles beside it, for `evaluate --reference`. `judge`
compares the fitted sites with the markers: most of what it finds is how the generic body differs from this person.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.results import BodyEstimate, Tracking

MARKERS = Path(__file__).with_name("subject4_markers.yaml")
FOCAL_PX, SIZE_PX = 1100.0, (1920, 1080)
DISTANCE_M, HEIGHTS_M = 4.5, (1.2, 2.2)


@click.group()
def main() -> None:
    """Make a session from a marker recording, and judge what was fitted to it."""


@main.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Session npz to write.")
@click.option("--cameras", default=8, show_default=True)
@click.option("--noise-px", default=5.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
def make(recording: Path, out: Path, cameras: int, noise_px: float, seed: int) -> None:
    """Project the markers of RECORDING through virtual cameras."""
    content = np.load(recording, allow_pickle=False)
    names = load_keypoint_set(MARKERS).names
    markers_m = markers_z_up(content, names)
    session = project_session(markers_m, cameras, noise_px, np.random.default_rng(seed))
    session |= {"names": np.array(names), "fps": float(content["rate"]), "markers_m": markers_m}
    session["stamps_s"] = np.tile(content["marker_t"] - content["marker_t"][0], (cameras, 1))
    np.savez_compressed(out, **session)
    reference = out.with_name(f"{out.stem}_reference.csv")
    write_reference(content, reference)
    click.echo(
        f"{out}: {cameras} cameras, {len(markers_m)} frames, {len(names)} markers; angles to compare: {reference}"
    )


@main.command()
@click.argument("result", type=click.Path(exists=True, path_type=Path))
@click.argument("session", type=click.Path(exists=True, path_type=Path))
@click.option("--skip-s", default=0.3, show_default=True, help="Seconds of cold start left out.")
def judge(result: Path, session: Path, skip_s: float) -> None:
    """Distance of the fitted sites in the bag RESULT from the markers of SESSION; JSON in the last line."""
    content = np.load(session, allow_pickle=False)
    recorded = read_session(result)
    stamps_ns = np.round(content["stamps_s"][0] * 1e9).astype(np.int64)
    for topic in ("body_state", "body_state_settled"):
        figures = site_figures(recorded.bodies(topic), content["markers_m"], stamps_ns, skip_s)
        click.echo(json.dumps({"result": topic, **figures}))


def markers_z_up(content: Any, names: tuple[str, ...]) -> np.ndarray:
    """(F, K, 3) markers in m, x forward, y left, z up, from the recording's y up and z right; NaN where not seen."""
    if str(content["up"]) != "y":
        raise click.ClickException(f"the recording's up axis is {content['up']}; expected y")
    known = [str(name) for name in content["marker_names"]]
    chosen = content["markers"][:, [known.index(name) for name in names]].astype(float)
    return chosen[..., [0, 2, 1]] * [1.0, -1.0, 1.0]


def project_session(markers_m: np.ndarray, cameras: int, noise_px: float, rng: np.random.Generator) -> dict[str, Any]:
    """Keypoints (C, F, K, 3) and calibration of cameras on a circle around the middle of the walk."""
    middle = np.nanmedian(markers_m, axis=(0, 1))
    k = np.array([[FOCAL_PX, 0, (SIZE_PX[0] - 1) / 2], [0, FOCAL_PX, (SIZE_PX[1] - 1) / 2], [0, 0, 1]])
    poses = [camera_pose(middle, 2 * np.pi * (c + 0.5) / cameras, HEIGHTS_M[c % 2]) for c in range(cameras)]
    keypoints = [seen_by(markers_m, k, rvec, tvec, noise_px, rng) for rvec, tvec in poses]
    return {
        "keypoints": np.array(keypoints, dtype=np.float32),
        "K": np.tile(k, (cameras, 1, 1)),
        "dist": np.zeros((cameras, 5)),
        "rvec": np.array([rvec for rvec, _ in poses]),
        "tvec": np.array([tvec for _, tvec in poses]),
        "size": np.tile(SIZE_PX, (cameras, 1)),
    }


def camera_pose(middle_m: np.ndarray, angle: float, height_m: float) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's rvec and tvec of a camera on the circle that looks at the middle."""
    position = np.array([middle_m[0] + DISTANCE_M * np.cos(angle), middle_m[1] + DISTANCE_M * np.sin(angle), height_m])
    forward = (middle_m - position) / np.linalg.norm(middle_m - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    camera_from_world = np.array([right, np.cross(forward, right), forward])
    return cv2.Rodrigues(camera_from_world)[0].ravel(), -camera_from_world @ position


def seen_by(
    markers_m: np.ndarray, k: np.ndarray, rvec: np.ndarray, tvec: np.ndarray, noise_px: float, rng: np.random.Generator
) -> np.ndarray:
    """(F, K, 3) noisy pixels and confidence: 1 for a marker in the image, 0 for one that is not there."""
    there = np.asarray(np.isfinite(markers_m).all(axis=-1))
    pixels = np.zeros((*there.shape, 2))
    projected, _ = cv2.projectPoints(markers_m[there], rvec, tvec, k, None)
    pixels[there] = projected[:, 0] + rng.normal(0, noise_px, projected[:, 0].shape)
    inside = np.asarray(there & ((pixels >= 0) & (pixels <= np.array(SIZE_PX) - 1)).all(axis=-1))
    return np.concatenate([np.where(inside[..., None], pixels, 0), inside[..., None]], axis=-1)


def write_reference(content: Any, path: Path) -> None:
    """The other program's joint angles as joints.csv, times from the first frame, for `evaluate --reference`."""
    columns = [str(name) for name in content["ik_cols"]]
    joints = [name for name in JOINT_NAMES if name in columns]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", *joints])
        for row in content["ik"]:
            time_s = row[columns.index("time")] - content["marker_t"][0]
            writer.writerow([f"{time_s:.6f}", *(f"{row[columns.index(name)]:.6f}" for name in joints)])


def site_figures(
    bodies: list[BodyEstimate], markers_m: np.ndarray, stamps_ns: np.ndarray, skip_s: float
) -> dict[str, Any]:
    """Median distance (mm) of sites from markers after `skip_s`, by site too, and how many frames were not TRACKED.

    Among the settled results the frames of the last `lag_s` are missing: nothing came after them.
    """
    rows = np.flatnonzero(stamps_ns >= stamps_ns[0] + skip_s * 1e9)
    body_from_stamp = {body.stamp_ns: body for body in bodies if body.tracking == Tracking.TRACKED}
    found = [row for row in rows if int(stamps_ns[row]) in body_from_stamp]
    if not found:
        return {"frames": 0, "frames_not_tracked": len(rows), "median_mm": None, "per_site_mm": {}}
    sites_m = np.array([body_from_stamp[int(stamps_ns[row])].sites_m for row in found])
    error_mm = 1000 * np.linalg.norm(sites_m - markers_m[found], axis=-1)
    seen = np.isfinite(error_mm).any(axis=0)
    per_site = {
        name: round(float(np.nanmedian(error_mm[:, k])), 1) if seen[k] else None
        for k, name in enumerate(load_keypoint_set(MARKERS).names)
    }
    return {
        "frames": len(found),
        "frames_not_tracked": len(rows) - len(found),
        "median_mm": float(np.nanmedian(error_mm)),
        "per_site_mm": per_site,
    }


if __name__ == "__main__":
    main()
