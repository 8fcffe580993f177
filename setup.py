"""Build with pip where ROS 2 comes from PyPI: run the CMake builds that colcon would run and pack what they install."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.build_ext import build_ext

NAME = "markerless_biomech"


def requirements(name: str) -> list[str]:
    """Lines of a requirements file without comments."""
    lines = (line.split("#")[0].strip() for line in Path(name).read_text().splitlines())
    return [line for line in lines if line]


class PlatformDistribution(Distribution):
    """The messages are compiled for one platform and one Python, though no extension is listed."""

    def has_ext_modules(self) -> bool:
        return True


class BuildMessages(build_ext):
    """Build the messages and put everything but our own modules where a ROS install has it, under the prefix.

    The generated Python lies in site-packages, in editable installs too: `markerless_biomech.__path__` joins the two
    folders, the source tree stays clean and serves several environments at once.
    """

    def run(self) -> None:
        import rosidl_adapter

        ros = Path(rosidl_adapter.__file__).parents[4]
        build = Path("build") / f"wheels-{hashlib.sha1(f'{sys.prefix} {ros}'.encode()).hexdigest()[:8]}"
        self._pack(_cmake(build.absolute(), ros))
        if self.editable_mode:  # in this mode setuptools forgets them
            self.run_command("install_data")

    def _pack(self, tree: Path) -> None:
        """Add what CMake installed under `tree` to the files that pip installs, less what setuptools packs itself."""
        generated = ("msg", "tf2_msgs")
        for path in filter(Path.is_file, tree.rglob("*")):
            place = path.relative_to(tree)
            ours = "site-packages" in place.parts and any(part.startswith(NAME) for part in place.parts)
            if ours and path.suffix != ".so" and not set(generated) & set(place.parts):
                continue
            if place.parts[0] != "bin":  # a console script
                self.distribution.data_files.append((str(place.parent), [str(path)]))


def _has_tf2_msgs() -> bool:
    """True where a ROS install that is not of this environment brings tf2_msgs."""
    spec = importlib.util.find_spec("tf2_msgs")
    return spec is not None and not str(spec.origin).startswith(sys.prefix)


def _cmake(build: Path, ros: Path) -> Path:
    """Configure, build and install against the ROS 2 at `ros`; return the install tree."""
    tree = build / "install"
    env = os.environ | {"AMENT_PREFIX_PATH": str(ros), "CMAKE_PREFIX_PATH": str(ros)}
    options = [f"-DCMAKE_INSTALL_PREFIX={tree}", "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={sys.executable}"]
    # Found in this environment it is an earlier build of ours, and must be packed again.
    options.append(f"-DTF2_MSGS_FOR_WHEELS={'OFF' if _has_tf2_msgs() else 'ON'}")
    build_arguments = ["--build", build, "--parallel", str(os.cpu_count())]
    for arguments in (["-S", ".", "-B", build, *options], build_arguments, ["--install", build]):
        subprocess.run(["cmake", *arguments], check=True, env=env)
    return tree


setup(
    name=NAME,
    version="0.1.0",
    description="Streaming markerless motion capture: 2-D keypoints of several cameras in, joint angles out.",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    # Named though it is the default: an editable install is then a path, not an import hook (see BuildMessages).
    package_dir={"": "."},
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["**/*.xml", "**/*.yaml", "**/*.csv"]},
    data_files=[],
    ext_modules=[],
    distclass=PlatformDistribution,
    cmdclass={"build_ext": BuildMessages},
    extras_require={"c3d": ["ezc3d>=1.5"]},
    install_requires=requirements("requirements.txt") + requirements("requirements-ros-wheels.txt"),
    entry_points={"console_scripts": [f"markerless-biomech = {NAME}.cli:main"]},
)
