"""The session's voice activity detector, with somebody who looks at every window of it.

livekit-agents tells of the detector's windows nowhere in public; what is wrapped here are its public
classes, and the session takes the same events from it as before, with one difference: the silence that ends
speech is counted from the last sound, and not from where the detector let go of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from livekit import rtc
from livekit.agents import vad

from telephony.audio.level import dbfs
from telephony.turns.energy_gate import EnergyGate
from telephony.turns.last_sound import LastSound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class WatchedVad(vad.VAD):
    """A detector that is looked at.

    Args:
        inner: who detects.
        onset: told how many seconds ago a voice began.
        window: told the level of each window in dBFS, and whether it is a voice.
        gate_db: how far a sound must be above a noisy line's noise for the detector to hear it; None where it
            hears everything.
    """

    def __init__(
        self,
        inner: vad.VAD,
        onset: Callable[[float], None],
        window: Callable[[float, bool], None],
        gate_db: float | None = None,
    ) -> None:
        super().__init__(capabilities=inner.capabilities)
        self._inner = inner
        self._onset = onset
        self._window = window
        self._gate_db = gate_db
        inner.on("metrics_collected", lambda metrics: self.emit("metrics_collected", metrics))

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def provider(self) -> str:
        return self._inner.provider

    def stream(self) -> vad.VADStream:
        """The inner detector's stream, looked at."""
        heard, inner = LastSound(), self._inner.stream()
        if self._gate_db is None:
            watched = _WatchedStream(inner, lambda event: self._look(event, heard))
        else:
            gated = watched = _GatedStream(
                inner, lambda event: self._look(event, heard, gated), self._gate_db
            )
        return cast("vad.VADStream", watched)

    def _look(self, event: vad.VADEvent, heard: LastSound, gated: _GatedStream | None = None) -> None:
        if event.type == vad.VADEventType.START_OF_SPEECH:
            self._onset(event.speech_duration + event.inference_duration)
        elif event.type == vad.VADEventType.END_OF_SPEECH:
            event.silence_duration = heard.silence_s(event.silence_duration)
        elif event.type == vad.VADEventType.INFERENCE_DONE:
            samples = [np.frombuffer(frame.data, np.int16) for frame in event.frames]
            level = dbfs(np.concatenate(samples)) if samples else -96.0
            if gated is not None:
                level = gated.level_dbfs
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


class _GatedStream(_WatchedStream):
    """What does not stand out of the line's noise is silence to the inner stream.

    Attributes:
        level_dbfs: of the line at last, whatever the inner stream was shown.
    """

    def __init__(self, inner: vad.VADStream, look: Callable[[vad.VADEvent], None], gate_db: float) -> None:
        super().__init__(inner, look)
        self._gate = EnergyGate(gate_db)
        self.level_dbfs = -96.0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """One frame, or silence in place of it."""
        samples = np.frombuffer(frame.data, np.int16)
        self.level_dbfs = dbfs(samples)
        if not self._gate.hear(self.level_dbfs, frame.duration):
            frame = rtc.AudioFrame(
                bytes(2 * samples.size), frame.sample_rate, frame.num_channels, frame.samples_per_channel
            )
        self._inner.push_frame(frame)
