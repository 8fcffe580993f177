"""Slow work beside the node: a module of ours as a second process, requests in, messages out until it ends.

It has a low priority, one thread a library and no GPU, so that the live fit keeps what it has. It ends with the node,
however the node ends: its input is then closed. What it prints is kept, for the words that explain a failure.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Any

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PJRT_NPROC": "1", "JAX_PLATFORMS": "cpu"}
NICER = 19
"""How much lower its priority is than ours."""


class SecondProcess:
    """`python -m module`, whose main calls `serve` or `serve_all`. Everything that is exchanged is pickled."""

    def __init__(self, module: str, *requests: Any) -> None:
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            env={**os.environ, **ENVIRONMENT},
        )
        niceness = min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
        os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)
        with contextlib.suppress(AttributeError, OSError):  # Linux: it never keeps a core from whoever wakes up
            os.sched_setscheduler(self._process.pid, os.SCHED_IDLE, os.sched_param(0))
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="second process", daemon=True)
        self._thread.start()
        self._asking = threading.Thread(target=self._talk, name="second process' requests", daemon=True)
        self._asking.start()
        for request in requests:
            self.ask(request)

    def ask(self, request: Any) -> None:
        """One more request, of a module that takes many; returns at once."""
        self._requests.put((request,))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has, and there is nothing more to take."""
        return not self._thread.is_alive() and self._messages.empty() and self._process.poll() is not None

    def take(self) -> list[Any]:
        """What it has said since the last call."""
        return [self._messages.get() for _ in range(self._messages.qsize())]

    def stop_soon(self) -> None:
        """As `stop`, without waiting for it: a large process takes its time to end."""
        threading.Thread(target=self.stop, name="end of second process", daemon=True).start()

    def stop(self) -> str:
        """End it unless it has ended; returns how it did, in words."""
        self._process.kill()
        code = self._process.wait()
        self._requests.put(())
        self._asking.join()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            # What was not written yet has nobody to read it.
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._printed.seek(0)
        lines = self._printed.read().decode(errors="replace").strip().splitlines()
        self._printed.close()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"{how}: {lines[-1].strip()}" if lines else how

    def _talk(self) -> None:
        """In a thread of its own: neither a full pipe nor a slow process holds up the node."""
        assert self._process.stdin is not None
        try:
            while request := self._requests.get():
                pickle.dump(request[0], self._process.stdin)
                self._process.stdin.flush()
        except (OSError, ValueError):
            return  # it has ended

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                self._messages.put(pickle.load(self._process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError):
            return  # it has ended, perhaps in the middle of a message


def serve_all(answer: Callable[[Any, Callable[[Any], None]], None]) -> None:
    """The other end, for one request after the other; ends when the node does, after the answer in progress."""
    send = _replies()
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except (EOFError, pickle.UnpicklingError):
            return
        answer(request, send)


def serve(answer: Callable[[Any, Callable[[Any], None]], None]) -> None:
    """The other end: read the request and have `answer(request, send)` say what it has to say."""
    send = _replies()
    request = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_the_node, daemon=True).start()
    answer(request, send)


def _replies() -> Callable[[Any], None]:
    """What writes messages to the node."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the node decides
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get among the messages

    def send(message: Any) -> None:
        pickle.dump(message, replies)
        replies.flush()

    return send


def _end_with_the_node() -> None:
    """Nothing more is ever written to our input, so that reading it returns when the node has ended."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
