"""The allowed imports (pyproject.toml, import-linter), and launch files that compile."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_imports_point_down():
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("file", sorted((ROOT / "launch").glob("*.launch.py")), ids=lambda path: path.stem)
def test_launch_files_compile(file):
    compile(file.read_text(), file, "exec")


def test_console_commands_are_declared_once_for_pip_and_for_colcon():
    assert "markerless-biomech = " in (ROOT / "setup.py").read_text()
    assert "markerless-biomech" in (ROOT / "CMakeLists.txt").read_text()
