"""Qualisys' calibration (XML, often .qca.txt): poses in mm, intrinsics in 64ths of a pixel of the whole sensor."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ..calibrated_camera import Camera, Rig
from .calibration import Calibration, camera_from_opencv, rig_from_calibration
from .values import first_line, proper_rotation

DISTORTION = (
    "radialDistortion1",
    "radialDistortion2",
    "tangentalDistortion1",
    "tangentalDistortion2",
    "radialDistortion3",
)
"""In OpenCV's order. They work on normalised coordinates, so they have no unit to convert."""

SUBPIXELS = 64.0


def rig_from_qualisys(text: str, where: str) -> Rig:
    """The cameras that record video (all, where the file does not say which do)."""
    return rig_from_calibration(where, read_qualisys(text, where))[0]


def read_qualisys(text: str, where: str) -> Calibration:
    """As `rig_from_qualisys`, before units and axes."""
    try:
        root = ElementTree.fromstring(text)
    # Entities that are not defined raise ParseError, characters that XML does not have ValueError.
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid XML ({first_line(error)})") from error
    active = [element for element in root.iter("camera") if element.get("active", "1") != "0"]
    video = [element for element in active if "video" in (element.get("model") or "").lower()]
    if not active:
        raise InputError(f"{where}: no camera found; expected a Qualisys calibration")
    return Calibration([_camera(where, index, element) for index, element in enumerate(video or active)], "mm")


@dataclass(frozen=True)
class _Entry:
    """One camera's element, with the place to name in errors."""

    place: str
    element: ElementTree.Element

    def number(self, tag: str, attribute: str) -> float:
        """A number of a child's attribute."""
        child = self.element.find(tag)
        text = None if child is None else child.get(attribute)
        try:
            value = float(text or "")
        except ValueError as error:
            raise InputError(f"{self.place} has {tag} {attribute} {text!r}; expected a number") from error
        if not np.isfinite(value):
            raise InputError(f"{self.place} has {tag} {attribute} {text!r}; expected a finite number")
        return value


def _camera(where: str, index: int, element: ElementTree.Element) -> Camera:
    name = element.get("serial") or f"cam{index}"
    entry = _Entry(f"{where}: camera '{name}'", element)
    left, top = entry.number("fov_video", "left"), entry.number("fov_video", "top")
    size = np.array([entry.number("fov_video", "right") - left, entry.number("fov_video", "bottom") - top]) + 1.0
    focal = [entry.number("intrinsic", f"focalLength{axis}") / SUBPIXELS for axis in "UV"]
    centre = [entry.number("intrinsic", f"centerPoint{axis}") / SUBPIXELS for axis in "UV"]
    k = np.array([[focal[0], 0.0, centre[0] - left], [0.0, focal[1], centre[1] - top], [0.0, 0.0, 1.0]])
    # Rows are the camera's axes in world: x right, y up, z backward; the optical frame has y down and z forward.
    rows = np.array([[entry.number("transform", f"r{i}{j}") for j in (1, 2, 3)] for i in (1, 2, 3)])
    camera_from_world = np.diag([1.0, -1.0, -1.0]) @ proper_rotation(entry.place, "transform", rows)
    position = np.array([entry.number("transform", axis) for axis in "xyz"])
    d = np.array([entry.number("intrinsic", attribute) for attribute in DISTORTION])
    return camera_from_opencv(where, name, "plumb_bob", k, d, camera_from_world, -camera_from_world @ position, size)
