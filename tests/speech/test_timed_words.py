"""The timed recogniser's words: several utterances, and unfinished ones."""

from __future__ import annotations

import asyncio

import pytest
from livekit.agents import stt

from telephony.speech.settings import TimedSttSettings
from telephony.speech.timed import TimedStt
from tests.speech.test_timed import FRAME_S, frame

pytestmark = pytest.mark.component


async def test_each_utterance_has_its_own_words_told_as_they_are_spoken() -> None:
    """Unfinished words first, then all of them; the next utterance says the next text, and round again."""
    settings = TimedSttSettings(provider="timed", stt_final_ms=60, texts=["one two", "three"], interim_ms=20)
    recogniser = TimedStt(settings)
    assert recogniser.capabilities.interim_results
    async with recogniser.stream() as stream:
        for loud in (*[True] * 16, *[False] * 8, True, *[False] * 8, True):
            stream.push_frame(frame(loud=loud))
            await asyncio.sleep(FRAME_S)
        stream.end_input()
        events = [event async for event in stream if event.alternatives]
    heard = [
        (event.type == stt.SpeechEventType.FINAL_TRANSCRIPT, event.alternatives[0].text) for event in events
    ]
    assert heard[:3] == [(False, "one"), (False, "one two"), (True, "one two")]
    assert [text for final, text in heard if final] == ["one two", "three", "one two"]
