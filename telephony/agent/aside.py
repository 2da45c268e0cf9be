"""What the caller hears between the session's own words, and the session never knows of.

Fillers are no turns: they belong to no speech, stand in no history and must not wait behind the very speech
that is late. So they are put into the phone's own queue below the session, as segments whose reports end
here. Guarantee: the session hears of each segment of its own exactly what it would without this.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.agent.pass_through import PassThroughOutput
from telephony.audio.frame import RATE

if TYPE_CHECKING:
    from livekit.agents.voice.io import (
        AudioOutput,
        PlaybackFinishedEvent,
        PlaybackProgressedEvent,
        PlaybackStartedEvent,
    )

_PIECE_BYTES = 2 * RATE // 10


class AsideOutput(PassThroughOutput):
    """One session's.

    Args:
        sink: the phone.
    """

    def __init__(self, sink: AudioOutput) -> None:
        super().__init__("aside", sink, can_pause=True)
        self._aside: deque[bool] = deque()

    @property
    def busy(self) -> bool:
        """Whether anything is being said, or about to be."""
        return self.capturing or bool(self._aside)

    async def say(self, pcm: bytes) -> bool:
        """Say a clip, PCM, 16 bit, 8 kHz, mono, unless something is being said; whether it is."""
        if self.busy or not pcm:
            return False
        self._aside.append(True)
        for at in range(0, len(pcm), _PIECE_BYTES):
            piece = pcm[at : at + _PIECE_BYTES]
            await self._sink.capture_frame(rtc.AudioFrame(piece, RATE, 1, len(piece) // 2))
        self._sink.flush()
        return True

    def hush(self) -> None:
        """Say no more of a clip; the session's own words are left alone."""
        if self._aside and all(self._aside):
            self._sink.clear_buffer()

    def _begins(self) -> None:
        self._aside.append(False)

    def _forward_next_playback_started(self, ev: PlaybackStartedEvent) -> None:
        if not (self._aside and self._aside[0]):
            super()._forward_next_playback_started(ev)

    def _forward_next_playback_progressed(self, ev: PlaybackProgressedEvent) -> None:
        if not (self._aside and self._aside[0]):
            super()._forward_next_playback_progressed(ev)

    def _forward_next_playback_finished(self, ev: PlaybackFinishedEvent) -> None:
        if not (self._aside and self._aside.popleft()):
            super()._forward_next_playback_finished(ev)
