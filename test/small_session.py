"""A recorded second of two cameras, and what came of it when it was played."""

import numpy as np
from lab import KEYPOINT_SET, PATIENCE_S

from markerless_biomech.recording.bags import open_bag
from markerless_biomech.recording.message_types import stamp_from_message
from markerless_biomech.recording.simulated_bag import write_simulation
from markerless_biomech.settings import SimulationSettings

SETTINGS = SimulationSettings(cameras=2, fps=30.0, seconds=1.0, keypoint_set=KEYPOINT_SET, path="stand")
WAIT = {"wait_for_subscribers_s": PATIENCE_S}


def small_session(folder):
    """A simulated session of 2 cameras and 30 frames."""
    path = folder / "session"
    write_simulation(SETTINGS, path)
    return path


def stamps_ns(messages):
    return np.array([stamp_from_message(message.header.stamp) for message in messages])


def recorded(bag, topic):
    with open_bag(bag) as reader:
        return [message for _, message, _ in reader.messages({topic})]
