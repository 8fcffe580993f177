"""How well the offline fit finds simulated people: segment lengths, joint angles after refit, honesty of its intervals.

    python benchmarks/calibration.py --people 10 [--cameras 4 --noise-px 5] [--path stand --seconds 1 --trials 1]

Everybody has segment scales of +-12 % and site offsets of SD 15 mm, none of it known to the fit. For each person the
trials are simulated, the subject is calibrated on all of them, written to a file and read again, and every trial is
refitted with it. One row a person, then the joints over all people.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.body.subject import Subject, load_subject, save_subject
from markerless_biomech.cameras.frame_sets import FrameSetAssembler
from markerless_biomech.devices import enable_compile_cache
from markerless_biomech.recording.oracle import BodyOracle, project_px
from markerless_biomech.recording.segments import segment_lengths_m
from markerless_biomech.results import Tracking
from markerless_biomech.session import SessionFit, Trial, fit_session, fit_trajectories
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.virtual_rig import START_NS, SimulatedSession, simulate

GROUPS = {
    "hip": ("hip_flexion", "hip_adduction", "hip_rotation"),
    "knee": ("knee_angle",),
    "lumbar": ("lumbar_extension", "lumbar_bending", "lumbar_rotation"),
    "shoulder": ("arm_flex", "arm_add", "arm_rot"),
    "ankle": ("ankle_angle",),
    "subtalar": ("subtalar_angle",),
    "elbow": ("elbow_flex",),
    "mtp": ("mtp_angle",),
    "forearm": ("pro_sup",),
    "wrist": ("wrist_flex", "wrist_dev"),
    "neck": ("neck_extension", "neck_bending", "neck_rotation"),
}


def trial_of(session: SimulatedSession, name: str) -> Trial:
    """All frame sets of a simulated session."""
    assembler = FrameSetAssembler(session.rig_nominal.cameras, replay_mode=True)
    frame_sets = [frame_set for frame in session.frames() for frame_set in assembler.push(frame)]
    frame_sets = sorted([*frame_sets, *assembler.flush()], key=lambda frame_set: frame_set.stamp_ns)
    return Trial(name, session.rig_nominal, tuple(frame_sets))


def errors_deg(fit: SessionFit, session: SimulatedSession) -> tuple[np.ndarray, np.ndarray]:
    """(F, 34) error and its stated standard deviation of the tracked frames of a fit's only trial."""
    bodies = [body for body in fit.trials[0].bodies if body.tracking != Tracking.LOST]
    rows = np.round((np.array([b.stamp_ns for b in bodies]) - START_NS) * 1e-9 * session.settings.fps).astype(int)
    found = np.array([body.qpos[7:] for body in bodies])
    std = np.sqrt([np.diagonal(body.covariance)[6:] for body in bodies])
    return np.degrees(found - session.motion.qpos[rows, 7:]), np.degrees(std)


def consistency(subject: Subject, qpos: np.ndarray, rows: np.ndarray, session: SimulatedSession) -> float:
    """GC5: share of the points of confidence 0.5 or more within 5 px of their sites."""
    sites_m = BodyOracle(subject, session.keypoint_set).sites_m(qpos)
    near = []
    for index, camera in enumerate(session.rig_true.cameras.values()):
        points = session.keypoints[rows, index]
        distance = np.linalg.norm(project_px(camera, sites_m) - points[..., :2], axis=-1)
        near.append(distance[points[..., 2] >= 0.5] < 5.0)
    return float(np.concatenate(near).mean())


