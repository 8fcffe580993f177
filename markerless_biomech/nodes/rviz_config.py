"""config/capture.rviz for one rig, for launch files: its world frame, and its prefix before the links of the person.

Topics in it are relative: RViz is started in the rig's namespace. Knows neither ROS nor the fit, because launch may run
under another Python than the nodes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml


def rig_config_file(template: str | Path, world_frame: str = "world", frame_prefix: str = "") -> Path:
    """The file that RViz shall open: the template itself, or a copy in the system's folder for temporary files."""
    if world_frame == "world" and not frame_prefix:
        return Path(template)
    text = yaml.safe_dump(rig_config(template, world_frame, frame_prefix), sort_keys=False, width=120)
    # Another user's file of this name could not be written again.
    name = f"capture_{os.getuid()}_{hashlib.sha256(text.encode()).hexdigest()[:12]}.rviz"
    path = Path(tempfile.gettempdir()) / name
    path.write_text(text)
    return path


def rig_config(template: str | Path, world_frame: str = "world", frame_prefix: str = "") -> dict[str, Any]:
    """Content of capture.rviz with the frames of one rig.

    Raises ValueError for a prefix that RViz could not put before a link: it joins the two by a slash of its own.
    """
    if frame_prefix and not frame_prefix.endswith("/"):
        raise ValueError(f"frame_prefix is '{frame_prefix}'; RViz shows the person only when it ends with a slash")
    config = yaml.safe_load(Path(template).read_text())
    manager = config["Visualization Manager"]
    manager["Global Options"]["Fixed Frame"] = world_frame
    for display in manager["Displays"]:
        if "TF Prefix" in display:
            display["TF Prefix"] = frame_prefix.rstrip("/")
    return config
