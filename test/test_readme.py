"""What README.md says is so: its tables, its commands, and the publisher that a lab starts from."""

import importlib.util
import re
import time
from pathlib import Path

import click
import numpy as np
import pytest

from markerless_biomech.cli import main as commands
from markerless_biomech.keypoints import load_keypoint_set

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_tables_follow_from_the_code():
    spec = importlib.util.spec_from_file_location("write_tables", ROOT / "docs" / "write_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.with_tables(README) == README, "run `make config`"


def test_every_published_topic_is_in_the_table():
    source = (ROOT / "markerless_biomech" / "nodes" / "publishing.py").read_text()
    topics = re.findall(r'_make\(TYPES\.\w+, "([^"]+)"', source)
    assert len(topics) >= 7
    for topic in topics:
        assert f"`{topic}`" in README, topic


def test_every_command_shown_exists():
    shown = set(re.findall(r"^    markerless-biomech ([a-z-]+)", README, re.MULTILINE))
    assert len(shown) >= 6 and shown <= set(commands.list_commands(click.Context(commands)))


def test_paths_that_the_readme_links_exist():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.ros
def test_the_publisher_example_publishes_what_the_estimator_reads():
    import rclpy
    from markerless_biomech.msg import Keypoints2D

    from markerless_biomech.nodes import quality
    from markerless_biomech.recording.messages import keypoint_frame_from_message

    example: dict = {}
    exec(re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1), example)
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node, heard = rclpy.create_node("example", context=context), []
        node.create_subscription(Keypoints2D, "cam0/keypoints", heard.append, quality.KEYPOINTS)
        publisher = example["make_publisher"](node, "cam0")
        people = np.arange(2 * 17 * 3, dtype=np.float32).reshape(2, 17, 3) / 200.0
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)
        deadline = time.monotonic() + 60.0
        while not heard and time.monotonic() < deadline:
            example["publish"](publisher, "cam0", node.get_clock().now().to_msg(), people, 640, 480)
            executor.spin_once(timeout_sec=0.1)
        frame = keypoint_frame_from_message("cam0", heard[0], 1, load_keypoint_set("coco_17"), (640, 480))
        assert np.array_equal(frame.points, people) and heard[0].header.frame_id == "cam0_optical"
    finally:
        rclpy.shutdown(context=context)
