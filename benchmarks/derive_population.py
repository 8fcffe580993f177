"""Recompute the numbers of markerless_biomech/body/population.yaml from the published tables, which are not shipped.

python benchmarks/derive_population.py ANSUR_MEN.csv ANSUR_WOMEN.csv GOLDMAN.csv

ANSUR II's public files (millimetres, public domain) are at https://www.openlab.psu.edu/ansur2/, the Goldman Osteometric
Data Set at https://web.utk.edu/~auerbach/GOLD.htm. Men and women weigh the same.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import yaml

from markerless_biomech.body.base import NEUTRAL_VERTEX_M, base_sites
from markerless_biomech.body.names import BODY_NAMES, SCALE_NAMES
from markerless_biomech.body.population import FACTORS, standing_height_gradient
from markerless_biomech.body.scaling import scaled_body_positions

Table = dict[str, np.ndarray]

DE_LEVA_ARM_BY_STATURE = ((281.7 + 268.9) / 1741.0 + (275.1 + 264.3) / 1735.0) / 2.0
"""Shoulder to elbow to wrist centre, mean of men and women (de Leva 1996, table 4)."""
LARGEST_SIDE_DIFFERENCE = 0.06
"""Bones of a pair that differ by more are taken for a slip of the pen or a healed fracture."""


def read(*paths: str) -> Table:
    """Columns of CSV files, one file below the other, as numbers; NaN where there is none."""
    rows = [row for path in paths for row in csv.DictReader(Path(path).read_text("latin-1").splitlines())]
    return {name: np.array([number(row.get(name, "")) for row in rows]) for name in rows[0]}


def number(text: str) -> float:
    """NaN for what is not a number."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def ratios(people: Table) -> Table:
    """Distances by stature, (N,) each."""
    hip, knee = people["trochanterionheight"], people["lateralfemoralepicondyleheight"]
    distances = {
        "pelvis": people["bicristalbreadth"],
        "thigh": hip - knee,
        "leg": knee,
        "arm": people["acromionradialelength"] + people["radialestylionlength"],
        "trunk_length": people["suprasternaleheight"] - hip,
        "shoulder_width": people["biacromialbreadth"],
    }
    return {name: distance / people["stature"] for name, distance in distances.items()}


def base_lengths_m() -> dict[str, float]:
    """The same distances in the base model, along z, from joint centre to joint centre, and the trunk's two parts."""
    positions = scaled_body_positions(np.zeros(len(SCALE_NAMES)))[1:, 2]
    z = dict(zip(BODY_NAMES, map(float, positions), strict=True))
    return {
        "thigh": -z["tibia_r"],
        "leg": height_by_factor_m()["leg"],
        "arm": -z["ulna_r"] - z["radius_r"] - z["hand_r"],
        "hip_to_torso": z["torso"] - z["femur_r"],
        "torso_to_notch": float(base_sites(("jugular_notch",)).positions_m[0, 2]),
    }


def height_by_factor_m() -> dict[str, float]:
    """Derivative of the base model's stature by each factor, both sides of a limb together."""
    gradient = dict(zip(SCALE_NAMES, standing_height_gradient()[1], strict=True))
    return {name: float(gradient.get(name, 0.0) or 2.0 * gradient.get(f"{name}_r", 0.0)) for name in FACTORS}


def factors(people: Table, weight: np.ndarray) -> np.ndarray:
    """(7, N) by FACTORS: what makes the base model's distances each person's, about the mean proportions."""
    base = base_lengths_m()
    own = {name: ratio / (weight @ ratio) - 1.0 for name, ratio in ratios(people).items()}
    pelvis, torso = base["hip_to_torso"], base["torso_to_notch"]
    own["trunk_length"] = ((pelvis + torso) * own["trunk_length"] - pelvis * own["pelvis"]) / torso
    own["overall"] = people["stature"] / (1000.0 * NEUTRAL_VERTEX_M) - 1.0
    return np.array([own[name] for name in FACTORS])


def means(people: Table, weight: np.ndarray) -> dict[str, float]:
    """Mean proportions against the base model's; the trunk makes up the stature."""
    base, height, ratio = base_lengths_m(), height_by_factor_m(), ratios(people)
    mean = dict.fromkeys(FACTORS, 0.0)
    mean["overall"] = weight @ people["stature"] / (1000.0 * NEUTRAL_VERTEX_M) - 1.0
    for name in ("thigh", "leg"):
        mean[name] = weight @ ratio[name] * NEUTRAL_VERTEX_M / base[name] - 1.0
    mean["arm"] = DE_LEVA_ARM_BY_STATURE * NEUTRAL_VERTEX_M / base["arm"] - 1.0
    mean["trunk_length"] = -(height["thigh"] * mean["thigh"] + height["leg"] * mean["leg"]) / height["trunk_length"]
    return mean


def side_difference(skeletons: Table, *bones: str) -> float:
    """Root mean square of right less left by their mean."""
    left, right = (sum(skeletons[side + bone] for bone in bones) for side in "LR")
    difference = 2.0 * (right - left) / (right + left)
    return np.sqrt(np.mean(difference[np.abs(difference) < LARGEST_SIDE_DIFFERENCE] ** 2))


def rounded(values: dict[str, float], digits: int = 4) -> dict[str, float]:
    """Plain numbers for YAML."""
    return {name: round(float(value), digits) for name, value in values.items()}


def main(men: str, women: str, goldman: str) -> None:
    """Print what population.yaml holds."""
    people, skeletons = read(men, women), read(goldman)
    count = len(read(men)["stature"])
    others = len(people["stature"]) - count
    weight = np.repeat([0.5 / count, 0.5 / others], [count, others])
    values = factors(people, weight)
    values -= (values @ weight)[:, None]
    covariance = values * weight @ values.T
    std = np.sqrt(np.diag(covariance))
    correlation = (covariance / np.outer(std, std)).round(2).tolist()
    error_m = np.array(list(height_by_factor_m().values())) @ values - NEUTRAL_VERTEX_M * values[0]
    sides = {"thigh": ("FBL",), "leg": ("TML",), "arm": ("HML", "RML")}
    table = {
        "mean": rounded(means(people, weight)),
        "sd": rounded(dict(zip(FACTORS, std, strict=True))),
        "correlation": {name: correlation[i][:i] for i, name in enumerate(FACTORS) if i},
        "side_difference_sd": rounded({limb: side_difference(skeletons, *bones) for limb, bones in sides.items()}),
        **rounded({"stature_error_sd": np.sqrt(weight @ error_m**2)}),
        "R": rounded({name: weight @ ratio for name, ratio in ratios(people).items()}),
    }
    print(yaml.safe_dump(table, sort_keys=False, default_flow_style=None, width=120))


if __name__ == "__main__":
    main(*sys.argv[1:])
