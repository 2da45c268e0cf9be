"""The line of a call that is dialled, on its way to the session: heard by triage first.

While the gate is closed the session hears silence, so that neither ringing nor a mailbox nor the called
party's first hello begins a turn; the recogniser hears the line all the same (``line_audio``), since its
words are evidence. With the gate open every frame passes as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from livekit import rtc
from livekit.agents.voice.io import AudioInput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from telephony.audio.frame import Samples

_LINE = "line"
"""Where a silent frame carries the one it stands for."""


class TriagedInput(AudioInput):
    """One session's input.

    Args:
        source: the line.
        hear: told of each frame of it: samples, and their rate.

    Attributes:
        open: whether the session hears the line.
    """

    def __init__(self, source: AudioInput, hear: Callable[[Samples, int], None]) -> None:
        super().__init__(label="triaged", source=source)
        self._line = source
        self._hear = hear
        self.open = False

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await self._line.__anext__()
        self._hear(np.frombuffer(frame.data, np.int16)[:: frame.num_channels], frame.sample_rate)
        if self.open:
            return frame
        silent = bytes(2 * frame.samples_per_channel * frame.num_channels)
        return rtc.AudioFrame(
            silent, frame.sample_rate, frame.num_channels, frame.samples_per_channel, userdata={_LINE: frame}
        )


async def line_audio(audio: AsyncIterable[rtc.AudioFrame]) -> AsyncGenerator[rtc.AudioFrame, None]:
    """What the session was given, with the line's own sound in place of the silence."""
    async for frame in audio:
        yield frame.userdata.get(_LINE, frame)
