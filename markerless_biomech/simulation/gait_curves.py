"""Normal walking in numbers: joint angles over the stride, cadence and stance share, from the literature.

Angles are key values read from published means of healthy adults and joined by periodic splines, in degrees over
per cent of the stride of the side's own leg (0 = its heel strike). They are the walker's reference; contact with the
floor is made exact afterwards (`planting.py`). Sources, by the letters below:
[W] Winter, Biomechanics and Motor Control of Human Movement, 4th ed. 2009; [P] Perry & Burnfield, Gait Analysis, 2nd
ed. 2010; [F] Fukuchi, Fukuchi & Duarte, PeerJ 6:e4640, 2018; [M] Murray, Sepic & Barnard, Physical Therapy 47:272,
1967; [C] Crosbie, Vachalathiti & Smith, Gait & Posture 5:6, 1997; [L] Leardini et al., Gait & Posture 26:560, 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

HARMONICS = 8
"""Of the stride's frequency: walking's joint angles hold next to nothing above (Winter 2009: 6 Hz)."""


@dataclass(frozen=True)
class Curve:
    """One angle over the stride. Positive: flexion, adduction, internal rotation, dorsiflexion, inversion, toes up."""

    keys: tuple[tuple[float, float], ...]
    """(per cent of the stride, degrees)."""
    speed_gain: float
    """Relative change of the excursion about `pivot_deg` for a relative change of step length."""
    pivot_deg: float = 0.0

    def angle_rad(self, phase: np.ndarray, step_ratio: np.ndarray | float = 1.0) -> np.ndarray:
        """Angle at `phase` (strides) for a step `step_ratio` times as long as at comfortable speed."""
        gain = 1.0 + self.speed_gain * (np.asarray(step_ratio) - 1.0)
        return np.radians(self.pivot_deg + gain * (_series(self.keys, phase) - self.pivot_deg))


def _series(keys: tuple[tuple[float, float], ...], phase: np.ndarray) -> np.ndarray:
    """Fourier series (`HARMONICS` terms) of the periodic cubic spline through `keys`."""
    percent, value = np.array([*keys, (keys[0][0] + 100.0, keys[0][1])]).T
    samples = CubicSpline(percent / 100.0, value, bc_type="periodic")(np.arange(128) / 128.0)
    coefficients = np.fft.rfft(samples)[: HARMONICS + 1] / 128.0
    coefficients[1:] *= 2.0
    order = np.arange(HARMONICS + 1)
    return (coefficients * np.exp(2j * np.pi * order * np.asarray(phase)[..., None])).real.sum(-1)


LEG_CURVES = {
    # [W] table A.4, [F]; zero as in standing, so without the pelvis' standing tilt
    "hip_flexion": Curve(
        (
            *((0, 25), (5, 24.5), (10, 22), (20, 12), (30, 1), (40, -9), (48, -14.5), (53, -16), (60, -11)),
            *((66, -1), (72, 11), (80, 23), (86, 27), (92, 27), (96, 26)),
        ),
        speed_gain=0.9,
        pivot_deg=5.0,
    ),
    # [P] ch. 6, [F]: adduction through single support, abduction in early swing
    "hip_adduction": Curve(
        (
            *((0, 0), (7, 3), (15, 5.5), (25, 5), (40, 3.5), (48, 2), (55, -1.5), (63, -5), (70, -5), (80, -2.5)),
            *((92, -0.5),),
        ),
        speed_gain=0.4,
    ),
    # [F], [L]; less the external rotation that turns the feet out
    "hip_rotation": Curve(((0, -6), (10, -3), (20, -2), (35, -3), (50, -5), (60, -7), (72, -8), (85, -8)), 0.3, -5.0),
    # [W] table A.4, [P] ch. 5
    "knee_angle": Curve(
        (
            *((0, 4.5), (4, 9), (8, 14.5), (13, 18.5), (18, 18), (25, 14), (32, 9.5), (39, 6.5), (45, 8.5), (50, 14.5)),
            *((55, 26), (60, 41), (65, 56), (69, 62.5), (72, 65), (76, 62), (82, 46), (88, 24), (93, 8.5), (97, 3)),
        ),
        speed_gain=0.2,
        pivot_deg=5.0,
    ),
    # [W] table A.4, [P] ch. 4
    "ankle_angle": Curve(
        (
            *((0, 0), (3, -3), (6.5, -5.5), (10, -4), (15, 0), (22, 4), (30, 6.5), (38, 8.5), (45, 9.5), (50, 7)),
            *((54, 0), (58, -9), (62, -16), (65, -17), (70, -12), (76, -4.5), (82, 0), (88, 1.5), (94, 1)),
        ),
        speed_gain=0.4,
    ),
    # [L], [P] ch. 4: eversion under load, inversion at push-off
    "subtalar_angle": Curve(
        ((0, 2), (8, -2), (15, -4), (30, -4), (40, -2.5), (50, 1), (58, 4.5), (63, 5), (72, 3), (85, 2)), speed_gain=0.3
    ),
    # [P] ch. 4, [L]: toes extend while the heel rises, and before heel strike
    "mtp_angle": Curve(
        (
            *((0, 12), (5, 9), (10, 2), (14, 0), (25, 0), (35, 0), (42, 5), (48, 15), (54, 28), (58, 32), (62, 26)),
            *((67, 11), (73, 3), (82, 5), (92, 10)),
        ),
        speed_gain=0.3,
    ),
}
"""Per leg."""

PELVIS_CURVES = {
    # [C], [P] ch. 7: forward tilt, twice a stride
    "tilt": Curve(
        ((0, 2.2), (12, 1.4), (25, 2), (38, 2.8), (50, 2.2), (62, 1.4), (75, 2), (88, 2.8)), 0.5, pivot_deg=2.0
    ),
    # right side up
    "obliquity": Curve(
        ((0, 0.5), (7, 3), (13, 4), (25, 2.2), (37, 1), (50, -0.5), (57, -3), (63, -4), (75, -2.2), (87, -1)), 0.5
    ),
    # right side forward
    "rotation": Curve(((0, 4.5), (12, 3.5), (25, 0.5), (37, -2.5), (50, -4.5), (62, -3.5), (75, -0.5), (87, 2.5)), 0.7),
}
"""About the heading, over the right leg's stride."""

