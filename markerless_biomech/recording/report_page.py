"""The report's HTML: tiles, sections of pictures with captions, tables. One file, no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template


@dataclass(frozen=True)
class Picture:
    """A figure of the page."""

    name: str
    """File name without ending; the part before '_' names its section."""
    caption: str
    png: bytes


@dataclass(frozen=True)
class Tile:
    """One number at the head of the page."""

    value: str
    words: str


def page(title: str, subtitle: str, tiles: Sequence[Tile], sections: Sequence[str]) -> str:
    """The whole HTML page; `sections` are HTML, the rest is plain text."""
    return _PAGE.substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        tiles="".join(f"<li><b>{escape(tile.value)}</b><span>{escape(tile.words)}</span></li>" for tile in tiles),
        sections="".join(sections),
    )


def section(name: str, heading: str, *content: str) -> str:
    """HTML of a section; '' when it would be empty."""
    inside = "".join(content)
    return f"<section id='{name}'><h2>{escape(heading)}</h2>{inside}</section>" if inside else ""


def paragraph(text: str) -> str:
    """HTML of a remark."""
    return f"<p>{escape(text)}</p>"


def notice(text: str) -> str:
    """HTML of a section that says one thing."""
    return f"<section><p class='notice'>{escape(text)}</p></section>"


def fold(summary: str, content: str) -> str:
    """HTML that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def figures(pictures: Sequence[Picture], name: str) -> str:
    """HTML of the pictures of one section."""
    return "".join(
        f"<figure><img alt='{escape(picture.caption, quote=True)}' src='data:image/png;base64,"
        f"{base64.b64encode(picture.png).decode()}'><figcaption>{escape(picture.caption)}</figcaption></figure>"
        for picture in pictures
        if picture.name.split("_")[0] == name
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """HTML of a table; the first column is text."""
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { --ink: #1b2733; --quiet: #5f6b76; --line: #e3e8ec; --paper: #ffffff; --ground: #f5f7f9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 48px 28px 80px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 6px; }
h2 { font-size: 19px; letter-spacing: -0.005em; margin: 0 0 16px; }
header p { color: var(--quiet); margin: 0 0 28px; max-width: 80ch; }
ul.tiles { list-style: none; display: flex; flex-wrap: wrap; gap: 12px; padding: 0; margin: 0 0 28px; }
ul.tiles li { flex: 1 1 150px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px 18px; }
ul.tiles b { display: block; font-size: 26px; line-height: 1.15; font-weight: 650; font-variant-numeric: tabular-nums;
  letter-spacing: -0.02em; }
ul.tiles span { display: block; margin-top: 4px; font-size: 13px; line-height: 1.35; color: var(--quiet); }
section, details { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 24px;
  margin: 0 0 20px; }
figure { margin: 0 0 26px; }
figure:last-child { margin-bottom: 0; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption, section > p { color: var(--quiet); font-size: 14px; max-width: 88ch; margin: 10px 0 0; }
h3 { font-size: 15px; margin: 26px 0 10px; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
table + table { margin-top: 28px; }
th { text-align: right; font-weight: 600; color: var(--quiet); font-size: 13px; padding: 0 12px 8px; }
td { text-align: right; padding: 7px 12px; border-top: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: 16px; }
.notice { font-size: 17px; color: var(--ink); margin: 0; }
@media print { body { background: none; } section, details { break-inside: avoid; border: none; padding: 0 0 20px; } }
</style>
</head>
<body>
<main>
<header><h1>$title</h1><p>$subtitle</p></header>
<ul class="tiles">$tiles</ul>
$sections
</main>
</body>
</html>
""")
