"""Draws docs/pictures/view_*.png: the page of `view` in a browser, walking, turning, LOST, with a bumped camera.

PYTHONPATH=test python docs/draw_view.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from browser import Browser
from PIL import Image

from markerless_biomech.body.subject import load_subject
from markerless_biomech.devices import enable_compile_cache
from markerless_biomech.recording.replay import replay
from markerless_biomech.recording.simulated_bag import write_simulation
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.viewing.recorded import read_motion
from markerless_biomech.viewing.server import address, close_server, open_server
from markerless_biomech.viewing.views import EVERYTHING, WALKER
from markerless_biomech.viewing.watch import RecordedPage

PICTURES = Path(__file__).parent / "pictures"
SIZE = (1440, 810)
WALKS = (
    (
        SimulationSettings(cameras=6, seconds=12.0, seed=3, path="there-and-back", realistic=True),
        (("turning", 2.4, WALKER),),
    ),
    (
        SimulationSettings(
            cameras=6,
            seconds=12.0,
            seed=5,
            realistic=True,
            faults=("camera-bump:cam2@3=2deg,40mm", "camera-stop:cam4@7-9", "person-leaves@8-10"),
        ),
        (("walking", 2.9, WALKER), ("bumped", 7.4, EVERYTHING), ("lost", 9.0, EVERYTHING)),
    ),
)
"""Simulations, and of each (name, time in s, view) of its pictures."""


def main() -> None:
    """All pictures, each of a bag made for it."""
    enable_compile_cache()
    with tempfile.TemporaryDirectory() as folder:
        for number, (settings, wanted) in enumerate(WALKS):
            bag, result = Path(folder) / f"walk_{number}", Path(folder) / f"result_{number}"
            write_simulation(settings, bag)
            replay(bag, load_subject(bag / "subject.yaml"), result, EstimatorSettings(camera_refinement="propose"))
            draw(result, wanted)


def draw(bag: Path, wanted: tuple[tuple[str, float, str], ...]) -> None:
    """The page at each time, from where it is best seen."""
    server = open_server(port=0)
    page = RecordedPage(server, read_motion(bag))
    page.player.head.playing = False
    with Browser(address(server), SIZE) as browser:
        browser.wait_for(lambda: "TRACKING" in browser.text(), "the page")
        browser.evaluate("document.querySelectorAll('.mantine-Notification-closeButton').forEach(one => one.click())")
        client = next(iter(server.get_clients().values()))
        for name, time_s, view in wanted:
            page.player.head.seek(time_s)
            page.advance(0.0)
            page.views.look(client, view)
            page.advance(0.0)
            browser.wait_for(lambda shown=f"{time_s:.2f} of": shown in browser.text(), "the time")
            time.sleep(3.0)  # nothing says when the scene is drawn
            path = PICTURES / f"view_{name}.png"
            Image.fromarray(browser.picture()).save(path, optimize=True)
            print(path.name, f"{path.stat().st_size / 1e3:.0f} kB")
    close_server(server)


if __name__ == "__main__":
    main()
