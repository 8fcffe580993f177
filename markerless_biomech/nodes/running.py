"""Starting and ending a node process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
import rclpy.utilities
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ..errors import InputError

SPIN_S = 0.2
"""How long a wait for messages lasts at most, so that a signal is seen."""


DRAIN_SPIN_S = 0.05
"""The same, for what has come when the node is told to stop."""

SWITCH_S = 0.0005
"""How long a thread may hold the interpreter while another waits for it; Python's 5 ms would delay the fit."""


class StopRequest:
    """Set by the first SIGINT or SIGTERM; later ones change nothing, because launch forwards a second SIGINT."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True


def run(make_node: Callable[[], Node], arguments: Sequence[str] | None = None) -> None:
    """Run one node until it is told to stop. A wrong setting ends the process with its sentence and exit code 1."""
    stop = StopRequest()
    sys.setswitchinterval(SWITCH_S)
    # rclpy's own handlers would end the process at the second SIGINT.
    rclpy.init(args=list(arguments) if arguments is not None else None, signal_handler_options=SignalHandlerOptions.NO)
    node, executor, code = None, SingleThreadedExecutor(), 0
    try:
        node = make_node()
        executor.add_node(node)
        node.get_logger().info("started; Ctrl-C ends it")
        while not stop.received and rclpy.utilities.ok() and not getattr(node, "finished", False):
            executor.spin_once(timeout_sec=SPIN_S)
        drain = getattr(node, "drain", None)
        if drain is not None:
            drain(lambda: executor.spin_once(timeout_sec=DRAIN_SPIN_S))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    finally:
        if node is not None:
            code = code or getattr(node, "exit_code", 0)
            close = getattr(node, "close", None)
            if close is not None:
                close()
            node.destroy_node()
        executor.shutdown()
        rclpy.utilities.try_shutdown()
    _end(code)


def _end(code: int) -> None:
    """End the process. A compilation in progress would crash in the shutdown of the interpreter."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the interpreter's shutdown would let a second one kill it
    if any(thread.is_alive() for thread in threading.enumerate() if thread is not threading.main_thread()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
