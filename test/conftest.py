"""Shared by all tests: compiled programs are kept between runs, and nodes get a ROS domain of their own.

Random examples are the same in every run (profile ci); HYPOTHESIS_PROFILE=full draws new ones, and more of them.
"""

import os
from pathlib import Path

from hypothesis import settings

# Before anything imports jax or rclpy. Compiling the fit takes half a minute, reading it back a second.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "markerless_biomech" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("full", derandomize=False, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
