"""Message classes and how their arrays are filled: the same conversions make messages of rclpy and of bags.

rclpy's setters check every number of a numpy array or list, but take an `array.array` as it is (2 us instead of 650 us
for 5,000 values); rosbags wants numpy arrays. `Types` hides the difference; nodes hand in rclpy's classes.
"""

from __future__ import annotations

import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_TYPECODES = {
    np.dtype(name): code
    for name, code in {"float32": "f", "float64": "d", "int32": "i", "uint8": "B", "uint32": "I", "uint64": "Q"}.items()
}


class Types:
    """Message classes by short name (`types.BodyState`), and `array` to fill their sequences."""

    def __init__(self, find: Callable[[str], type], make_array: Callable[[np.ndarray], Any]) -> None:
        self._find = find
        self._make_array = make_array

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = self._find(name)
        setattr(self, name, found)
        return found

    def array(self, values: Any, dtype: str = "float32") -> Any:
        """A sequence of numbers for a field of type `dtype`[]."""
        return self._make_array(np.ascontiguousarray(values, dtype=dtype).reshape(-1))


def rclpy_types(*modules: Any) -> Types:
    """Types from generated Python modules, such as `std_msgs.msg`; the first that has a name gives it."""

    def find(name: str) -> type:
        for module in modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"no message {name} in {', '.join(module.__name__ for module in modules)}")

    return Types(find, lambda values: array.array(_TYPECODES[values.dtype], values.tobytes()))


def bag_types(classes: Mapping[str, type]) -> Types:
    """Types from rosbags' classes by full name, such as 'std_msgs/msg/Header'."""
    by_name = {full.rsplit("/", 1)[-1]: kind for full, kind in classes.items()}

    def find(name: str) -> type:
        if name not in by_name:
            raise AttributeError(f"no message {name} among {len(by_name)} known")
        return by_name[name]

    return Types(find, lambda values: values)


def stamp_to_message(types: Types, stamp_ns: int) -> Any:
    """builtin_interfaces/Time of integer nanoseconds."""
    return types.Time(sec=int(stamp_ns // 1_000_000_000), nanosec=int(stamp_ns % 1_000_000_000))


def stamp_from_message(stamp: Any) -> int:
    """Integer nanoseconds of a builtin_interfaces/Time."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def header_to_message(types: Types, stamp_ns: int, frame_id: str) -> Any:
    """std_msgs/Header."""
    return types.Header(stamp=stamp_to_message(types, stamp_ns), frame_id=frame_id)


def string_to_message(types: Types, text: str) -> Any:
    """std_msgs/String."""
    return types.String(data=text)


def point_to_message(types: Types, xyz: Any) -> Any:
    """geometry_msgs/Point."""
    return types.Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def vector_to_message(types: Types, xyz: Any) -> Any:
    """geometry_msgs/Vector3."""
    return types.Vector3(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def quaternion_to_message(types: Types, xyzw: Any) -> Any:
    """geometry_msgs/Quaternion."""
    return types.Quaternion(x=float(xyzw[0]), y=float(xyzw[1]), z=float(xyzw[2]), w=float(xyzw[3]))


def xyz_from_message(message: Any) -> np.ndarray:
    """(3,) of a Point or Vector3."""
    return np.array([message.x, message.y, message.z])


def xyzw_from_message(message: Any) -> np.ndarray:
    """(4,) of a Quaternion."""
    return np.array([message.x, message.y, message.z, message.w])
