"""Cameras for tests: one of each lens model."""

import cv2
import numpy as np

from markerless_biomech.cameras.calibrated_camera import Camera
from markerless_biomech.rotations import xyzw_from_matrix

LENSES = {
    "plumb_bob": [-0.2, 0.05, 0.001, -0.002, 0.01],
    "rational_polynomial": [0.3, 0.1, 0.001, -0.002, 0.01, 0.5, 0.12, 0.02],
    "equidistant": [-0.02, 0.01, -0.003, 0.001],
}


def make_camera(name="left", model="plumb_bob", **changes):
    values = {
        "name": name,
        "width": 1280,
        "height": 720,
        "distortion_model": model,
        "k": np.array([[900.0, 0.0, 640.0], [0.0, 905.0, 355.0], [0.0, 0.0, 1.0]]),
        "d": np.array(LENSES[model]),
        "position_m": np.array([1.0, -2.0, 1.5]),
        "orientation_xyzw": xyzw_from_matrix(cv2.Rodrigues(np.array([1.2, -0.8, 0.5]))[0]),
        "frame_id": f"{name}_optical",
        "source": "test",
    }
    return Camera(**{**values, **changes})
