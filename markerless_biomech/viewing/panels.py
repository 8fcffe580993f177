"""Controls and tables beside the scene. Shared by all browsers, but for the view, which is each one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cards import camera_card, gait_card, legend_card, status_card, step_card
from .moment import Moment, Trace
from .playhead import PlayHead
from .traces import TraceCharts

SPEEDS = {"0.1 x": 0.1, "0.25 x": 0.25, "0.5 x": 0.5, "1 x": 1.0, "2 x": 2.0, "4 x": 4.0}
RESULT_WORDS = {
    "refit": "Refit: offline, all frames",
    "settled": "Settled: smoothed, a moment later",
    "live": "Live: newest frame",
}
_WIDTH, _TRACES_WIDTH = 372, 310


class Player:
    """What the controls of a recording command."""

    def __init__(self, head: PlayHead, results: Sequence[str]) -> None:
        self.head = head
        self.results = tuple(results)
        self.result = self.results[0]


class Panels:
    """To the right: status, playing (of a bag), gait, cameras. To the left: angles and steps."""

    def __init__(self, server: Any, player: Player | None = None) -> None:
        gui = server.gui
        self._status = gui.add_html("", order=0)
        self.player_controls = None if player is None else PlayerControls(server, player)
        with gui.add_folder("Gait, newest strides", order=20):
            self._gait = gui.add_html("")
        with gui.add_folder("Cameras", order=21):
            self._cameras = gui.add_html("")
        gui.main_panel.dock_right()
        gui.main_panel.set_width(_WIDTH)
        beside = gui.add_panel()
        with beside.add_tab("Angles, steps"):
            gui.add_html(legend_card())
            self._traces = TraceCharts(server)
            self._steps = gui.add_html("")
        beside.dock_left()
        beside.set_width(_TRACES_WIDTH)

    def show(self, moment: Moment, where: str) -> None:
        """Status, tables and words."""
        start_ns = moment.stamp_ns - round(moment.time_s * 1e9)
        _change(self._status, status_card(moment, where))
        _change(self._gait, gait_card(moment.gait))
        _change(self._cameras, camera_card(moment.cameras))
        _change(self._steps, step_card(moment.steps, start_ns))

    def show_trace(self, trace: Trace, time_s: float) -> None:
        """The angles' charts."""
        self._traces.show(trace, time_s)


class PlayerControls:
    """Play, speed, time, and which result."""

    def __init__(self, server: Any, player: Player) -> None:
        self._player = player
        gui = server.gui
        length_s = max(round(player.head.length_s, 2), 0.01)
        self._play = gui.add_button("Pause", order=1)
        self._time = gui.add_slider("Time, s", 0.0, length_s, 0.01, 0.0, order=2)
        self._speed = gui.add_dropdown("Speed", tuple(SPEEDS), initial_value="1 x", order=3)
        words = [RESULT_WORDS[name] for name in player.results]
        self._result = gui.add_dropdown("Result", words, initial_value=words[0], order=4)
        self._play.on_click(lambda _: player.head.toggle())
        self._time.on_update(self._seek)
        self._speed.on_update(lambda _: setattr(player.head, "speed", SPEEDS[self._speed.value]))
        self._result.on_update(lambda _: setattr(player, "result", player.results[words.index(self._result.value)]))

    def show(self) -> None:
        """What the play head says."""
        head = self._player.head
        label = "Pause" if head.playing else "Play"
        if self._play.label != label:
            self._play.label = label
        shown_s = round(head.time_s, 2)
        if self._time.value != shown_s:
            self._time.value = shown_s

    def _seek(self, event: Any) -> None:
        """Only what somebody does to the slider; our own updates have no client."""
        if event.client is not None:
            self._player.head.seek(self._time.value)


def _change(card: Any, content: str) -> None:
    if card.content != content:
        card.content = content