TRUNK_CURVES = {
    # [C]: the trunk leans a little forward and stays steadier than the pelvis below it
    "lumbar_extension": Curve(
        ((0, -4.5), (13, -3), (25, -4), (38, -5), (50, -4.5), (63, -3), (75, -4), (88, -5)), 0.5, -4.0
    ),
    # to the right
    "lumbar_bending": Curve(
        ((0, 0.5), (8, 4), (14, 5.5), (25, 4), (37, 2), (50, -0.5), (58, -4), (64, -5.5), (75, -4), (87, -2)), 0.5
    ),
    # right shoulder forward
    "lumbar_rotation": Curve(((0, -7.5), (12, -6), (25, -1.5), (38, 4), (50, 7.5), (62, 6), (75, 1.5), (88, -4)), 0.7),
    "neck_extension": Curve(((0, 2.5), (13, 1.5), (25, 2), (38, 3), (50, 2.5), (63, 1.5), (75, 2), (88, 3)), 0.3, 2.0),
    "neck_bending": Curve(((0, 0), (14, -1.5), (25, -1.5), (37, -1), (50, 0), (64, 1.5), (75, 1.5), (87, 1)), 0.3),
    "neck_rotation": Curve(((0, 3), (12, 2.5), (25, 1), (38, -1.5), (50, -3), (62, -2.5), (75, -1), (88, 1.5)), 0.5),
}
"""Over the right leg's stride."""

ARM_CURVES = {
    # [M] at free speed: 24 deg back at the same side's heel strike, 8 deg forward at the other's
    "arm_flex": Curve(
        ((0, -22), (8, -22), (20, -16), (32, -3), (44, 7), (54, 9), (65, 4), (78, -8), (90, -18)), 1.1, -6.0
    ),
    "arm_add": Curve(((0, -9), (25, -7), (50, -6), (75, -8)), 0.3, -7.5),
    "arm_rot": Curve(((0, 4), (25, 6), (50, 9), (75, 6)), 0.5, 6.0),
    # [M]: 17 deg when the arm is back, 40 deg when it is forward
    "elbow_flex": Curve(
        ((0, 17), (12, 16), (25, 20), (38, 30), (50, 38), (58, 39), (68, 33), (80, 24), (90, 19)), 0.6, 20.0
    ),
    "pro_sup": Curve(((0, 72), (25, 75), (50, 82), (75, 77)), 0.3, 75.0),
    "wrist_flex": Curve(((0, 4), (25, 6), (50, 10), (75, 7)), 0.5, 6.0),
    "wrist_dev": Curve(((0, 2), (25, 3), (50, 5), (75, 3)), 0.5, 3.0),
}
"""Per arm, over the same side's leg's stride."""

COMFORTABLE_STEP = 0.40
"""Step length at comfortable speed as a share of stature (Winter 2009; Murray et al. 1964)."""


def stride_frequency_hz(speed_m_s: np.ndarray | float, height_m: float) -> np.ndarray:
    """Grieve & Gear, Ergonomics 9:379, 1966: 64.8 strides a minute times (speed in statures a second)^0.57."""
    return 64.8 / 60.0 * (np.asarray(speed_m_s, dtype=float) / height_m) ** 0.57


def step_ratio(speed_m_s: np.ndarray | float, height_m: float) -> np.ndarray:
    """Step length relative to that of comfortable speed, kept within what the curves may be stretched to."""
    step_m = np.asarray(speed_m_s, dtype=float) / (2.0 * stride_frequency_hz(speed_m_s, height_m))
    return np.clip(step_m / (COMFORTABLE_STEP * height_m), 0.35, 1.45)


def stance_share(speed_m_s: np.ndarray | float, height_m: float) -> np.ndarray:
    """Stance falls with speed, about linearly, 62 % at 1.3 m/s (Hebenstreit et al., Hum. Mov. Sci. 43:118, 2015)."""
    return np.clip(0.70 - 0.108 * np.asarray(speed_m_s, dtype=float) / height_m, 0.54, 0.68)


def curve_phase(phase: np.ndarray, stance: np.ndarray | float) -> np.ndarray:
    """Phase at which the curves (toe off at 62 %) are read, for a stride with toe off at `stance`; smooth."""
    bend = (0.62 - np.asarray(stance)) / (0.5 * (1.0 - np.cos(2.0 * np.pi * np.asarray(stance))))
    return phase + bend * 0.5 * (1.0 - np.cos(2.0 * np.pi * np.asarray(phase)))
