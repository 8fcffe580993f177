"""`demo` and `benchmark` from end to end, as short as they go."""

import numpy as np
import pytest

from markerless_biomech.errors import InputError
from markerless_biomech.nodes.benchmark import run_benchmark
from markerless_biomech.nodes.demo import prepared_folder, run_demo
from markerless_biomech.recording.bags import open_bag

pytestmark = pytest.mark.ros


@pytest.mark.accuracy
def test_the_demo_leaves_a_bag_and_a_report_with_pictures(tmp_path):
    answer = run_demo(seconds=3.0, out=tmp_path / "demo")
    assert answer["frame_sets"] > 0 and np.isfinite(answer["reprojection_px"])
    with open_bag(answer["bag"]) as bag:
        assert {"/joint_states", "/tf", "/cam0/keypoints", "/truth/body_state", "/definitions/rig"} <= set(bag.topics)
    assert "<img" in answer["report"].read_text()


@pytest.mark.accuracy
def test_the_benchmark_answers_every_key(tmp_path):
    answer = run_benchmark(cameras=2, fps=20.0, keypoint_set="coco_17", seconds=4.0)
    wanted = "latency_ms end_to_end_ms stages_ms fps dropped rss_mb_start rss_mb_end compile_s device"
    assert set(wanted.split()) <= set(answer)
    for key in ("latency_ms", "end_to_end_ms"):
        assert 0 < answer[key]["p50"] <= answer[key]["p95"] <= answer[key]["p99"]
    assert answer["latency_ms"]["p50"] < answer["end_to_end_ms"]["p50"]


def test_the_fit_alone_is_timed_without_ros():
    answer = run_benchmark(cameras=2, fps=20.0, keypoint_set="coco_17", seconds=1.0, in_process=True)
    assert answer["latency_ms"]["p50"] > 0 and answer["end_to_end_ms"]["p50"] is None


def test_a_folder_that_is_not_an_earlier_demo_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        prepared_folder(tmp_path, force=False)
    with pytest.raises(InputError, match="not the folder of an earlier demo"):
        prepared_folder(tmp_path, force=True)
    assert (tmp_path / "thesis.txt").exists()
