"""What the session's detector is shown, and what is told of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import vad

from telephony.agent.watched_vad import WatchedVad
from telephony.audio.frame import FRAME_SAMPLES, RATE
from telephony.audio.level import dbfs
from telephony.audio.tones import noise

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

LOUD = noise(0.02, -20.0, np.random.default_rng(1))
STREET = noise(0.02, -35.0, np.random.default_rng(2))


class ShownVad(vad.VAD):
    """Keeps what it is shown, and tells of each frame that it is no voice."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.02))
        self.shown: list[float] = []

    def stream(self) -> vad.VADStream:
        return _ShownStream(self)


class _ShownStream(vad.VADStream):
    def __init__(self, detector: ShownVad) -> None:
        self._shown = detector.shown
        super().__init__(detector)

    async def _main_task(self) -> None:
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue  # the end of the input is told as a mark
            self._shown.append(dbfs(np.frombuffer(frame.data, np.int16)))
            kind = vad.VADEventType.INFERENCE_DONE
            self._event_ch.send_nowait(vad.VADEvent(kind, 0, 0.0, 0.0, 0.0, frames=[frame]))


async def shown(gate_db: float | None, *frames: Samples) -> tuple[list[float], list[float]]:
    """The levels that the detector and that the handler are told of."""
    inner, told = ShownVad(), list[float]()
    stream = WatchedVad(inner, lambda _: None, lambda level, _: told.append(level), gate_db).stream()

    async def look() -> None:
        async for _ in stream:
            pass

    looking = asyncio.create_task(look())
    for samples in frames:
        stream.push_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, FRAME_SAMPLES))
        await asyncio.sleep(0.001)
    stream.end_input()
    await looking
    await stream.aclose()
    return inner.shown, told


async def test_a_gate_shows_the_detector_what_stands_out_of_the_noise() -> None:
    """And the handler what the line sounds like, whatever the detector is shown."""
    detected, told = await shown(6.0, *[STREET] * 60, LOUD, STREET)
    assert min(detected[:10]) > -40, "nobody knows the noise yet"
    assert max(detected[50:60]) <= -90
    assert detected[60] == pytest.approx(-20, abs=1)
    assert told[50:62] == pytest.approx([-35.0] * 10 + [-20.0, -35.0], abs=1)


async def test_without_a_gate_it_is_shown_everything() -> None:
    """That is the default."""
    detected, told = await shown(None, *[STREET] * 30, LOUD)
    assert min(detected) > -40
    assert detected == told
