"""The subject: scales, site offsets and what is known about them, and its file (YAML).

Offsets are in metres in the frame of the body that carries the keypoint, added after scaling.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..errors import InputError
from ..files import YAML_DUMPER, file_text, short, write_text, yaml_content
from ..keypoints import KeypointSet
from .base import BASE_MODEL, BASE_MODEL_VERSION, NEUTRAL_VERTEX_M
from .names import SCALE_NAMES
from .personal import PERSONAL, PERSONAL_NAMES, personal_unit

FILE_VERSION = 1
"""Version of the file format."""

_REFERENCE_MASS_KG = 75.0
_HEIGHT_M = (0.5, 2.5)
_MASS_KG = (2.0, 400.0)
_SCALE = (-0.8, 1.5)
_OFFSET_M = (-0.5, 0.5)
_SLIDE_M_PER_RAD = (-0.2, 0.2)
_PERSONAL = {"m": (-0.1, 0.1), "rad": (-0.5, 0.5)}


@dataclass(frozen=True, eq=False)
class Subject:
    """One person's body: the base model's lengths and sites made theirs."""

    name: str
    height_m: float
    """Stature (m)."""
    mass_kg: float
    scales: np.ndarray
    """(10,) factors by SCALE_NAMES; all 0 is the base model."""
    personal: np.ndarray | None = None
    """(15,) joint centres and axes of one's own by PERSONAL_NAMES; None: those of the base model."""
    offsets_m: dict[str, np.ndarray] = field(default_factory=dict)
    """(3,) offset by keypoint name, in the carrying body's frame (m); a keypoint that is not named has none."""
    soft_tissue_m_per_rad: dict[str, np.ndarray] = field(default_factory=dict)
    """(3,) by keypoint name: how its skin slides with the flexion of the joint above (soft_tissue.py), in the carrying
    body's frame; empty: no skin slides."""
    keypoint_set: str = ""
    """Name of the keypoint set that offsets and slides are for."""
    covariance: np.ndarray | None = None
    """(X, X) with X = 10 [+ 15] + 3 S + 3 N: of the scales, the personal numbers where there are any, x y z of each of
    the S slides, and x y z of each of the N offsets, in their order. None: unknown."""
    residual_px: float | None = None
    """Mean reprojection error of the fit that found this subject; None: not fitted."""
    base_model: str = BASE_MODEL
    base_model_version: str = BASE_MODEL_VERSION
    date: str = ""
    """ISO date of the calibration."""
    version: int = FILE_VERSION


def subject_from_height(height_m: float, keypoint_set: KeypointSet | str, name: str = "generic") -> Subject:
    """The base model scaled as a whole to a stature, with the base model's body mass index."""
    if not _HEIGHT_M[0] <= height_m <= _HEIGHT_M[1]:
        raise InputError(f"height_m is {height_m:g}; expected {_HEIGHT_M[0]:g} to {_HEIGHT_M[1]:g} m")
    scales = np.zeros(len(SCALE_NAMES))
    scales[SCALE_NAMES.index("overall")] = height_m / NEUTRAL_VERTEX_M - 1.0
    return Subject(
        name=name,
        height_m=float(height_m),
        mass_kg=_REFERENCE_MASS_KG * (height_m / NEUTRAL_VERTEX_M) ** 2,
        scales=scales,
        keypoint_set=keypoint_set if isinstance(keypoint_set, str) else keypoint_set.name,
    )


def save_subject(subject: Subject, path: str | Path, force: bool = False) -> None:
    """Write the subject's file, whole or not at all. Raises InputError when it exists and `force` is not given."""
    content = subject_to_dict(subject)
    text = yaml.dump(content, Dumper=YAML_DUMPER, sort_keys=False, default_flow_style=None, width=120)
    write_text(path, text, force)


def load_subject(path: str | Path) -> Subject:
    """Read a subject's file. Raises InputError naming file, field, what was found and what was expected."""
    path = Path(path)
    content = yaml_content(file_text(path, "subject file"), str(path))
    return subject_from_dict(content, str(path))


def subject_to_dict(subject: Subject) -> dict[str, Any]:
    """Plain values, as in the file and in `definitions/subject`."""
    return {
        "version": subject.version,
        "name": subject.name,
        "date": subject.date,
        "height_m": float(subject.height_m),
        "mass_kg": float(subject.mass_kg),
        "base_model": subject.base_model,
        "base_model_version": subject.base_model_version,
        "scales": {name: float(value) for name, value in zip(SCALE_NAMES, subject.scales, strict=True)},
        **_personal_to_dict(subject),
        "keypoint_set": subject.keypoint_set,
        "offsets_m": _vectors(subject.offsets_m),
        **({"soft_tissue_m_per_rad": _vectors(slides)} if (slides := subject.soft_tissue_m_per_rad) else {}),
        "residual_px": None if subject.residual_px is None else float(subject.residual_px),
        "covariance": None if subject.covariance is None else _packed(subject.covariance),
    }


