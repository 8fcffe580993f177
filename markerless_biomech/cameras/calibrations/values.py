"""Numbers, matrices and rotations out of files that anybody may have written or damaged.

Whatever is wrong raises InputError with the place, the field and what was expected; nothing else leaves here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from ...errors import InputError
from ...files import YAML_ERRORS, first_line, short

LARGEST_FILE_BYTES = 20_000_000
"""No calibration is larger; a video given by mistake is."""

Shape = tuple[int | None, ...]


def numbers(place: str, field: str, value: Any, shape: Shape) -> np.ndarray:
    """An array of finite numbers; None in `shape`: any length."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{place} has {field} {short(value)}; expected numbers") from error
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        raise InputError(f"{place} has {field} of shape {array.shape}; expected {shape_text(shape)}")
    if not np.isfinite(array).all():
        raise InputError(f"{place} has {field} {short(value)}; expected finite numbers")
    return array


def matrix(place: str, field: str, value: Any, shape: Shape) -> np.ndarray:
    """As `numbers`, of lists, or of a map with rows, cols and data (ROS, OpenCV); a row of all entries will do."""
    entries = value.get("data") if isinstance(value, dict) else value
    size = int(np.prod([n for n in shape if n is not None]))
    try:
        flat = np.array(entries, dtype=float).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{place} has {field} {short(value)}; expected {shape_text(shape)} numbers") from error
    if None not in shape and flat.size == size:
        return numbers(place, field, flat.reshape([n for n in shape if n is not None]), shape)
    return numbers(place, field, flat if None in shape else entries, shape)


def rotation(place: str, field: str, value: Any) -> np.ndarray:
    """(3, 3) from a rotation vector (Rodrigues) or a matrix, rounded ones put right; a mirror image is refused."""
    entries = value.get("data") if isinstance(value, dict) else value
    if np.size(np.array(entries, dtype=object)) == 3:
        return cv2.Rodrigues(matrix(place, field, value, (3,)))[0]
    return proper_rotation(place, field, matrix(place, field, value, (3, 3)))


def proper_rotation(place: str, field: str, given: np.ndarray) -> np.ndarray:
    """The rotation nearest to a matrix (3, 3) that is one to 1e-2 (files with few digits)."""
    with np.errstate(over="ignore"):
        orthonormal = np.allclose(given @ given.T, np.eye(3), atol=1e-2)
    if not orthonormal:
        raise InputError(
            f"{place} has {field} {short(given.tolist())}, whose rows are not of length 1 at right angles; "
            "expected a rotation matrix"
        )
    if np.linalg.det(given) < 0.0:
        raise InputError(
            f"{place} has {field} with determinant -1, a mirror image (one axis is reversed, or two are exchanged: a "
            "left-handed world or camera); expected a rotation between right-handed axes"
        )
    left, _, right = np.linalg.svd(given)
    return left @ right


def integer_size(place: str, width: Any, height: Any) -> np.ndarray:
    """(2,) width and height in whole pixels."""
    return numbers(place, "the image's size", [width, height], (2,))


def read_text(path: Path) -> str:
    """A text file. Raises InputError naming it when it cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InputError(f"calibration file '{path}' is {path.stat().st_size / 1e6:.0f} MB; expected a calibration")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"calibration file '{path}' cannot be read as text ({error})") from error


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, to which an OpenCV matrix is a map."""


for _tag in ("opencv-matrix", "opencv-nd-matrix"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_yaml_map)


def yaml_documents(text: str, where: str) -> list[Any]:
    """Every document of a YAML text, OpenCV's header (%YAML:1.0, which is none of YAML) allowed."""
    lines = [line for line in text.splitlines() if not line.startswith("%YAML")]
    try:
        return [document for document in yaml.load_all("\n".join(lines), Loader=_Loader) if document is not None]
    except YAML_ERRORS as error:
        raise InputError(f"{where}: not valid YAML ({first_line(error)})") from error


def shape_text(shape: Iterable[int | None]) -> str:
    """A shape in words: '3 x 3', or 'a list of'."""
    return " x ".join("any" if n is None else str(n) for n in shape)
