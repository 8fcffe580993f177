"""Accuracy on simulated walks, as a user would measure it: simulate, replay, evaluate. Prints one row a session.

python benchmarks/accuracy.py --seeds 0 1 2 3 4 [--realistic] [--generic] [--work out/accuracy]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROWS = ("seed", "result", "mean", "legs and trunk", "worst", "jump excess", "lost", "cover 50", "cover 90")
LEGS_AND_TRUNK = 17
"""The first 17 joints."""


def command(*words: object) -> dict:
    """Run a command of the package; the JSON object it ends with."""
    run = [sys.executable, "-m", "markerless_biomech.cli", *map(str, words), "--json"]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measured(seed: int, options: argparse.Namespace) -> list[list[str]]:
    """Rows of one session, settled and live."""
    name = f"{'realistic' if options.realistic else 'white'}{'_generic' if options.generic else ''}_{seed}"
    bag, result = options.work / name, options.work / f"{name}_result"
    words = ["simulate", "--out", bag, "--seed", seed, "--force", *(["--realistic"] if options.realistic else [])]
    session = command(*words)
    who = ["--height-m", 1.75] if options.generic else ["--subject", session["subject"]]
    command("replay", bag, *who, "--out", result, "--force")
    rows = []
    for kind in ("settled", "live"):
        judged = command("evaluate", result, "--skip-s", 1, "--result", kind)
        truth = judged["truth"]
        joints = truth["joint_rmse_deg"]
        values = list(joints["per_joint"].values())
        figures = [joints["mean"], sum(values[:LEGS_AND_TRUNK]) / LEGS_AND_TRUNK, max(values)]
        coverage = [judged["coverage"]["50"], judged["coverage"]["90"]]
        figures = [*figures, truth["max_jump_excess_deg"], judged["frames_lost"], *coverage]
        rows.append([str(seed), kind, *(f"{value:.2f}" for value in figures)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--realistic", action="store_true", help="occlusion, outliers, swaps, correlated noise, bias")
    parser.add_argument("--generic", action="store_true", help="a subject scaled by height instead of the true one")
    parser.add_argument("--work", type=Path, default=Path("out/accuracy"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(" | ".join(ROWS))
    for seed in options.seeds:
        for row in measured(seed, options):
            print(" | ".join(row), flush=True)


if __name__ == "__main__":
    main()
