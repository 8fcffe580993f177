"""Write the tables of README.md that follow from the code: `python docs/write_tables.py` (part of `make config`).

A test compares them, so that the README stays true.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from markerless_biomech.settings import EstimatorSettings

README = Path(__file__).resolve().parents[1] / "README.md"


def settings_table() -> str:
    """One row a setting of motion_estimator."""
    rows = ["| parameter | default | range | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(EstimatorSettings):
        meta = field.metadata
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        bounds = ", ".join(meta["choices"])
        if meta["low"] is not None:
            bounds = f"{meta['low']:g} to {meta['high']:g} {meta['unit']}".strip()
        shown = f"`{default}`" if default != "" else "(empty)"
        live = " May be changed while active." if meta["live"] else ""
        rows.append(f"| `{field.name}` | {shown} | {bounds} | {meta['sentence']}{live} |")
    return "\n".join(rows)


TABLES = {"settings": settings_table}


def with_tables(text: str) -> str:
    """The README with every table between its markers written anew."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        text = re.sub(f"{begin}.*?{end}", lambda _, t=table, b=begin, e=end: f"{b}\n{t()}\n{e}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