def subject_from_dict(content: Any, where: str) -> Subject:
    """The inverse of `subject_to_dict`; `where` names the file in errors."""
    read = _Reader(where, content)
    version = read.equal("version", FILE_VERSION, "another version of the file format; calibrate again")
    read.equal("base_model", BASE_MODEL, "another body; calibrate again")
    read.equal("base_model_version", BASE_MODEL_VERSION, "another version of the base model; calibrate again")
    offsets, personal = read.vectors("offsets_m", _OFFSET_M), read.personal()
    has_slides = content.get("soft_tissue_m_per_rad") is not None
    slides = read.vectors("soft_tissue_m_per_rad", _SLIDE_M_PER_RAD) if has_slides else {}
    numbers = len(SCALE_NAMES) + (0 if personal is None else PERSONAL) + 3 * len(slides) + 3 * len(offsets)
    return Subject(
        name=read.text("name"),
        height_m=read.number("height_m", _HEIGHT_M),
        mass_kg=read.number("mass_kg", _MASS_KG),
        scales=read.scales(),
        personal=personal,
        offsets_m=offsets,
        soft_tissue_m_per_rad=slides,
        keypoint_set=read.text("keypoint_set"),
        covariance=read.covariance(numbers),
        residual_px=None if content.get("residual_px") is None else read.number("residual_px", (0.0, 1e4)),
        date=read.text("date"),
        version=version,
    )


def _personal_to_dict(subject: Subject) -> dict[str, Any]:
    """The field `personal`, which files without such numbers do not have."""
    if subject.personal is None:
        return {}
    return {"personal": {name: float(value) for name, value in zip(PERSONAL_NAMES, subject.personal, strict=True)}}


def _vectors(vector_of_name: dict[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: [float(x) for x in vector] for name, vector in vector_of_name.items()}


class _Reader:
    """Checked access to a subject file's fields."""

    def __init__(self, where: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise InputError(f"{where}: expected a map with the fields of a subject, found {type(content).__name__}")
        self._where = where
        self._content = content

    def field(self, name: str) -> Any:
        if name not in self._content:
            raise InputError(f"{self._where}: the field '{name}' is missing")
        return self._content[name]

    def equal(self, name: str, expected: Any, meaning: str) -> Any:
        if self.field(name) != expected:
            raise self.wrong(name, self.field(name), f"{expected!r} ({meaning})")
        return expected

    def text(self, name: str) -> str:
        value = self.field(name)
        if isinstance(value, (dict, list)) or value is None:
            raise self.wrong(name, value, "text")
        return str(value)

    def mapping(self, name: str) -> dict[str, Any]:
        value = self.field(name)
        if not isinstance(value, dict):
            raise self.wrong(name, value, "a map")
        return value

    def number(self, name: str, bounds: tuple[float, float]) -> float:
        return self.numbers(name, name, [self.field(name)], 1, bounds)[0]

    def numbers(self, name: str, label: str, value: Any, count: int, bounds: tuple[float, float]) -> list[float]:
        expected = f"{count} number{'s' * (count > 1)} from {bounds[0]:g} to {bounds[1]:g}"
        if not isinstance(value, list) or len(value) != count:
            raise self.wrong(label, value, expected)
        for x in value:
            if isinstance(x, bool) or not isinstance(x, (int, float)) or not bounds[0] <= x <= bounds[1]:
                raise self.wrong(label, value if count > 1 else x, expected)
        return [float(x) for x in value]

    def vectors(self, name: str, bounds: tuple[float, float]) -> dict[str, np.ndarray]:
        """Three numbers by keypoint name."""
        values = self.mapping(name)
        return {key: np.array(self.numbers(name, f"{name}.{key}", value, 3, bounds)) for key, value in values.items()}

    def scales(self) -> np.ndarray:
        values = self.mapping("scales")
        for name in (*SCALE_NAMES, *values):
            if name not in values or name not in SCALE_NAMES:
                raise self.wrong("scales", ", ".join(map(str, values)), f"the factors {', '.join(SCALE_NAMES)}")
        return np.array([self.numbers("scales", f"scales.{n}", [values[n]], 1, _SCALE)[0] for n in SCALE_NAMES])

    def personal(self) -> np.ndarray | None:
        """Numbers that are not named are 0."""
        if self._content.get("personal") is None:
            return None
        values = self.mapping("personal")
        for name in values:
            if name not in PERSONAL_NAMES:
                raise self.wrong("personal", name, f"names among {', '.join(PERSONAL_NAMES)}")
        bounds = {name: _PERSONAL[personal_unit(name)] for name in values}
        read = {n: self.numbers("personal", f"personal.{n}", [x], 1, bounds[n])[0] for n, x in values.items()}
        return np.array([read.get(name, 0.0) for name in PERSONAL_NAMES])

    def covariance(self, size: int) -> np.ndarray | None:
        value = self.field("covariance")
        if value is None:
            return None
        expected = f"the lower triangle of a {size} x {size} matrix in base64, or null"
        try:
            flat = np.frombuffer(base64.b64decode(str(value), validate=True), dtype="<f4").astype(float)
        except ValueError as error:
            raise self.wrong("covariance", f"{str(value)[:20]}...", expected) from error
        if len(flat) != size * (size + 1) // 2 or not np.isfinite(flat).all():
            raise self.wrong("covariance", f"{len(flat)} values", expected)
        matrix = np.zeros((size, size))
        matrix[np.tril_indices(size)] = flat
        return matrix + np.tril(matrix, -1).T

    def wrong(self, name: str, found: Any, expected: str) -> InputError:
        return InputError(f"{self._where}: the field '{name}' is {short(found)}; expected {expected}")


def _packed(covariance: np.ndarray) -> str:
    """Lower triangle, row by row, little-endian float32, base64: as YAML numbers it would take seconds to read."""
    return base64.b64encode(covariance[np.tril_indices(len(covariance))].astype("<f4").tobytes()).decode()
