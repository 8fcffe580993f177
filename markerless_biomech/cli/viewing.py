"""The command view: a capture in the browser, from a bag or live."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Any

import click

from ..viewing.server import HOST, LOOPBACK, PORT, address, close_server, open_server
from .live import load_node_module
from .options import PATH
from .running import Answer, command, progress_bar, say


@command("view", show=lambda _: None)
@click.argument("bag", type=PATH, required=False)
@click.option("--host", default=HOST, show_default=True, help="Address of this machine to serve the page at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port of the page; 0: any free one."
)
@click.option("--namespace", default="", help="Live: the rig's ROS namespace.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in this machine's browser.")
def view(bag: Path | None, host: str, port: int, namespace: str, open_browser: bool) -> Answer:
    """Show BAG, or without one the running system, as a page in the browser. Ctrl-C ends it.

    The body, cameras by status, footprints with step length and width, joint angles, camera health; of a bag, any of
    its results at any speed. Needs no RViz and no network. With --json the first line is {"url": ...}.

    \b
    Example:
      markerless-biomech view walk_result
      markerless-biomech view                        # live, over ROS
      markerless-biomech view --namespace rig1 --port 8081
    """
    if bag is None:
        viewer = load_node_module("viewer")
        server = open_server(host, port)
        _announce(server, host, open_browser)
        viewer.run_viewer(server, namespace)
        return {}
    return _play(bag, host, port, open_browser)


def _play(bag: Path, host: str, port: int, open_browser: bool) -> Answer:
    """Show a bag until told to stop."""
    from ..viewing.recorded import read_motion
    from ..viewing.watch import RecordedPage, turn_pages, until_told_to_stop

    server = open_server(host, port)
    try:
        with progress_bar("reading"):
            motion = read_motion(bag)
        page = RecordedPage(server, motion)
        with until_told_to_stop() as stop:
            _announce(server, host, open_browser)
            turn_pages(page.advance, stop)
        return {"url": address(server), "bag": bag, "seconds": motion.length_s, "results": motion.results}
    finally:
        close_server(server)


def _announce(server: Any, host: str, open_browser: bool) -> None:
    """The URL, at once: a JSON object where that is wanted."""
    url = address(server)
    wants_json = click.get_current_context().params["as_json"]
    print(json.dumps({"url": url}) if wants_json else f"{url}   (Ctrl-C ends it)", flush=True)
    if host not in LOOPBACK:
        say(f"anyone who reaches {host} over the network can watch, and nothing is encrypted")
    if open_browser:
        webbrowser.open(url)
