"""Files of ours are written whole or not at all, and never over another without being asked to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from .errors import InputError

YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
YAML_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's where PyYAML has it: a calibrated subject is read and written while frames come, and Python takes 0.1 s."""


def refuse_existing(path: Path, force: bool) -> None:
    """Raise InputError when something is there and `force` is not set."""
    if path.exists() and not force:
        raise InputError(f"{path} exists already; choose another name, or give --force to replace it")


def refuse_folder(path: Path) -> None:
    """Raise InputError when a folder is where a file is wanted."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file")


def write_text(path: str | Path, text: str, force: bool = False) -> None:
    """Write a text file atomically. Raises InputError when it exists and `force` is not set, or cannot be written."""
    path = Path(path)
    refuse_folder(path)
    refuse_existing(path, force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        # mkstemp's 0600 would lock out the rest of the lab.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
