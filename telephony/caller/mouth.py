"""What the caller sends: one frame each 20 ms, of a line, or silence; and a recording of it.

A person's line is never quiet at the network's end: silence is sent as frames too, so that the other side's
gaps are its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE, silence

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.caller.impairment import Impairment

_RESYNC_S = 0.1
"""The media clock skips the ticks of a longer stall; the recording follows it."""


class Playback:
    """One line on its way out.

    Attributes:
        started_s: when its first packet was sent.
        ended_s: when its last one was.
        done: set then, or when the call ended before.
    """

    def __init__(self, samples: Samples) -> None:
        self.frames = samples.reshape(-1, FRAME_SAMPLES)
        self.started_s: float | None = None
        self.ended_s: float | None = None
        self.done = asyncio.Event()

    @property
    def duration_s(self) -> float:
        """Length of the line."""
        return len(self.frames) * FRAME_S


class Mouth:
    """The caller's own stream.

    Args:
        impairment: mixes its noise under all that is sent.
    """

    def __init__(self, impairment: Impairment) -> None:
        self._impairment = impairment
        self._playback: Playback | None = None
        self._sent = 0
        self._recorded: list[tuple[float, Samples]] = []
        self._next_s: float | None = None
        self.stalls: list[tuple[float, float]] = []
        """(time, seconds) of each tick that came more than one frame late."""
        self._last_tick_s: float | None = None

    def play(self, samples: Samples) -> Playback:
        """Say a line from the next tick on; one still under way is cut off.

        Args:
            samples: shape (160 * k,), 8 kHz.
        """
        self.stop()
        self._playback, self._sent = Playback(samples), 0
        return self._playback

    def stop(self) -> None:
        """Say no more."""
        if self._playback is not None:
            self._playback.done.set()
            self._playback = None

    def next_frame(self, now_s: float) -> Samples:
        """The frame to send in the tick of ``now_s``, shape (160,)."""
        if self._last_tick_s is not None and now_s - self._last_tick_s > 2 * FRAME_S:
            self.stalls.append((now_s, now_s - self._last_tick_s - FRAME_S))
        self._last_tick_s = now_s
        frame = self._impairment.add_noise(self._frame(now_s))
        self._record(now_s, frame)
        return frame

    def _frame(self, now_s: float) -> Samples:
        playback = self._playback
        if playback is None:
            return silence()
        if playback.started_s is None:
            playback.started_s = now_s
        frame: Samples = playback.frames[self._sent]
        self._sent += 1
        if self._sent == len(playback.frames):
            playback.ended_s = now_s
            self.stop()
        return frame

    def _record(self, now_s: float, frame: Samples) -> None:
        if self._next_s is None or abs(now_s - self._next_s) > _RESYNC_S:
            self._next_s = now_s
        self._recorded.append((self._next_s, frame))
        self._next_s += FRAME_S

    def recording(self, duration_s: float) -> Samples:
        """All that was sent before ``duration_s``, from time 0 of the call on; shape (8000 * duration_s,)."""
        line = np.zeros(max(0, round(duration_s * RATE)), np.int16)
        for at_s, frame in self._recorded:
            at = round(at_s * RATE)
            kept = frame[max(0, -at) : max(0, line.size - at)]
            line[max(0, at) : max(0, at) + kept.size] = kept
        return line
