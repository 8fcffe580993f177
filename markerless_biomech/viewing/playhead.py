"""Where in a recording we are: plays, pauses, jumps. Knows no clock: it is told how much time went by."""

from __future__ import annotations


class PlayHead:
    """Starts playing at 0."""

    def __init__(self, length_s: float, time_s: float = 0.0) -> None:
        self.length_s = length_s
        self.time_s = min(max(time_s, 0.0), length_s)
        self.playing = True
        self.speed = 1.0
        """Seconds of the recording a second."""

    def advance(self, elapsed_s: float) -> None:
        """Go on by so much of the watcher's time; stops at the end."""
        if not self.playing:
            return
        self.time_s += self.speed * elapsed_s
        if self.time_s >= self.length_s:
            self.time_s, self.playing = self.length_s, False

    def seek(self, time_s: float) -> None:
        """Jump, playing or not."""
        self.time_s = min(max(time_s, 0.0), self.length_s)

    def toggle(self) -> None:
        """Play or pause; at the end, play from the start."""
        if not self.playing and self.time_s >= self.length_s:
            self.time_s = 0.0
        self.playing = not self.playing
