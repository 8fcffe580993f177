"""What all commands share: --json, one sentence on failure, exit codes, a progress bar on a terminal."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import click

from ..errors import InputError

TRACEBACK_VARIABLE = "MARKERLESS_BIOMECH_TRACEBACK"
"""Set to anything to see the traceback of an unexpected failure."""

FOR_JSON_ALONE = ("per_joint", "per_segment", "determined", "offsets", "slides")

Answer = dict[str, Any]


def command(
    name: str, show: Callable[[Answer], None] | None = None
) -> Callable[[Callable[..., Answer]], click.Command]:
    """A command whose function returns its answer: printed as JSON with --json, else by `show`, else as lines."""

    def decorate(function: Callable[..., Answer]) -> click.Command:
        @functools.wraps(function)
        def run(as_json: bool, **options: Any) -> None:
            try:
                answer = function(**options)
            except click.ClickException:
                raise
            except KeyboardInterrupt:
                _fail("stopped by the keyboard", as_json)
            except Exception as error:
                _fail(_sentence(error), as_json, error)
            else:
                if show is not None and not as_json:
                    show(plain(answer))
                else:
                    _print(answer, as_json)
                if answer.get("ok") is False:
                    sys.exit(1)

        json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object, last.")
        return click.command(name)(json_option(run))

    return decorate


class Commands(click.Group):
    """The group of all commands; wrong usage is answered in JSON too where that was asked for."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """As click's own."""
        if not standalone_mode:
            return super().main(args, *rest, standalone_mode=False, **extra)
        try:
            code = super().main(args, *rest, standalone_mode=False, **extra)
        except click.Abort:
            _fail("stopped by the keyboard", as_json=False)
        except click.ClickException as error:
            error.show()
            if "--json" in (sys.argv[1:] if args is None else args):
                print(json.dumps({"error": error.format_message()}))
            sys.exit(error.exit_code)
        else:
            sys.exit(code if isinstance(code, int) else 0)


def _sentence(error: Exception) -> str:
    """What a person can do something with."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return (
            f"the Python package {error.name} is not installed; run 'markerless-biomech doctor' to see what is missing"
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    line = (str(error).splitlines() or [""])[0]
    return f"unexpected failure ({type(error).__name__}: {line}); set {TRACEBACK_VARIABLE}=1 for the details"


def _fail(sentence: str, as_json: bool, error: Exception | None = None) -> None:
    if error is not None and os.environ.get(TRACEBACK_VARIABLE):
        import traceback

        traceback.print_exception(error)
    print(f"error: {sentence}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": sentence}))
    sys.exit(1)


def _print(answer: Answer, as_json: bool) -> None:
    print(json.dumps(plain(answer)) if as_json else "\n".join(_lines(plain(answer))), flush=True)


def plain(value: Any) -> Any:
    """Values that JSON has: numbers of NumPy become Python's, what is not finite null, paths text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _lines(answer: Answer, indent: str = "") -> Iterator[str]:
    """`key: value`, nested maps indented; the longest tables are for --json alone."""
    for key, value in answer.items():
        if key in FOR_JSON_ALONE:
            continue
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict) and "sentence" in value[0]:
            yield from (f"{'ok  ' if finding.get('ok', True) else '  - '}  {finding['sentence']}" for finding in value)
        else:
            yield f"{indent}{key}: {_word(value)}"


def _word(value: Any) -> str:
    if value is None or value == {}:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(_word, value)) if isinstance(value, list) else str(value)


class ShowProgress(Protocol):
    """To be told the share that is done (0 to 1) and, where there is something to say, how it goes."""

    def __call__(self, share: float, words: str = "") -> None: ...


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[ShowProgress]:
    """Draws a bar, with words beside it, on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda share, words="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    said = TextColumn("{task.fields[words]}", markup=False)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), said
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=1.0, words="")
        yield lambda share, words="": progress.update(task, completed=share, words=words)


def say(text: str) -> None:
    """A remark beside the answer."""
    print(text, file=sys.stderr, flush=True)
