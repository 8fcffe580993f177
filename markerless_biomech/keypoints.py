"""Keypoints: what a detector calls its points, where they sit on the body, and what one camera saw at one instant.

A keypoint set is a data file (`keypoint_sets/*.yaml`, or a lab's own): names in the detector's order, each with the
body segment that carries it, its position on the base model, its left/right partner and a weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .errors import InputError
from .files import file_text, is_finite_number, short, yaml_content

SHIPPED_KEYPOINT_SETS = (
    "bml_movi_87",
    "coco_17",
    "halpe_26",
    "body_25",
    "body_25b",
    "blazepose_33",
    "coco_wholebody_133",
)


@dataclass(frozen=True, eq=False)
class KeypointSet:
    """Names of a detector's keypoints and the sites of the body that they show."""

    name: str
    names: tuple[str, ...]
    """In the detector's order."""
    bodies: tuple[str, ...]
    """Body segment (OpenSim's name) that carries each keypoint; '' for a keypoint that is not used (hands, face)."""
    positions_m: np.ndarray
    """(K, 3) position in the segment's frame of the unscaled base model, REP-103 axes (x forward, y left, z up)."""
    partners: np.ndarray
    """(K,) index of the keypoint on the other side of the body; a keypoint on the midline is its own partner."""
    weights: np.ndarray
    """(K,) weight of the reprojection term relative to 1; 0 for a keypoint that is not used."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def site_from_keypoint(self) -> dict[str, int]:
        """Index by keypoint name."""
        return {name: index for index, name in enumerate(self.names)}

    def to_dict(self) -> dict[str, Any]:
        """As in its file: `from_dict(to_dict())` is the identity."""
        keypoints = {
            name: {
                "body": body,
                "position_m": [round(float(x), 6) for x in position],
                "partner": self.names[partner],
                "weight": float(weight),
            }
            if body
            else None
            for name, body, position, partner, weight in zip(
                self.names, self.bodies, self.positions_m, self.partners, self.weights, strict=True
            )
        }
        return {"name": self.name, "keypoints": keypoints}


def load_keypoint_set(source: str | Path) -> KeypointSet:
    """Load a shipped set by name, or a lab's own by file path. Raises InputError naming file, keypoint and field."""
    if str(source) in SHIPPED_KEYPOINT_SETS:
        return _load_shipped(str(source))
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"keypoint set '{source}': neither a file nor one of the shipped sets {', '.join(SHIPPED_KEYPOINT_SETS)}"
        )
    return keypoint_set_from_text(file_text(path, "keypoint set"), str(path))


@cache
def _load_shipped(name: str) -> KeypointSet:
    file = resources.files("markerless_biomech") / "keypoint_sets" / f"{name}.yaml"
    return keypoint_set_from_text(file.read_text(), str(file))


def keypoint_set_from_text(text: str, where: str) -> KeypointSet:
    """Parse the YAML of a keypoint set; `where` names the file in errors."""
    content = yaml_content(text, where, _UniqueKeys)
    if not isinstance(content, dict) or not isinstance(content.get("keypoints"), dict) or not content["keypoints"]:
        raise InputError(f"{where}: expected 'name' and 'keypoints' (a map from keypoint name to body and position_m)")
    names = tuple(str(name) for name in content["keypoints"])
    given = zip(names, content["keypoints"].values(), strict=True)
    entries = [_entry(where, name, entry, names) for name, entry in given]
    partners = np.array([names.index(partner) for _, _, partner, _ in entries])
    lonely = np.flatnonzero(partners[partners] != np.arange(len(names)))
    if lonely.size:
        name, partner = names[lonely[0]], names[partners[lonely[0]]]
        raise InputError(f"{where}: keypoint '{name}' names '{partner}' as partner, which does not name it back")
    return KeypointSet(
        name=str(content.get("name", Path(where).stem)),
        names=names,
        bodies=tuple(body for body, _, _, _ in entries),
        positions_m=np.array([position for _, position, _, _ in entries], dtype=float),
        partners=partners,
        weights=np.array([weight for _, _, _, weight in entries], dtype=float),
    )


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a name given twice is an error: the second would replace the first and shift all that follow."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = [key for key in mapping if keys.count(key) > 1]
        if twice:
            raise yaml.YAMLError(f"{twice[0]!r} twice, line {node.start_mark.line + 1} on")
        return mapping


def _entry(where: str, name: str, entry: Any, names: tuple[str, ...]) -> tuple[str, list[float], str, float]:
    """Check one keypoint of a file: (body, position, partner, weight); null means: ignore this keypoint."""
    from .body.names import BODY_NAMES

    if entry is None:
        return "", [0.0, 0.0, 0.0], name, 0.0
    if not isinstance(entry, dict):
        raise InputError(f"{where}: keypoint '{name}' is {short(entry)}; expected a map with body, position_m, or null")
    unknown = sorted(str(key) for key in set(entry) - {"body", "position_m", "partner", "weight"})
    if unknown:
        known = "body, position_m, partner and weight"
        raise InputError(f"{where}: keypoint '{name}' has the unknown field '{unknown[0]}'; known are {known}")
    body: Any = entry.get("body")
    position: Any = entry.get("position_m")
    if body not in BODY_NAMES:
        raise InputError(f"{where}: keypoint '{name}' has body {short(body)}; expected one of {', '.join(BODY_NAMES)}")
    if not _is_numbers(position, 3):
        raise InputError(f"{where}: keypoint '{name}' has position_m {short(position)}; expected three finite numbers")
    if max(map(abs, position)) > 1.0:
        raise InputError(f"{where}: keypoint '{name}' has position_m {short(position)}; expected metres, at most 1")
    partner = str(entry.get("partner", name))
    if partner not in names:
        raise InputError(f"{where}: keypoint '{name}' has partner '{partner}', which is not a keypoint of this file")
    weight = entry.get("weight", 1.0)
    if not _is_numbers([weight], 1) or weight < 0:
        raise InputError(f"{where}: keypoint '{name}' has weight {short(weight)}; expected a number of at least 0")
    return body, [float(x) for x in position], partner, float(weight)


def _is_numbers(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(is_finite_number, value))


@dataclass(frozen=True, eq=False)
class KeypointFrame:
    """What one camera's detector saw at one instant: any number of people, in any order."""

    camera: str
    stamp_ns: int
    """Mid-exposure time by the camera's clock, as in the message's header."""
    arrival_ns: int
    """When the message was received, by the steady clock of its reader (a bag's receive time in replay)."""
    points: np.ndarray
    """(P, K, 3) float32: u (px, right), v (px, down), confidence (0: not seen); P = 0: nobody seen. All finite."""
    person_ids: tuple[int, ...] = ()
    """The detector's own, empty or one a person; never trusted for identity."""
    frame_number: int = 0
    """The camera's counter; 0 unknown."""
    rectified: bool = False
    """True: pixels of the rectified image (CameraInfo's R and P, no distortion)."""
    size_px: tuple[int, int] = (0, 0)
    """Width and height of the image the detector saw; (0, 0) unknown."""
