"""Faults on demand: what goes wrong in a simulated recording, when, where and how much, as short texts.

`camera-bump:cam3@5=1deg,20mm` is a kind, the cameras (none: all), from when (and until when) in seconds since the
start, and sizes. `faulted_frames.py` makes the frames of it. Outside of its time a fault changes nothing.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Kind:
    """What one kind of fault does."""

    sentence: str
    sizes: tuple[tuple[str, float], ...] = ()
    """(unit, value where none is given) of each size, in order."""
    of_cameras: bool = True
    """False: it happens to the scene, and no cameras are named."""


KINDS: dict[str, Kind] = {
    "camera-stop": Kind("Sends nothing; from 0 s on: joins late. Without cameras: all of them stop."),
    "camera-freeze": Kind("Reports the same points again and again, with stamps that go on."),
    "camera-repeat": Kind("Sends its last message again and again."),
    "camera-lag": Kind("Messages come so many frames later; their stamps are right.", (("frames", 5.0),)),
    "camera-rate": Kind("Runs at another rate.", (("Hz", 25.0),)),
    "jitter": Kind(
        "Messages come later by up to this (evenly spread) and stamps are off by up to a tenth.", (("ms", 10.0),)
    ),
    "duplicate": Kind("Every message comes twice."),
    "reorder": Kind("Of two messages the second comes first."),
    "clock-step": Kind("Stamps are off by this; without cameras: those of all of them.", (("s", 1.0),)),
    "nan": Kind("Some coordinates are not a number."),
    "inf": Kind("Some coordinates are infinite."),
    "wrong-length": Kind("The array of points is cut short."),
    "wrong-set": Kind("Messages name another keypoint set."),
    "wrong-size": Kind("Messages name another image size."),
    "swap": Kind("Left and right are exchanged, in all cameras that are named."),
    "camera-bump": Kind("The camera is turned about, and moved along, a random axis.", (("deg", 1.0), ("mm", 20.0))),
    "camera-drift": Kind("The camera turns about a random axis.", (("deg/s", 0.1),)),
    "camera-focal": Kind("The focal length changes.", (("%", 2.0),)),
    "person-leaves": Kind("Nobody is in view; at the end of it the person is back.", of_cameras=False),
    "second-person": Kind(
        "Somebody else walks through, this far beside the middle, every 8 s.", (("mm", 600.0),), of_cameras=False
    ),
}
"""By name."""

MOVING = ("camera-bump", "camera-drift", "camera-focal")
"""Kinds that change the true cameras."""

EXAMPLE = "camera-bump:cam3@5=1deg,20mm"
_TEXT = re.compile(r"(?P<kind>[^:@=]+)(:(?P<cameras>[^@=]*))?(@(?P<time>[^=]*))?(=(?P<sizes>.*))?")
_TIME = re.compile(r"(?P<start>[0-9.]+)s?(-(?P<end>[0-9.]+)s?)?")
_SIZE = re.compile(r"(?P<number>[-+]?[0-9.]+(e-?[0-9]+)?)(?P<unit>[a-zA-Z%/]*)")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong for a while."""

    kind: str
    """One of `KINDS`."""
    cameras: tuple[str, ...] = ()
    """Whose; none: all."""
    start_s: float = 0.0
    """Since the start of the session; the fault is on from here."""
    end_s: float = math.inf
    """And off from here."""
    sizes: tuple[float, ...] = ()
    """In the order and the units of `KINDS`; none: as there."""

    def size(self, unit: str) -> float:
        """The size that is given in `unit`."""
        named = dict(KINDS[self.kind].sizes)
        return dict(zip(named, self.sizes, strict=True))[unit] if self.sizes else named[unit]

    def is_on(self, time_s: float) -> bool:
        """Whether it is on at that time since the start of the session."""
        return self.start_s <= time_s < self.end_s

    def concerns(self, camera: str) -> bool:
        """Whether this camera has it."""
        return not self.cameras or camera in self.cameras

    def later(self, by_s: float) -> Fault:
        """The same, so much later."""
        return dataclasses.replace(self, start_s=self.start_s + by_s, end_s=self.end_s + by_s)

    def __str__(self) -> str:
        """The text that `parse_fault` reads."""
        cameras = f":{','.join(self.cameras)}" if self.cameras else ""
        end = f"-{self.end_s:.12g}" if math.isfinite(self.end_s) else ""
        units = [unit for unit, _ in KINDS[self.kind].sizes]
        sizes = ",".join(f"{size:.12g}{unit}" for size, unit in zip(self.sizes, units, strict=False))
        return f"{self.kind}{cameras}@{self.start_s:.12g}{end}" + (f"={sizes}" if sizes else "")


def parse_faults(texts: Iterable[str], cameras: Collection[str] = ()) -> tuple[Fault, ...]:
    """Faults of their texts, empty ones left out; `cameras` are those that exist. InputError as `parse_fault`."""
    return tuple(parse_fault(text, cameras) for text in texts if text.strip())


def parse_fault(text: str, cameras: Collection[str] = ()) -> Fault:
    """A fault of its text; InputError says what is wrong, and which kinds there are."""
    match = _TEXT.fullmatch("".join(text.split()))
    if match is None or match["kind"] not in KINDS:
        raise _refusal(text, f"'{match['kind'] if match else text}' is not a kind of fault")
    kind = KINDS[match["kind"]]
    named = tuple(name for name in (match["cameras"] or "").split(",") if name)
    if named and not kind.of_cameras:
        raise _refusal(text, f"{match['kind']} is not a camera's; name none")
    unknown = [name for name in named if name not in cameras] if cameras else []
    if unknown:
        raise _refusal(text, f"there is no camera '{unknown[0]}' among {', '.join(cameras)}")
    start_s, end_s = _times(text, match["time"])
    return Fault(match["kind"], named, start_s, end_s, _sizes(text, kind, match["sizes"]))


def _times(text: str, given: str | None) -> tuple[float, float]:
    """(start, end) of '5' or '3-6'."""
    if given is None:
        return 0.0, math.inf
    match = _TIME.fullmatch(given)
    try:
        start_s, end_s = (float(match["start"]), float(match["end"] or math.inf)) if match else (1.0, 0.0)
    except ValueError:
        start_s, end_s = 1.0, 0.0
    if not start_s < end_s:
        raise _refusal(text, f"'@{given}' is not a time; expected seconds since the start, such as @3 or @3-6")
    return start_s, end_s


def _sizes(text: str, kind: Kind, given: str | None) -> tuple[float, ...]:
    """Numbers of '1deg,20mm', in the order of the kind's sizes; those that are not given are as in `KINDS`."""
    if given is None:
        return ()
    values = dict(kind.sizes)
    for part in given.split(","):
        match = _SIZE.fullmatch(part)
        unit = match["unit"] if match else ""
        unit = next(iter(values)) if match and not unit and len(values) == 1 else unit
        try:
            number = float(match["number"]) if match and unit in values else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (unit in ("Hz", "frames", "ms") and number <= 0.0):
            known = " and ".join(f"{value:g}{unit}" for unit, value in kind.sizes) or "none"
            raise _refusal(text, f"'{part}' is not one of its sizes, such as {known}")
        values[unit] = number
    return tuple(values.values())


def _refusal(text: str, reason: str) -> InputError:
    return InputError(f"fault '{text}': {reason}; write such as {EXAMPLE}; kinds are {', '.join(KINDS)}")
