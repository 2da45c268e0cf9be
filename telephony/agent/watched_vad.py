"""The session's voice activity detector, with somebody who looks at every window of it.

livekit-agents tells of the detector's windows nowhere in public; what is wrapped here are its public
classes, and the session takes the same events from it as before, with one difference: the silence that ends
speech is counted from the last sound, and not from where the detector let go of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from livekit.agents import vad

from telephony.audio.level import dbfs
from telephony.turns.last_sound import LastSound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class WatchedVad(vad.VAD):
    """A detector that is looked at.

    Args:
        inner: who detects.
        onset: told how many seconds ago a voice began.
        window: told the level of each window in dBFS, and whether it is a voice.
    """

    def __init__(
        self, inner: vad.VAD, onset: Callable[[float], None], window: Callable[[float, bool], None]
    ) -> None:
        super().__init__(capabilities=inner.capabilities)
        self._inner = inner
        self._onset = onset
        self._window = window
        inner.on("metrics_collected", lambda metrics: self.emit("metrics_collected", metrics))

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def provider(self) -> str:
        return self._inner.provider

    def stream(self) -> vad.VADStream:
        """The inner detector's stream, looked at."""
        heard = LastSound()
        return cast(
            "vad.VADStream", _WatchedStream(self._inner.stream(), lambda event: self._look(event, heard))
        )

    def _look(self, event: vad.VADEvent, heard: LastSound) -> None:
        if event.type == vad.VADEventType.START_OF_SPEECH:
            self._onset(event.speech_duration + event.inference_duration)
        elif event.type == vad.VADEventType.END_OF_SPEECH:
            event.silence_duration = heard.silence_s(event.silence_duration)
        elif event.type == vad.VADEventType.INFERENCE_DONE:
            samples = [np.frombuffer(frame.data, np.int16) for frame in event.frames]
            level = dbfs(np.concatenate(samples)) if samples else -96.0
            heard.hear(level, self.capabilities.update_interval, speaking=event.speaking)
            self._window(level, event.speaking and event.raw_accumulated_speech > 0)


class _WatchedStream:
    """Everything as the inner stream has it, but for the look at its events."""

    def __init__(self, inner: vad.VADStream, look: Callable[[vad.VADEvent], None]) -> None:
        self._inner = inner
        self._look = look

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __aiter__(self) -> AsyncIterator[vad.VADEvent]:
        return self

    async def __anext__(self) -> vad.VADEvent:
        event = await self._inner.__anext__()
        self._look(event)
        return event
