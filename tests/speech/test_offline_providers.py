"""LiveKit's classes over the speech engine, with an engine whose models count instead of think."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APITimeoutError, stt, tts

from telephony.speech.engine_link import EngineLink
from telephony.speech.expectation import Expectation
from telephony.speech.offline_stt import OfflineStt
from telephony.speech.offline_tts import OfflineTts
from telephony.speech.settings import OfflineSttSettings, OfflineTtsSettings
from tests.speech.fakes import FakeEngine, fake_engine
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.component

ONCE = APIConnectOptions(max_retry=0)
TWICE = APIConnectOptions(max_retry=1, retry_interval=0.05)


def frame(count: int = 800, rate: int = 8000, channels: int = 1) -> rtc.AudioFrame:
    """A frame of a constant level."""
    return rtc.AudioFrame(np.full(count * channels, 1000, np.int16).tobytes(), rate, channels, count)


async def samples_of(stream: tts.ChunkedStream | tts.SynthesizeStream) -> NDArray[np.int16]:
    """All samples of a stream, which must be 8 kHz."""
    async with stream:
        frames = [event.frame async for event in stream]
    assert {frame.sample_rate for frame in frames} == {8000}
    return np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])


async def test_an_utterance_is_recognised_with_what_is_expected_now(engine: FakeEngine) -> None:
    """Frames become one utterance, and the hint is read when the utterance ends."""
    link, expectation = EngineLink(engine.path), Expectation("Yes.")
    recogniser = OfflineStt(link, OfflineSttSettings(), expectation)
    event = await recogniser.recognize([frame(160), frame(640)], conn_options=ONCE)
    assert event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
    assert event.alternatives[0].text == "800 at 8000 Yes."
    assert event.alternatives[0].confidence == pytest.approx(0.9)
    expectation.hint = "Monday."
    assert (await recogniser.recognize(frame(), conn_options=ONCE)).alternatives[
        0
    ].text == "800 at 8000 Monday."
    await link.close()


async def test_any_rate_and_one_of_many_channels_will_do(engine: FakeEngine) -> None:
    """The engine is told the frames' own rate; of several channels the first is heard."""
    link = EngineLink(engine.path)
    recogniser = OfflineStt(link, OfflineSttSettings(), Expectation())
    event = await recogniser.recognize(frame(480, 48_000, channels=2), conn_options=ONCE)
    assert event.alternatives[0].text == "480 at 48000"
    await link.close()


async def test_a_text_is_spoken_at_the_lines_rate(engine: FakeEngine) -> None:
    """A text comes as 8 kHz audio of its whole length."""
    link = EngineLink(engine.path)
    samples = await samples_of(OfflineTts(link, OfflineTtsSettings()).synthesize("Hello there. Good bye."))
    assert len(samples) == 80 * (len("Hello there.") + len("Good bye."))
    await link.close()


async def test_text_that_arrives_in_pieces_is_spoken_in_sentences(engine: FakeEngine) -> None:
    """Through LiveKit's adapter the first sentence is asked for before the last word has arrived."""
    link = EngineLink(engine.path)
    async with tts.StreamAdapter(tts=OfflineTts(link, OfflineTtsSettings())).stream() as stream:
        for piece in ("Thank you for calling ", "the clinic today. What ", "can I do for you?"):
            stream.push_text(piece)
        async with limit(10):
            first = await anext(stream)
        assert first.frame.duration > 0
        assert engine.voice.spoken[0] == "Thank you for calling the clinic today."
        stream.push_text(" Please take your time.")
        stream.end_input()
        async for _ in stream:
            pass
    assert " ".join(engine.voice.spoken).endswith("Please take your time.")
    await link.close()


async def test_what_cannot_be_said_is_a_moment_of_silence(engine: FakeEngine) -> None:
    """A lone dash is not an error, which LiveKit would make of no audio at all."""
    link = EngineLink(engine.path)
    samples = await samples_of(OfflineTts(link, OfflineTtsSettings()).synthesize("…", conn_options=ONCE))
    assert len(samples) == 160
    assert not samples.any()
    await link.close()


async def test_without_an_engine_both_fail_in_livekits_way(short_path: Path) -> None:
    """The error is LiveKit's, allows another try, and says what to start."""
    link = EngineLink(short_path / "none.sock")
    recogniser = OfflineStt(link, OfflineSttSettings(), Expectation())
    with pytest.raises(APIConnectionError, match="No speech engine answers") as caught:
        await recogniser.recognize(frame(), conn_options=ONCE)
    assert caught.value.retryable
    with pytest.raises(APIConnectionError, match="No speech engine answers"):
        await samples_of(OfflineTts(link, OfflineTtsSettings()).synthesize("Hello.", conn_options=ONCE))
    await link.close()


async def test_an_engine_that_was_restarted_is_found_again(short_path: Path) -> None:
    """The try after a broken connection finds the new engine; the caller notices nothing."""
    path = short_path / "speech.sock"
    link = EngineLink(path)
    recogniser = OfflineStt(link, OfflineSttSettings(), Expectation())
    voice = OfflineTts(link, OfflineTtsSettings())
    for _ in range(2):
        async with fake_engine(path):
            assert (await recogniser.recognize(frame(), conn_options=TWICE)).alternatives[0].text
            assert len(await samples_of(voice.synthesize("Hello.", conn_options=TWICE)))
    await link.close()


async def test_a_stuck_engine_is_not_waited_for(engine: FakeEngine) -> None:
    """Beyond the configured wait both give up with LiveKit's time-out."""
    engine.recogniser.gate.clear()
    engine.voice.gate.clear()
    link = EngineLink(engine.path)
    recogniser = OfflineStt(link, OfflineSttSettings(timeout_s=0.05), Expectation())
    with pytest.raises(APITimeoutError, match=r"No transcript within 0\.05 s"):
        await recogniser.recognize(frame(), conn_options=ONCE)
    voice = OfflineTts(link, OfflineTtsSettings(timeout_s=0.05))
    with pytest.raises(APITimeoutError, match=r"No speech within 0\.05 s"):
        await samples_of(voice.synthesize("Hello.", conn_options=ONCE))
    await link.close()


async def test_an_interrupted_sentence_is_cancelled_in_the_engine(engine: FakeEngine) -> None:
    """Closing the stream keeps the rest of a long text from being made."""
    link = EngineLink(engine.path)
    stream = OfflineTts(link, OfflineTtsSettings()).synthesize("One. Two. Three. Four.")
    engine.voice.gate.clear()
    async with limit(10):
        while not engine.voice.spoken:
            await asyncio.sleep(0.005)
    await stream.aclose()
    await asyncio.sleep(0.05)
    engine.voice.gate.set()
    client = await link.client()
    assert [len(piece) async for piece in client.synthesize("Five.")] == [400]
    assert engine.voice.spoken == ["One.", "Five."]
    await link.close()
