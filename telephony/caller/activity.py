"""When somebody speaks and when there is silence, from the level of one packet after the other.

Pure: energy with hysteresis. Times are those of the packets, so the end of speech is the last packet that
had some, not the moment at which the silence had lasted long enough to be sure.
"""

from __future__ import annotations

from dataclasses import dataclass

ON_DBFS = -45.0
"""A packet at or above this is speech."""
OFF_DBFS = -50.0
"""While there is speech, a packet below this is silence."""
ONSET_PACKETS = 3
"""So many of the last four packets must be speech before it counts: a click is one or two."""
PAUSE_S = 0.5
"""Silence that separates two utterances: longer than the pauses between words, shorter than a turn."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One stretch of speech: times of its first and last packet with speech, in s."""

    start_s: float
    end_s: float


class SpeechActivity:
    """Follows one stream of packets and keeps the stretches of speech found in it.

    Args:
        pause_s: silence that ends a stretch.
    """

    def __init__(self, *, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._recent: list[tuple[float, bool]] = []
        self._start_s: float | None = None
        self._end_s = 0.0
        self.finished: list[Speech] = []

    @property
    def current(self) -> Speech | None:
        """The stretch that is still going on, as far as it is known."""
        return None if self._start_s is None else Speech(self._start_s, self._end_s)

    @property
    def speeches(self) -> list[Speech]:
        """All stretches so far, the one still going on included."""
        return self.finished + ([self.current] if self.current else [])

    def feed(self, at_s: float, level_dbfs: float) -> None:
        """Take one packet in; packets come in the order of ``at_s``."""
        self.tick(at_s)
        if self._start_s is not None:
            if level_dbfs >= OFF_DBFS:
                self._end_s = at_s
            return
        self._recent = [*self._recent[-ONSET_PACKETS:], (at_s, level_dbfs >= ON_DBFS)]
        loud = [at for at, is_loud in self._recent if is_loud]
        if len(loud) >= ONSET_PACKETS:
            self._start_s, self._end_s = loud[0], at_s

    def tick(self, now_s: float) -> None:
        """Let time pass without a packet: no packets are silence as well."""
        if self._start_s is not None and now_s - self._end_s >= self._pause_s:
            self.finished.append(Speech(self._start_s, self._end_s))
            self._start_s = None
            self._recent = []

    def finish(self) -> None:
        """The stream is over: what was going on has ended."""
        self.tick(float("inf"))


def find_speech(levels: list[tuple[float, float]], *, pause_s: float = PAUSE_S) -> list[Speech]:
    """The stretches of speech in a whole recording: (time in s, level in dBFS) of each packet, in order."""
    activity = SpeechActivity(pause_s=pause_s)
    for at_s, level_dbfs in levels:
        activity.feed(at_s, level_dbfs)
    activity.finish()
    return activity.finished
