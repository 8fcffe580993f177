"""Make an environment with everything this package needs, on a machine that has only Python, gcc, g++ and cmake.

`python3 install.py .venv` is what `make` calls first. It does nothing when the environment is there and no input of the
build has changed since. `--oldest` installs the oldest supported set instead of the newest.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent
INPUTS = (
    "install.py",
    "setup.py",
    "pyproject.toml",
    "CMakeLists.txt",
    "package.xml",
    "*requirements*.txt",
    "constraints*.txt",
)
INPUT_TREES = ("msg", "tf2_msgs_for_wheels", "launch", "config", "meshes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", help="folder of the virtual environment")
    parser.add_argument("--oldest", action="store_true", help="the oldest supported set of libraries")
    arguments = parser.parse_args()
    environment = Path(arguments.environment).resolve()
    stamp = environment / "installed-from.txt"
    wanted = fingerprint(arguments.oldest)
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    problem = what_is_missing(arguments.oldest)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    try:
        install(environment, arguments.oldest)
    except subprocess.CalledProcessError as error:
        print(f"error: installing into {environment} failed at: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    stamp.write_text(wanted)
    return 0


def fingerprint(oldest: bool) -> str:
    """One line that changes when any input of the installation does."""
    files = [path for pattern in INPUTS for path in ROOT.glob(pattern)]
    files += [
        path
        for tree in INPUT_TREES
        for path in (ROOT / tree).rglob("*")
        if path.suffix in (".msg", ".txt", ".py", ".yaml", ".dae")
    ]
    digest = hashlib.sha1(f"{sys.version_info[:2]} {oldest}".encode())
    for path in sorted(set(files)):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest() + "\n"


def what_is_missing(oldest: bool) -> str:
    """One sentence for the first thing that this machine lacks; empty when it has all."""
    newest = (3, 12) if oldest else (3, 13)
    if not (3, 10) <= sys.version_info[:2] <= newest:
        have = ".".join(map(str, sys.version_info[:2]))
        return f"python3 is {have}; expected 3.10 to {newest[0]}.{newest[1]} (choose one: make PYTHON=python3.12)"
    for program in ("gcc", "g++", "cmake"):
        if shutil.which(program) is None:
            package = "build-essential" if program != "cmake" else "cmake"
            return f"{program} is missing, to build the messages; install it (Debian, Ubuntu: apt install {package})"
    version = subprocess.run(["cmake", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < (3, 20):
        return f"cmake is {found[0] if found else 'unreadable'}; expected 3.20 or newer"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        return f"the headers of {name} are missing (Python.h); install them (Debian, Ubuntu: apt install {name}-dev)"
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        return "python3 cannot make virtual environments; install venv (Debian, Ubuntu: apt install python3-venv)"
    return ""


def install(environment: Path, oldest: bool) -> None:
    """Make the environment if need be, install the requirements, then this package from its source tree."""
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"making {environment.name} and installing into it, about a minute", flush=True)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    requirement_files = ["requirements.txt", "requirements-ros-wheels.txt", "requirements-dev.txt"]
    if not oldest:
        requirement_files.append("requirements-opensim.txt")
    requirements = [word for name in requirement_files for word in ("-r", str(ROOT / name))]
    constraints = ["-c", str(ROOT / "constraints-oldest.txt")] if oldest else []
    environ = {key: value for key, value in os.environ.items() if not key.startswith("_ROS_WHEELS")}
    subprocess.run([*pip, *requirements, *constraints, *build_requirements()], check=True, env=environ)
    print("building the ROS 2 messages", flush=True)
    # The wheels of ROS 2 start Python anew with their library path: as it was before them, for this Python.
    subprocess.run([*pip, "--no-build-isolation", "--no-deps", "-e", str(ROOT)], check=True, env=environ)


def build_requirements() -> list[str]:
    """The build system's requirements, read without tomllib, which Python 3.10 lacks."""
    text = (ROOT / "pyproject.toml").read_text()
    found = re.search(r"^requires = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert found, "pyproject.toml: no build-system requires"
    return re.findall(r'"([^"]+)"', found[1])


if __name__ == "__main__":
    sys.exit(main())
