"""Clips between the session's own words."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import rtc

from telephony.agent.aside import AsideOutput
from telephony.audio.frame import RATE
from tests.agent.talk import Phone
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

CLIP = np.full(RATE // 5, 1000, np.int16).tobytes()
WORDS = rtc.AudioFrame(np.full(RATE // 10, 2000, np.int16).tobytes(), RATE, 1, RATE // 10)


@asynccontextmanager
async def phone_with_clips() -> AsyncIterator[tuple[Phone, AsideOutput, list[str]]]:
    phone = Phone()
    aside = AsideOutput(phone.output)
    told: list[str] = []
    aside.on("playback_started", lambda _: told.append("started"))
    aside.on("playback_finished", lambda event: told.append(f"finished {event.playback_position:g}"))
    listening = asyncio.create_task(phone.listen())
    try:
        yield phone, aside, told
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_the_session_never_knows_of_a_clip() -> None:
    """It is told of its own words alone, which follow the clip whole."""
    async with phone_with_clips() as (phone, aside, told):
        assert await aside.say(CLIP)
        assert not await aside.say(CLIP), "one at a time"
        await aside.capture_frame(WORDS)
        aside.flush()
        await aside.wait_for_playout()
        assert told == ["started", "finished 0.1"]
        assert phone.sound_s == pytest.approx(0.3, abs=0.01)
        assert not aside.busy


async def test_a_clip_is_hushed_and_words_are_not() -> None:
    """A caller who speaks again ends a filler; what the session says is its own affair."""
    async with phone_with_clips() as (phone, aside, told):
        await aside.say(CLIP * 10)
        await until(lambda: phone.sound_s > 0.05)
        aside.hush()
        await until(lambda: not aside.busy)
        assert phone.sound_s < 1.0
        await aside.capture_frame(WORDS)
        aside.hush()
        aside.flush()
        await aside.wait_for_playout()
        assert told == ["started", "finished 0.1"]
