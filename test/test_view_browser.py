"""What a real browser makes of the page: drawn, usable, and without a word to any other machine."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from browser import PROGRAMS, Browser, browser_program
from made_capture import FOUND_S, recorded

from markerless_biomech.viewing.recorded import RecordedMotion
from markerless_biomech.viewing.server import address, close_server, open_server
from markerless_biomech.viewing.views import WALKER
from markerless_biomech.viewing.watch import RecordedPage, turn_pages

pytestmark = pytest.mark.skipif(browser_program() is None, reason=f"no browser here: none of {', '.join(PROGRAMS)}")

LEAST_BODY_PX = 200
"""The limbs take up some 700 in this window."""


def tinted_px(picture: np.ndarray) -> int:
    """How many pixels of the scene have a limb's colours, pale blue or pale orange."""
    scene = picture[:, 320:820].astype(int)
    red, blue = scene[..., 0], scene[..., 2]
    soft = scene.min(axis=-1) > 60
    return int((soft & (np.abs(red - blue) > 30)).sum())


def test_a_browser_draws_the_body_plays_and_asks_nobody_else(tmp_path):
    server = open_server(port=0)
    page = RecordedPage(server, RecordedMotion(recorded(tmp_path)))
    head = page.player.head
    head.playing = False
    stop = threading.Event()
    painter = threading.Thread(target=turn_pages, args=(page.advance, stop), daemon=True)
    painter.start()
    try:
        with Browser(address(server)) as browser:
            browser.wait_for(lambda: "TRACKING" in browser.text(), "the page")
            for words in ("Residual, px", "cam1", "of 1.97 s", "Right", "Heel strikes"):
                assert words in browser.text()
            head.seek(FOUND_S - 0.05)
            browser.wait_for(lambda: "LOST" in browser.text(), "LOST")
            empty_px = tinted_px(browser.picture())
            head.seek(FOUND_S + 0.05)
            browser.wait_for(lambda: tinted_px(browser.picture()) > empty_px + LEAST_BODY_PX, "the body")
            client = next(iter(server.get_clients().values()))
            page.views.look(client, WALKER)
            older = "/step_words/3"
            browser.wait_for(lambda: server.scene.get_handle_by_name(older) is not None, "words read when near")
            before_m = np.array(client.camera.position)
            head.seek(FOUND_S + 0.25)
            browser.wait_for(lambda: client.camera.position[0] - before_m[0] > 0.2, "the view to go along at 1.2 m/s")
            browser.click("Play")
            browser.wait_for(lambda: head.time_s == head.length_s, "the end of the recording")
            assert not browser.failures
            here = (address(server), "data:", "blob:" + address(server))
            assert [url for url in browser.requests if not url.startswith(here)] == []
    finally:
        stop.set()
        painter.join()
        close_server(server)
