"""What exports take from a bag: even rows that do not drift, empty ones where there is nothing, the last steps."""

import numpy as np
import pytest
from made_motions import FPS, FRAMES, KEYPOINTS, LOST, SKIPPED, made_steps, walking_motion, walking_poses

from markerless_biomech.errors import InputError
from markerless_biomech.recording.export_motion import frame_grid, last_words


def test_every_frame_has_a_row_and_lost_ones_are_empty():
    motion = walking_motion()
    empty = [*range(LOST.start, LOST.stop), SKIPPED]
    assert len(motion.held) == FRAMES and motion.rate_hz == pytest.approx(FPS, rel=1e-9)
    assert list(np.flatnonzero(~motion.held)) == empty
    assert np.isnan(motion.qpos[empty]).all() and np.isnan(motion.sites_m[empty]).all()
    np.testing.assert_array_equal(motion.qpos[motion.held], walking_poses()[motion.held])
    np.testing.assert_allclose(motion.time_s, np.arange(FRAMES) / FPS, atol=1e-9)


def test_keypoints_that_the_set_does_not_use_are_not_written():
    used = [name for name, body in zip(KEYPOINTS.names, KEYPOINTS.bodies, strict=True) if body]
    motion = walking_motion()
    assert list(motion.site_names) == used and len(used) < len(KEYPOINTS)
    assert np.isfinite(motion.sites_m[motion.held]).all()


def test_rows_do_not_drift_where_a_camera_says_59_94():
    """Ten minutes with stamps that tremble by 2 ms: each state keeps its row."""
    rng = np.random.default_rng(0)
    frames = np.arange(36_000)
    stamps_ns = np.round((frames / 59.94 + rng.uniform(-0.002, 0.002, len(frames))) * 1e9).astype(np.int64)
    rate_hz, row, every_ns = frame_grid(stamps_ns)
    assert rate_hz == pytest.approx(59.94, rel=1e-5), "2 ms of ten minutes"
    np.testing.assert_array_equal(row, frames)
    np.testing.assert_array_equal(every_ns, stamps_ns)


def test_a_result_with_one_state_is_refused():
    with pytest.raises(InputError, match="two frames"):
        frame_grid(np.array([5], dtype=np.int64))


def test_the_last_revision_of_a_step_counts_and_withdrawn_ones_do_not():
    steps = last_words(made_steps())
    assert [(step.id, step.revision) for step in steps] == [(1, 1), (2, 0)]
