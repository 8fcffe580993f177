"""Rigs that are a degree and 20 mm off, found again from one walk of somebody unknown.

    python benchmarks/rigs.py --rigs 3 [--cameras 8] [--path loop|treadmill] [--keypoint-set bml_movi_87] [--perfect]

Each rig: a person of their own (scales +-12 %, offsets SD 15 mm), one walk, 3 px; subject, trajectory and cameras are
fitted together. Errors are those of the cameras after similarity alignment; `inside` is the share of their six numbers
whose 90 % interval holds the truth. `--perfect` fits the same walk with the true rig beside it, for the joints' sake.
"""

from __future__ import annotations

import time

import click
import cv2
import numpy as np
from calibration import errors_deg, trial_of

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.cameras.refinement import RigFit
from markerless_biomech.devices import enable_compile_cache
from markerless_biomech.recording.metrics import nearest_rotation, rig_errors
from markerless_biomech.session import SessionFit, Trial, fit_session
from markerless_biomech.settings import SessionSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import SimulatedSession, simulate

SURE = 1.6449
"""Standard deviations of a 90 % interval."""


def poses(rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """(C, 3, 3) world from camera, (C, 3) positions (m)."""
    cameras = list(rig.cameras.values())
    return np.array([c.world_from_camera[0] for c in cameras]), np.array([c.position_m for c in cameras])


def aligned_steps(fitted: Rig, true: Rig) -> np.ndarray:
    """(C, 6) what is wrong with each camera after alignment: position (m), rotation about the world's axes (rad)."""
    (rotation, position_m), (true_rotation, true_m) = poses(fitted), poses(true)
    turn = nearest_rotation(np.sum(true_rotation @ np.swapaxes(rotation, -1, -2), axis=0))
    arms, true_arms = (position_m - position_m.mean(0)) @ turn.T, true_m - true_m.mean(0)
    scale = np.sum(arms * true_arms) / np.sum(arms**2)
    turns = [cv2.Rodrigues(turn @ one @ other.T)[0].ravel() for one, other in zip(rotation, true_rotation, strict=True)]
    return np.concatenate([scale * arms - true_arms, np.array(turns)], axis=1)


def inside(fit: RigFit, true: Rig) -> np.ndarray:
    """(C, 6) whether 90 % intervals hold the truth."""
    std = np.array([np.sqrt(np.diagonal(fit.covariance[name])) for name in fit.rig.cameras])
    return np.abs(aligned_steps(fit.rig, true)) < SURE * std


def joint_rmse_deg(fit: SessionFit, session: SimulatedSession) -> tuple[float, float]:
    """Raw and debiased, mean of the 34."""
    error, _ = errors_deg(fit, session)
    return float(np.sqrt((error**2).mean(0)).mean()), float(error.std(0).mean())


@click.command()
@click.option("--rigs", default=3, show_default=True)
@click.option("--first-seed", default=100, show_default=True)
@click.option("--cameras", default=8, show_default=True)
@click.option("--path", default="loop", show_default=True)
@click.option("--keypoint-set", default="bml_movi_87", show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--noise-px", default=3.0, show_default=True)
@click.option("--perfect", is_flag=True)
def main(
    rigs: int,
    first_seed: int,
    cameras: int,
    path: str,
    keypoint_set: str,
    seconds: float,
    noise_px: float,
    perfect: bool,
) -> None:
    """One row a rig, then all together."""
    enable_compile_cache()
    all_deg, all_mm, held = [], [], []
    for seed in range(first_seed, first_seed + rigs):
        session = simulate(
            SimulationSettings(
                seed=seed,
                hard_person=True,
                cameras=cameras,
                path=path,
                keypoint_set=keypoint_set,
                seconds=seconds,
                noise_px=noise_px,
                camera_error_deg=1.0,
                camera_error_mm=20.0,
            )
        )
        trial, start_s = trial_of(session, "walk"), time.monotonic()
        fit = fit_session([trial], session.keypoint_set, settings=SessionSettings(refine_cameras=True))
        seconds_taken = time.monotonic() - start_s
        assert fit.rig is not None
        error_deg, error_mm = rig_errors(*poses(fit.rig.rig), *poses(session.rig_true))
        ours = inside(fit.rig, session.rig_true)
        row = f"rig {seed}: {np.median(error_deg):.4f} deg, {np.median(error_mm):.2f} mm median; "
        row += f"inside {ours.mean():.2f}; "
        row += "joints {:.2f} deg, debiased {:.2f}".format(*joint_rmse_deg(fit, session))
        if perfect:
            true = fit_session([Trial("walk", session.rig_true, trial.frame_sets)], session.keypoint_set)
            row += "; with the true rig {:.2f}, {:.2f}".format(*joint_rmse_deg(true, session))
        click.echo(f"{row}; {seconds_taken:.0f} s")
        all_deg += list(error_deg)
        all_mm += list(error_mm)
        held.append(ours)
    click.echo(
        f"{rigs} rigs of {cameras} cameras, {path}: {np.median(all_deg):.4f} deg, {np.median(all_mm):.2f} mm median, "
        f"{np.max(all_deg):.3f} deg, {np.max(all_mm):.1f} mm largest; inside 90 %: {np.mean(held):.3f} "
        f"(positions {np.mean(np.array(held)[..., :3]):.3f}, rotations {np.mean(np.array(held)[..., 3:]):.3f})"
    )


if __name__ == "__main__":
    main()
