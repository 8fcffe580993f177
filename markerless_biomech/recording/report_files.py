"""A report's files: the page, and its pictures in a folder of the page's name beside it, both whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ..errors import InputError
from ..files import refuse_existing, refuse_folder, write_text
from .report_page import Picture

_DOTS_PER_INCH = 110


def drawn(name: str, caption: str, figure: Figure) -> Picture:
    """A figure as the page shows it."""
    buffer = io.BytesIO()
    in_space = figure.axes[0].name == "3d"  # a view in space does not fill its figure: cut the margins off
    figure.savefig(
        buffer,
        format="png",
        dpi=_DOTS_PER_INCH,
        bbox_inches="tight" if in_space else None,
        pil_kwargs={"compress_level": 4},
    )
    return Picture(name, caption, buffer.getvalue())


def picture_folder(out_html: Path) -> Path:
    """Where the pictures of a page lie."""
    return out_html.with_name(f"{out_html.stem}_pictures")


def check_page_writable(out_html: Path, force: bool) -> None:
    """Raise InputError unless page and pictures may be written; --force replaces a folder of pictures, no other."""
    refuse_folder(out_html)
    refuse_existing(out_html, force)
    folder = picture_folder(out_html)
    refuse_existing(folder, force)
    if folder.exists() and not (folder.is_dir() and all(path.suffix == ".png" for path in folder.iterdir())):
        raise InputError(
            f"{folder} holds more than a report's pictures, so --force does not replace it; choose another name"
        )


def write_page(out_html: Path, html: str, pictures: Sequence[Picture], force: bool) -> Path:
    """Write both."""
    check_page_writable(out_html, force)
    try:
        out_html.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out_html.name}.", dir=out_html.parent) as temporary:
            _write_pictures(Path(temporary), pictures, picture_folder(out_html))
    except OSError as error:
        raise InputError(f"{out_html} cannot be written ({error.strerror})") from error
    write_text(out_html, html, force)
    return out_html


def _write_pictures(temporary: Path, pictures: Sequence[Picture], folder: Path) -> None:
    """Into a new folder that then takes the place of the old one."""
    fresh = temporary / "new"
    fresh.mkdir()
    for picture in pictures:
        (fresh / f"{picture.name}.png").write_bytes(picture.png)
    if folder.exists():
        shutil.move(folder, temporary / "old")
    os.replace(fresh, folder)
