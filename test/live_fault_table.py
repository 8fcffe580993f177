"""The faults that the live system is shown, what it says of them, and what is noted of each."""

from dataclasses import dataclass, field

from markerless_biomech.settings import SimulationSettings

SMALL = SimulationSettings(cameras=3, fps=30.0, seconds=4.0, keypoint_set="coco_17", path="treadmill")
FAULTS = {
    "camera-stop:cam1": "camera cam1: (STALE|DEAD): silent for",
    "camera-stop": "fit: LOST: no frame set for",
    "camera-freeze:cam1": "camera cam1: .*the very same points",
    "camera-freeze": "camera cam0: .*the very same points",
    "camera-repeat:cam1": "camera cam1: .*had come before",
    "camera-lag:cam1=5frames": "camera cam1: .*behind the other cameras",
    "camera-lag=5frames": "",
    "camera-rate:cam1=12Hz": r"camera cam1: .*runs at 12\.\d Hz",
    "jitter=10ms": "",
    "jitter=100ms": "out of order|behind the other cameras|before its frames come|late",
    "duplicate": "camera cam0: .*had come before",
    "reorder:cam1": "camera cam1: .*out of order",
    "reorder": "camera cam0: .*out of order",
    "clock-step:cam1=0.05s": "camera cam1: .*ahead of the other cameras'",
    "clock-step:cam1=1s": "camera cam1: .*ahead of the other cameras'",
    "clock-step:cam1=-1s": "camera cam1: .*behind the other cameras'",
    "clock-step=5s": r"clock: stamps are [45]\.. s ahead of this machine's clock",
    "clock-step=-5s": r"clock: stamps are [45]\.. s behind this machine's clock",
    "nan:cam1": "assembly: .*camera cam1: u of keypoint '.*' of person 0 is nan",
    "inf:cam1": "assembly: .*camera cam1: u of keypoint '.*' of person 0 is inf",
    "wrong-length:cam1": r"assembly: .*camera cam1: \d+ numbers in points, expected a multiple of",
    "wrong-set:cam1": "assembly: .*camera cam1: keypoints of the set 'halpe_26', expected",
    "wrong-size:cam1": "assembly: .*camera cam1: keypoints in an image of 640 x 512 px",
    "swap:cam1": "",
    "swap:cam0,cam1,cam2": "",
    "person-leaves": "fit: LOST: (no camera sees a person|seen by fewer than 2 cameras)",
    "second-person": "",
    "camera-bump:cam1=1deg,20mm": "",
    "camera-drift:cam1=0.5deg/s": "",
    "camera-focal:cam1=2%": "",
}
"""Every fault, and what diagnostics say of it as 'line: words'; empty: no word is waited for, the fit takes it in its
stride, or whoever watches the cameras names it."""
LAG_S = {"camera-lag:cam1=5frames": 5 / 30, "camera-lag=5frames": 5 / 30, "jitter=100ms": 0.1}
"""How much older results may be."""


@dataclass
class Verdict:
    """What a fault did. Times in s of stamps."""

    fault: str
    said: str = ""
    """The first sentence that named it; empty: none."""
    named_s: float = float("nan")
    """How long after its start."""
    well_s: float = float("nan")
    """How long after its end the joints were right again, and stayed so."""
    before_deg: float = float("nan")
    """Error of the joints over the same strides without a fault."""
    after_deg: float = float("nan")
    stale_s: float = 0.0
    """Largest age of a result against the newest keypoints that had come with its own."""
    kept_up: bool = True
    """The fit kept up with the cameras, so that what is said of time may be asked for."""
    wrong: list[str] = field(default_factory=list)
    """What must not be."""
