"""Norms for `report --norms` from the public recordings of Fukuchi, Fukuchi & Duarte (PeerJ 6:e4640, 2018; CC BY 4.0).

    python benchmarks/norms_of_fukuchi.py WBDSascii --out norms.csv

WBDSascii is the folder of doi:10.6084/m9.figshare.5722711 with one table of angles a person and condition
(WBDS01walkOCang.txt: overground, comfortable speed), 0 to 100 % of each side's gait cycle. X is about the forward axis,
Y about the vertical, Z about the sideways one; every sign is the own side's. The pelvis is the ASIS-PSIS plane.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

ASIS_PSIS_TILT_DEG = 12.0
"""Forward lean of the ASIS-PSIS plane where our pelvis has no tilt (docs/gait.md)."""
THEIRS = {
    "pelvis_tilt": ("PelvisAngleZ", -1.0, ASIS_PSIS_TILT_DEG),
    "pelvis_list": ("PelvisAngleX", -1.0, 0.0),
    "pelvis_rotation": ("PelvisAngleY", 1.0, 0.0),
    "hip_flexion": ("HipAngleZ", 1.0, -ASIS_PSIS_TILT_DEG),
    "hip_adduction": ("HipAngleX", 1.0, 0.0),
    "knee_angle": ("KneeAngleZ", 1.0, 0.0),
    "ankle_angle": ("AnkleAngleZ", 1.0, 0.0),
}
"""Their column without its side; ours is sign * theirs + offset (deg)."""
FILES = {"slow": "WBDS*walkOSang.txt", "comfortable": "WBDS*walkOCang.txt", "fast": "WBDS*walkOFang.txt"}


def person_deg(path: Path) -> np.ndarray:
    """(101, J) angles of one person, mean of both sides."""
    with path.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [float(row["Time"]) for row in rows] == list(range(101)), f"{path}: not the 101 rows of a gait cycle"
    columns = [
        np.mean([[sign * float(row[side + column]) + offset for row in rows] for side in "RL"], axis=0)
        for column, sign, offset in THEIRS.values()
    ]
    return np.stack(columns, axis=-1)


def norms_text(paths: list[Path], speed: str) -> str:
    """The file's text: mean and SD between people, every 2 %."""
    people = np.array([person_deg(path) for path in paths])[:, ::2]
    mean, std = people.mean(axis=0), people.std(axis=0, ddof=1)
    lines = [
        f"# {len(paths)} healthy adults overground at {speed} speed: Fukuchi, Fukuchi & Duarte, PeerJ 6:e4640, 2018",
        "joint,percent,mean_deg,sd_deg",
    ]
    for j, joint in enumerate(THEIRS):
        lines += [f"{joint},{2 * k},{mean[k, j]:.2f},{std[k, j]:.2f}" for k in range(len(mean))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the folder, write the norms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--speed", choices=tuple(FILES), default="comfortable")
    asked = parser.parse_args()
    paths = sorted(asked.folder.glob(FILES[asked.speed]))
    if len(paths) < 2:
        parser.error(
            f"{asked.folder}: found {len(paths)} files {FILES[asked.speed]}, and a standard deviation needs two"
        )
    asked.out.write_text(norms_text(paths, asked.speed))
    print(f"{asked.out}: {len(paths)} people")


if __name__ == "__main__":
    main()
