"""A real browser without a window, driven over Chromium's DevTools: for tests of the page, and its pictures."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import cv2
import numpy as np
from websockets.sync.client import connect

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 180.0
"""Without a GPU one picture of the scene takes seconds, while other tests run longer."""
_OPTIONS = (
    *("--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars", "--mute-audio", "--remote-debugging-port=0"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"),
)


def browser_program() -> str | None:
    """The first browser that this machine has."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page. A context manager; `requests` and `failures` are what the page asked for and stumbled over."""

    def __init__(self, url: str, size: tuple[int, int] = (1200, 600)) -> None:
        program = browser_program()
        assert program is not None
        self.requests: list[str] = []
        self.failures: list[str] = []
        self._count = 0
        self._profile = tempfile.TemporaryDirectory(prefix="browser_", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [program, *_OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # the program may be a script: its children end with its group
        )
        self._socket = connect(self._debugger(), max_size=None)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        self.ask("Page.navigate", url=url)

    def ask(self, method: str, **parameters) -> dict:
        """Call the browser; what it says in between is noted."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            reply = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if reply.get("id") == self._count:
                assert "error" not in reply, reply
                return reply["result"]
            self._note(reply)

    def evaluate(self, script: str):
        """The value of JavaScript in the page."""
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def text(self) -> str:
        """What can be read on the page."""
        return self.evaluate("document.body.innerText") or ""

    def click(self, words: str) -> None:
        """The button with these words."""
        found = f"[...document.querySelectorAll('button')].find(one => one.innerText.trim() === {json.dumps(words)})"
        assert self.evaluate(f"(button => button ? (button.click(), true) : false)({found})"), words

    def picture(self) -> np.ndarray:
        """(H, W, 3) red, green, blue."""
        encoded = np.frombuffer(self.png(), np.uint8)
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]

    def png(self) -> bytes:
        """The same as a file."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def wait_for(self, condition, what: str) -> None:
        """Until `condition()` holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}; the page says: {self.text()[:300]}"
            time.sleep(0.1)

    def _debugger(self) -> str:
        """Address of the page's DevTools."""
        file = Path(self._profile.name) / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE_S
        while not (file.is_file() and len(file.read_text().splitlines()) > 1):
            assert self._process.poll() is None and time.monotonic() < deadline, "the browser does not start"
            time.sleep(0.05)
        port = file.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            pages = json.load(answer)
        return next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")

    def _note(self, event: dict) -> None:
        parameters = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event["method"] == "Runtime.exceptionThrown":
            self.failures.append(str(parameters["exceptionDetails"])[:500])
        elif event["method"] == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.failures.append(parameters["entry"]["text"])

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._profile.cleanup()
