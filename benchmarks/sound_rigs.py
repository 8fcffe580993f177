"""False alarms of check-rig: simulated rigs with nothing wrong, of which it should say nothing.

    python benchmarks/sound_rigs.py [--seeds 1]

One line a rig (largest median epipolar distance of a pair, median reprojection, largest time offset, processor time),
then how many had a finding.
"""

from __future__ import annotations

import time
from itertools import product

import click
import numpy as np

from markerless_biomech.rig_check.check import check_rig
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.virtual_rig import simulate

CAMERAS = (2, 3, 4, 8, 16)
KEYPOINT_SETS = ("coco_17", "bml_movi_87")
MOTIONS = (
    ("loop", 3.0, False),
    ("loop", 5.0, True),
    ("stand", 3.0, True),
    ("stand", 7.0, False),
    ("treadmill", 7.0, True),
    ("sit-to-stand", 5.0, True),
    ("there-and-back", 7.0, True),
    ("line", 5.0, True),
)
"""Path, noise (px), realistic detector or not: occlusion, outliers, swaps, correlated noise, biased sites."""


@click.command()
@click.option("--seeds", default=1, show_default=True, help="People and noises for each rig.")
def main(seeds: int) -> None:
    """Print the figures."""
    alarms = []
    for number, (cameras, points, motion) in enumerate(product(CAMERAS, KEYPOINT_SETS, MOTIONS)):
        for seed in range(seeds):
            alarms.append(_judged(cameras, points, *motion, seed=number + 1000 * seed))
    click.echo(f"{len(alarms)} rigs, {sum(alarms)} with findings")


def _judged(cameras: int, points: str, path: str, noise_px: float, realistic: bool, seed: int) -> bool:
    """Whether a sound rig has findings."""
    session = simulate(
        SimulationSettings(
            cameras=cameras,
            keypoint_set=points,
            path=path,
            noise_px=noise_px,
            realistic=realistic,
            seconds=6.0,
            seed=seed,
        )
    )
    frames, start_s = list(session.frames()), time.process_time()
    check = check_rig(session.rig_nominal, frames, session.keypoint_set)
    spent_s = time.process_time() - start_s
    click.echo(
        f"{cameras:2d} {points} {path} {noise_px:g} px{' realistic' if realistic else ''}: "
        f"{np.nanmax(check.epipolar_px):.1f} px, {np.nanmedian(check.reprojection_px):.1f} px, "
        f"{1e3 * np.nanmax(np.abs(check.time_offset_s)):.1f} ms, {spent_s:.1f} s"
    )
    for one in check.findings:
        click.echo(f"   {one.camera} {one.kind}: {one.sentence}")
    return bool(check.findings)


if __name__ == "__main__":
    main()
