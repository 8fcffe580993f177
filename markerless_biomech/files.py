"""Files of ours are written whole or not at all, and never over another without being asked to.

Texts of anybody's are read here: whatever is wrong with a file or its YAML becomes one sentence.
"""

from __future__ import annotations

import math
import os
import reprlib
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from .errors import InputError

YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
YAML_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's where PyYAML has it: a calibrated subject is read and written while frames come, and Python takes 0.1 s."""

DEEPEST = 32
"""Nesting of YAML that is read; libyaml's loader overruns the stack at some thousands."""

VALUE_ERRORS = (ValueError, OverflowError, TypeError, AttributeError, LookupError, RecursionError)
"""What damaged texts make parsers raise: dates and numbers that are none, keys that cannot be keys, deep nesting."""

YAML_ERRORS = (yaml.YAMLError, *VALUE_ERRORS)


def yaml_content(text: str, where: str, loader: Any = YAML_LOADER) -> Any:
    """The one document of a YAML text. Raises InputError naming `where`, whatever the text is."""
    try:
        depth = 0
        for event in yaml.parse(text, YAML_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise InputError(f"{where}: not valid YAML (nested deeper than {DEEPEST}); expected maps and lists")
        return yaml.load(text, loader)
    except InputError:
        raise
    except YAML_ERRORS as error:
        raise InputError(f"{where}: not valid YAML ({first_line(error)})") from error


def file_text(path: Path, what: str) -> str:
    """A text file; `what` it is, such as 'subject file', begins the sentence of the InputError that says why not."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{what} {path} does not exist") from error
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a name with a null character
        raise InputError(f"{what} {path} cannot be read ({first_line(error)})") from error


def npz_arrays(path: Path, what: str, keys: Collection[str]) -> dict[str, Any]:
    """Those of `keys` that an npz file has. Raises InputError where it is no npz, or not `what` it should be."""
    import numpy as np

    try:
        # Opened here: np.load leaves a damaged file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {key: file[key] for key in keys if key in file}
    # Headers are parsed as Python literals, and sizes in them are believed: a damaged one raises almost anything.
    except (OSError, EOFError, SyntaxError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a {what} ({first_line(error)}); save it with numpy.savez") from error
    except (RuntimeError, zipfile.LargeZipFile, struct.error, tokenize.TokenError, *VALUE_ERRORS) as error:
        raise InputError(f"{path}: not a {what} ({first_line(error)}); save it with numpy.savez") from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def short(value: Any) -> str:
    """A value as text, cut where it is long."""
    brief = reprlib.Repr()
    brief.maxstring, brief.maxother, brief.maxlist, brief.maxdict, brief.maxlevel = 40, 40, 9, 9, 3
    return brief.repr(value)


def is_finite_number(value: Any) -> bool:
    """Whether a value of a YAML file is a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number that is too large
        return False


def number_text(value: float) -> str:
    """A number as text; a whole one may be too large for a float."""
    try:
        return f"{value:g}"
    except OverflowError:
        return short(value)


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
