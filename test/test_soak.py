"""Two minutes of the soak: every fault comes and goes in one running system, which neither drops nor grows by it."""

import os

import pytest
from fault_bench import SEEN_WELL
from live_fault_table import FAULTS, SMALL
from live_faults import WORDS_OF_TROUBLE, LiveSystem
from soak import growth, soak

pytestmark = pytest.mark.ros


def test_faults_that_come_and_go_leave_nothing_behind(tmp_path):
    domain = {name: os.environ[name] for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")}
    with LiveSystem(tmp_path, domain, SMALL, SEEN_WELL) as system:
        system.start("")
        system.learn()
        stretches = soak(system, minutes=2.0, on_s=1.5, off_s=2.5)
        system.wait_for(system.is_well, "good results after the last fault")
    assert {one.fault for one in stretches} == set(FAULTS)
    # A full queue says that the machine was busy with something else, and is no matter of faults.
    assert not {cause for one in stretches for cause in one.dropped} & {"no_rig", "unknown_camera"}
    # Of some 560 MB; what is met for the first time in these two minutes is allowed for.
    assert growth(stretches) < 0.02
    for name in ("motion_estimator", "rig_simulator"):
        log = (tmp_path / f"{name}.log").read_text(errors="replace")
        assert not any(words in log for words in WORDS_OF_TROUBLE)
