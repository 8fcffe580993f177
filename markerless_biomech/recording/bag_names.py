"""Where a recording goes: a folder for each subject, in it a bag for each trial, never over an old one."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import count
from pathlib import Path

UNNAMED = "recording"
"""Of a trial without a name."""


def bag_path(folder: str | Path, subject: str, trial: str, now: datetime) -> Path:
    """`folder`/P07/walk_03_2026-01-31_14-05-09: a name that nothing has yet, not even a bag of the same second.

    Without a subject there is no folder of its own. What cannot be in a file's name becomes '_'.
    """
    place = Path(folder).absolute() / (plain_name(subject) if subject else "")
    name = f"{plain_name(trial) if trial else UNNAMED}_{now:%Y-%m-%d_%H-%M-%S}"
    names = (name if again == 1 else f"{name}_{again}" for again in count(1))
    return next(place / free for free in names if not (place / free).exists())


def plain_name(text: str) -> str:
    """A name as part of a file's name: letters, digits, '_' and '-'; anything else becomes '_'."""
    return re.sub(r"[^\w-]+", "_", text).strip("_") or "unnamed"
