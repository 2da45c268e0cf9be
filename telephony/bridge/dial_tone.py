"""What those who wait hear while a phone rings: the European ringing tone (ETSI TS 101 041).

425 Hz, one second of five. livekit-sip's ``play_dialtone`` is the same tone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.audio.frame import FRAME_SAMPLES, silence
from telephony.audio.tones import sine

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.audio.frame import Samples
    from telephony.rtp.thread import MediaThread

FREQUENCY_HZ = 425.0
ON_S, PERIOD_S = 1.0, 5.0

_FRAMES_PER_S = 50
_SOUND = sine(FREQUENCY_HZ, ON_S, amplitude=0.1)
_SILENCE = silence()


class DialTone:
    """The tone, a frame each tick from ``start`` to ``stop``.

    Args:
        play: takes the next 20 ms, on the media thread.
    """

    def __init__(self, thread: MediaThread, play: Callable[[Samples], None]) -> None:
        self._thread = thread
        self._play = play
        self._tick_number = 0
        self._on = False

    def start(self) -> None:
        """Play from the next tick on; harmless when repeated."""
        if not self._on:
            self._on = True
            self._thread.post(self._thread.clock.add, self._tick)

    def stop(self) -> None:
        """Play no more; harmless when repeated."""
        if self._on:
            self._on = False
            self._thread.post(self._thread.clock.remove, self._tick)

    def _tick(self) -> None:
        self._play(frame_of_tone(self._tick_number))
        self._tick_number += 1


def frame_of_tone(number: int) -> Samples:
    """The 20 ms of the tone with this number, counted from its start."""
    within = number % round(PERIOD_S * _FRAMES_PER_S)
    if within >= round(ON_S * _FRAMES_PER_S):
        return _SILENCE
    return _SOUND[within * FRAME_SAMPLES : (within + 1) * FRAME_SAMPLES]