def measured(person: int, options: argparse.Namespace) -> dict:
    """Everything about one person."""
    sessions = [
        simulate(
            SimulationSettings(
                seed=1000 * person + index,
                person_seed=person,
                hard_person=True,
                seconds=options.seconds,
                cameras=options.cameras,
                noise_px=options.noise_px,
                path=options.path,
            )
        )
        for index in range(options.trials)
    ]
    trials = [trial_of(session, f"trial{index}") for index, session in enumerate(sessions)]
    keypoint_set, truth = sessions[0].keypoint_set, sessions[0].subject
    file, start = options.work / f"person_{person}.yaml", time.monotonic()
    if not (options.again and file.exists()):
        calibrated = fit_session(trials, keypoint_set, truth.height_m if options.height else None)
        save_subject(calibrated.subject, file, force=True)
    calibrate_s = time.monotonic() - start
    subject = load_subject(file)
    start = time.monotonic()
    fits = [fit_trajectories([trial], keypoint_set, subject) for trial in trials]
    refit_s = time.monotonic() - start
    lengths, true_lengths = segment_lengths_m(subject.scales), segment_lengths_m(truth.scales)
    pairs = [errors_deg(fit, session) for fit, session in zip(fits, sessions, strict=True)]
    rows = np.arange(0, len(sessions[0].motion.qpos), 5)
    ours = np.array([body.qpos for body in fits[0].trials[0].bodies])[rows]
    return {
        "segments_mm": [1000 * abs(lengths[name] - true_lengths[name]) for name in lengths],
        "raw": np.sqrt(np.mean([np.mean(error**2, 0) for error, _ in pairs], 0)),
        "debiased": np.mean([error.std(0) for error, _ in pairs], 0),
        "standard": np.concatenate([error / std for error, std in pairs]),
        "mean_standard": np.mean([error.mean(0) / std.mean(0) for error, std in pairs], 0),
        "gc5": (
            consistency(subject, ours, rows, sessions[0]),
            consistency(truth, sessions[0].motion.qpos[rows], rows, sessions[0]),
        ),
        "seconds": (calibrate_s, refit_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="seed of the first person")
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--noise-px", type=float, default=3.0)
    parser.add_argument("--path", default="loop")
    parser.add_argument("--height", action="store_true", help="give the stature to the fit")
    parser.add_argument("--again", action="store_true", help="refit with the subjects that a run before left in --work")
    parser.add_argument("--work", type=Path, default=Path("out/calibration"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    enable_compile_cache()
    people = []
    print("person | segments mm median, max | raw deg | debiased deg | GC5, truth's | calibrate s, refit s")
    for person in range(options.first, options.first + options.people):
        found = measured(person, options)
        people.append(found)
        lengths = found["segments_mm"]
        print(
            f"{person} | {np.median(lengths):.2f}, {max(lengths):.2f} | {found['raw'].mean():.2f} | "
            f"{found['debiased'].mean():.2f} | {found['gc5'][0]:.3f}, {found['gc5'][1]:.3f} | "
            f"{found['seconds'][0]:.0f}, {found['seconds'][1]:.0f}",
            flush=True,
        )
    together = np.concatenate([found["segments_mm"] for found in people])
    print(
        f"all | {np.median(together):.2f}, {together.max():.2f} | {np.mean([p['raw'].mean() for p in people]):.2f} | "
        f"{np.mean([p['debiased'].mean() for p in people]):.2f}"
    )
    print("\njoint | raw deg (mean over people) | debiased deg | 50 % and 90 % intervals hold | of the means: 50, 90")
    for group, joints in GROUPS.items():
        columns = [i for i, name in enumerate(JOINT_NAMES) if name.removesuffix("_r").removesuffix("_l") in joints]
        raw, debiased = (np.mean([p[key][columns].mean() for p in people]) for key in ("raw", "debiased"))
        z = np.abs(np.concatenate([p["standard"][:, columns].ravel() for p in people]))
        means = np.abs(np.concatenate([p["mean_standard"][columns] for p in people]))
        shares = [np.mean(values < limit) for values in (z, means) for limit in (0.674, 1.645)]
        print(
            f"{group} | {raw:.2f} | {debiased:.2f} | "
            f"{shares[0]:.2f}, {shares[1]:.2f} | {shares[2]:.2f}, {shares[3]:.2f}"
        )


if __name__ == "__main__":
    main()
