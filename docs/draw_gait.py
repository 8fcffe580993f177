"""Draws docs/pictures/gait_steps.png: step length and width from three footprints, and the rule on one stride.

python docs/draw_gait.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from markerless_biomech.gait.foot_track import FootTrack
from markerless_biomech.gait.rules import GaitRule
from markerless_biomech.gait.values import FootSample
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.person import person_subject
from markerless_biomech.simulation.skeleton import build_skeleton
from markerless_biomech.simulation.walker import walk

PICTURE = Path(__file__).parent / "pictures" / "gait_steps.png"


def main() -> None:
    """Two panels."""
    figure, (prints, rule) = plt.subplots(1, 2, figsize=(11, 4.2))
    draw_footprints(prints)
    draw_rule(rule)
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110)


def draw_footprints(axes: plt.Axes) -> None:
    """Strikes k-1, k, k+1 of a walk that bends to the left."""
    heels = np.array([[0.0, 0.10], [0.62, -0.06], [1.24, 0.30]])
    yaws = np.radians([12.0, 4.0, 24.0])
    for heel, yaw, name in zip(heels, yaws, ("k-1", "k", "k+1"), strict=True):
        outline = np.stack([np.cos(np.linspace(0, 2 * np.pi, 60)), np.sin(np.linspace(0, 2 * np.pi, 60))], -1)
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        foot = (outline * [0.13, 0.045] + [0.11, 0.0]) @ turn.T + heel
        axes.fill(*foot.T, color="0.85")
        axes.plot(*heel, "ko", ms=4)
        axes.annotate(f"h({name})", heel, xytext=(-6, 8), textcoords="offset points", ha="right")
    stride = heels[2] - heels[0]
    unit = stride / np.linalg.norm(stride)
    foot = heels[0] + ((heels[1] - heels[0]) @ unit) * unit
    axes.annotate("", heels[2], heels[0], arrowprops={"arrowstyle": "->", "color": "0.5"})
    axes.plot(*np.array([heels[1], foot]).T, "C3", lw=2)
    axes.plot(*np.array([heels[0], foot]).T, "C0", lw=2)
    axes.text(*(0.5 * (heels[0] + foot) + [-0.02, 0.06]), "step length", color="C0", rotation=10, ha="center")
    axes.text(*(0.5 * (heels[1] + foot) + [0.02, 0.0]), "step width", color="C3")
    axes.text(*(heels[0] + 0.6 * stride + [0.0, -0.07]), "stride", color="0.4", rotation=10)
    axes.set_aspect("equal")
    axes.axis("off")


def draw_rule(axes: plt.Axes) -> None:
    """Speeds of heel and toe over one stride, the rule's speed, and the true events."""
    settings = SimulationSettings(path="line", seconds=4.0)
    subject = person_subject(settings)
    motion = walk(settings, subject)
    soles = build_skeleton(subject, load_keypoint_set("coco_17")).soles_m(motion.qpos)
    given = GaitRule()
    track = FootTrack(given.smoothing_s, given.progress_s)
    for time_s, feet, qpos in zip(motion.stamps_s, soles, motion.qpos, strict=True):
        track.add(FootSample(round(time_s * 1e9), feet[::-1, 0], feet[::-1, 3], pelvis_m=qpos[:3]))
    smooth = track.motion(0)
    speed = np.linalg.norm(smooth.velocity_m_s, axis=-1)
    axes.plot(smooth.times_s, speed[:, 1], label="heel")
    axes.plot(smooth.times_s, speed[:, 3], label="toe")
    threshold = given.threshold_m_s(np.linalg.norm(smooth.progress_m_s, axis=-1))
    axes.plot(smooth.times_s, threshold, "k--", lw=1, label="rule's speed v*")
    for event in motion.events:
        if event.side == "right":
            axes.axvline(event.time_s, color="C2" if event.type == "heel_strike" else "C1", lw=1)
    axes.set(xlim=(1.0, 2.4), ylim=(0.0, 6.5), xlabel="time (s)", ylabel="speed of the right foot (m/s)")
    axes.legend(loc="upper center")
    axes.set_title("green: heel strike, orange: toe off (true)", fontsize=9)


if __name__ == "__main__":
    main()
