"""OpenCap's cameraIntrinsicsExtrinsics.pickle, one a camera: mm, and the axes of a board on the wall or the floor.

A pickle may run any program when it is loaded. So nothing of it is run here: NumPy's arrays, numbers, words and maps
are rebuilt from their bytes, and a file that asks for anything else is refused.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ...errors import InputError
from ..calibrated_camera import Camera
from ..levelling import UPRIGHT
from .calibration import Calibration, camera_from_opencv, lens_model
from .values import LARGEST_FILE_BYTES, first_line, matrix, rotation

FILE_NAME = "cameraIntrinsicsExtrinsics.pickle"
KEYS = ("intrinsicMat", "distortion", "imageSize", "rotation", "translation")


def read_opencap(paths: list[Path]) -> Calibration:
    """Cameras named by their folders (Cam0, Cam1, ...), or by their files where these are called otherwise."""
    return Calibration([_camera(path) for path in paths], "mm", UPRIGHT)


def _camera(path: Path) -> Camera:
    name = path.parent.name if path.name == FILE_NAME and path.parent.name else path.stem
    place = f"{path}: camera '{name}'"
    content = load_arrays(path)
    missing = [key for key in KEYS if not isinstance(content, dict) or key not in content]
    if missing:
        raise InputError(f"{place} lacks the key '{missing[0]}'; expected OpenCap's {', '.join(KEYS)}")
    k = matrix(place, "intrinsicMat", content["intrinsicMat"], (3, 3))
    d = matrix(place, "distortion", content["distortion"], (None,))
    height, width = matrix(place, "imageSize (height, width)", content["imageSize"], (2,))
    camera_from_world = rotation(place, "rotation", content["rotation"])
    translation = matrix(place, "translation", content["translation"], (3,))
    return camera_from_opencv(
        str(path), name, lens_model(d), k, d, camera_from_world, translation, np.array([width, height])
    )


def load_arrays(path: Path) -> Any:
    """A pickle of a map of NumPy arrays, numbers and words; whatever would run anything raises InputError."""
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST_FILE_BYTES else b""
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    try:
        return _plain(_ArraysOnly(io.BytesIO(data)).load())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    # Damaged bytes are damaged instructions: they may raise anything.
    except Exception as error:
        raise InputError(
            f"{path}: not a pickle of arrays ({type(error).__name__}: {first_line(error)}); "
            f"expected OpenCap's {FILE_NAME}"
        ) from error


class _StandIn:
    """In place of what a pickle names: keeps what it is given, runs nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_StandIn):
    """numpy.ndarray, and what makes an empty one; its state is (version, shape, dtype, Fortran order, bytes)."""

    def value(self) -> np.ndarray:
        _, shape, dtype, fortran, data = self.state
        return _array(data, dtype, shape, "F" if fortran else "C")


class _Buffer(_StandIn):
    """An array of protocol 5: (bytes, dtype, shape, order)."""

    def value(self) -> np.ndarray:
        return _array(*self.arguments)


class _Scalar(_StandIn):
    """A NumPy number: (dtype, bytes)."""

    def value(self) -> float:
        dtype, data = self.arguments
        return float(_array(data, dtype, (), "C"))


class _Type(_StandIn):
    """numpy.dtype: ('f8', ...), its byte order in the state."""

    def value(self) -> np.dtype:
        code, order = str(self.arguments[0]), self.state[1] if self.state else "="
        if not re.fullmatch(r"[fiu][1248]|b1", code) or order not in ("<", ">", "=", "|"):
            raise InputError(f"an array of type {code!r}; expected numbers")
        return np.dtype(code).newbyteorder(order)


class _Bytes(_StandIn):
    """Bytes as protocols before 3 write them: text, and the encoding latin1."""

    def value(self) -> bytes:
        return str(self.arguments[0]).encode("latin1")


_ALLOWED: dict[tuple[str, str], type[_StandIn]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _Bytes,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Buffer for core in ("core", "_core")},
}


# Python's own unpickler: the one in C reserves as much memory as a damaged file says.
class _ArraysOnly(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in _ALLOWED:
            asked = " ".join(f"{module}.{name}".split())
            raise InputError(f"asks for {asked}, which is not loaded; expected nothing but arrays and numbers")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> NoReturn:
        raise InputError(f"refers to something outside of the file ({pid!r}); expected arrays and numbers")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """Numbers from their bytes."""
    data = data.value() if isinstance(data, _Bytes) else data
    if not isinstance(dtype, _Type) or not isinstance(data, (bytes, bytearray)):
        raise InputError("an array of objects; expected numbers")
    return np.frombuffer(data, dtype.value()).reshape(shape, order=order).astype(float)


def _plain(value: Any) -> Any:
    """A map with what its stand-ins stand for."""
    if not isinstance(value, dict):
        return value
    return {
        key: entry.value() if isinstance(entry, (_Array, _Buffer, _Scalar)) else entry for key, entry in value.items()
    }
