"""Whether results are of their time: pure functions of what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from markerless_biomech.recording.message_types import stamp_from_message
from markerless_biomech.simulation.faults import Fault


def stalest_s(
    reports: Sequence[Any], heard: Sequence[tuple[float, str, int]], fault: Fault, cameras: Sequence[str]
) -> float:
    """The newest stamp of a sound camera that had come when a result's last keypoints came, less the result's.

    heard: (when by the steady clock in s, camera, stamp in ns) of keypoints. Stepped clocks cannot be compared.
    """
    sound = [name for name in cameras if not fault.concerns(name)] or list(cameras)
    known = [(when_s, stamp_ns) for when_s, camera, stamp_ns in heard if camera in sound]
    if fault.kind in ("clock-step", "person-leaves") or not known:
        return 0.0
    whens_s = np.array([when_s for when_s, _ in known])
    newest_ns = np.maximum.accumulate([stamp_ns for _, stamp_ns in known])
    ages_s = [0.0]
    for report in reports:
        index = int(np.searchsorted(whens_s, report.received_last_s, side="right")) - 1
        if report.published_s and index >= 0:
            ages_s.append((int(newest_ns[index]) - stamp_from_message(report.header.stamp)) * 1e-9)
    return max(ages_s)


BUSY_NS = 1_000_000_000
"""A busy estimator leaves the first results after a reset out; it says so in reports, not in results."""


def disorder(stamps_ns: Sequence[int], reports: Sequence[Any]) -> list[str]:
    """Results that are not newer than the one before, where time was not said to have been reset just before."""
    resets = np.array([stamp_from_message(report.header.stamp) for report in reports if report.reset])
    return [
        f"a result went back by {(before - after) * 1e-9:.3f} s"
        for before, after in zip(stamps_ns, stamps_ns[1:], strict=False)
        if after <= before and not np.any((resets <= after) & (resets > after - BUSY_NS))
    ]
