"""`sync: approximate` without message_filters says so; with it (a ROS install) the same frames make the same sets."""

import sys

import pytest
from test_frame_sets import MS, NAMES, check_laws, stream

from markerless_biomech.errors import InputError
from markerless_biomech.nodes.approximate import ApproximateFrameSets


def test_without_message_filters_it_says_what_is_missing_and_how_to_mend_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "message_filters", None)
    with pytest.raises(
        InputError, match="message_filters, which is not installed; install it .* or use sync: deadline"
    ):
        ApproximateFrameSets(NAMES)


def test_with_message_filters_complete_sets_come_in_order_and_a_jump_back_starts_over():
    pytest.importorskip("message_filters", reason="message_filters comes with a ROS 2 install, not from the registry")
    assembler = ApproximateFrameSets(NAMES)
    left = [s for f in stream(frames=40, skip={("b", 20)}) for s in assembler.push(f)]
    left += [s for f in stream(frames=40, period_ms=1000 / 60) for s in assembler.push(f)]
    sets = check_laws(assembler, [(s, 0.0) for s in left])
    assert len(sets) == 39 + 40 and [i for i, s in enumerate(sets) if s.jumped] == [39]
    assert all(tuple(s.frames) == NAMES for s in sets) and assembler.counters["reset"] == 1
    assert assembler.poll(10**12) == [] and assembler.next_deadline_ns() is None
    assert assembler.status(round(39 * 1000 / 60 * MS) + 20 * MS)["a"] == "OK"
