"""Runs nodes as processes of their own, for `demo`, `benchmark` and tests: no launch package is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from ..errors import InputError

PATIENCE_S = 10.0
"""How long a process may take to end before it is made to."""
DOMAINS = 100
"""ROS domain ids that are safe with Linux's ephemeral ports: 0 to 101; 0 is everybody's."""


def private_domain() -> dict[str, str]:
    """Environment that keeps our nodes apart from others: a domain of this process, on this machine alone."""
    return {"ROS_DOMAIN_ID": str(1 + os.getpid() % DOMAINS), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


class Processes:
    """A group of node processes that ends together. A context manager."""

    def __init__(self, logs: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="markerless_biomech_")
        self.logs = logs or Path(self._temporary.name)
        self.logs.mkdir(parents=True, exist_ok=True)
        self._environment = {**os.environ, **(environment or {}), "PYTHONUNBUFFERED": "1"}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, node: str, parameters: Mapping[str, Any], name: str = "", namespace: str = "") -> None:
        """Start `markerless_biomech.nodes.<node>`; `name` tells several of one kind apart."""
        name = name or node
        file = Path(self._temporary.name) / f"{name}.yaml"
        # An empty list has no type in ROS 2: it is given by leaving it out.
        given = {key: list(value) if isinstance(value, tuple) else value for key, value in parameters.items()}
        given = {key: value for key, value in given.items() if value != []}
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": given}}))
        command = [sys.executable, "-m", f"{__package__}.{node}", "--ros-args", "--params-file", str(file)]
        command += ["-r", f"__ns:=/{namespace.strip('/')}"] if namespace else []
        with self._log_file(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._environment
            )

    def pid(self, name: str) -> int:
        """Its process id."""
        return self._processes[name].pid

    def running(self, name: str) -> bool:
        """Whether it has not ended yet."""
        return self._processes[name].poll() is None

    def check(self) -> None:
        """Raise InputError, with its last words, when a process has failed."""
        for name, process in self._processes.items():
            if process.poll() not in (None, 0):
                raise InputError(f"{name} ended with code {process.returncode}: {self.last_words(name)}")

    def last_words(self, name: str) -> str:
        """The last line that a process has said."""
        lines = self._log_file(name).read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

    def wait(self, name: str, limit_s: float) -> bool:
        """Wait until a process ends by itself; False when it takes longer."""
        try:
            self._processes[name].wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, name: str) -> None:
        """End one process as Ctrl-C would; harder when it does not listen."""
        process = self._processes[name]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                return
            process.send_signal(number)
            self.wait(name, PATIENCE_S)

    def stop_all(self) -> None:
        """End all, the last started first: asked together, waited for one by one."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_S
        for name in reversed(self._processes):
            if not self.wait(name, max(0.1, deadline - time.monotonic())):
                self.stop(name)

    def _log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()
        self._temporary.cleanup()
