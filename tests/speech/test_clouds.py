"""The clouds' own plugins, over real sockets, against servers that speak their wire at 8 kHz."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest
from livekit import rtc
from livekit.agents import (
    Agent,
    AgentSession,
    APIConnectOptions,
    APIStatusError,
    TurnHandlingOptions,
    llm,
    stt,
)

from telephony.audio.detect import dominant_frequency
from telephony.audio.tones import sine
from telephony.speech.providers import Providers, build
from telephony.speech.settings import SpeechSettings
from telephony.speech.simulators import cartesia, deepgram, openai
from telephony.speech.simulators.serving import serve
from tests.speech.conversation import Loudspeaker, Microphone
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray

pytestmark = pytest.mark.component

ONCE = APIConnectOptions(max_retry=0, timeout=5.0)
KEYS = {"DEEPGRAM_API_KEY": "dg-key", "CARTESIA_API_KEY": "ca-key", "OPENAI_API_KEY": "oa-key"}


class Clouds:
    """All three simulators, and providers that point at them."""

    def __init__(self) -> None:
        self.deepgram = deepgram.DeepgramSimulator(
            hear=deepgram.scripted(["What are your opening hours?"]), api_key="dg-key"
        )
        self.cartesia = cartesia.CartesiaSimulator(api_key="ca-key", delay_s=0.01)
        self.openai = openai.OpenAiSimulator(
            think=openai.scripted([openai.Answer("We are open from nine to five.")]),
            api_key="oa-key",
            delay_s=0.01,
        )
        self.urls: dict[str, str] = {}
        self.http: aiohttp.ClientSession

    def providers(self, env: dict[str, str] | None = None) -> Providers:
        """Production providers whose servers are these."""
        section: dict[str, Any] = {
            "stt": {
                "provider": "deepgram",
                "base_url": f"{self.urls['deepgram']}/v1/listen",
                "keyterms": ["clinic"],
            },
            "llm": {"provider": "openai", "base_url": f"{self.urls['openai']}/v1", "model": "gpt-4.1-mini"},
            "tts": {"provider": "cartesia", "base_url": self.urls["cartesia"]},
        }
        return build(SpeechSettings.model_validate(section), env=env or KEYS, http_session=self.http)


@pytest.fixture
async def clouds() -> AsyncIterator[Clouds]:
    """Running simulators, each on a port of its own."""
    clouds = Clouds()
    async with (
        serve(clouds.deepgram.app()) as clouds.urls["deepgram"],
        serve(clouds.openai.app()) as clouds.urls["openai"],
        serve(clouds.cartesia.app()) as clouds.urls["cartesia"],
        aiohttp.ClientSession() as clouds.http,
    ):
        yield clouds


def frames(samples: NDArray[np.int16]) -> list[rtc.AudioFrame]:
    """Samples as frames of 20 ms at 8 kHz."""
    return [
        rtc.AudioFrame(samples[start : start + 160].tobytes(), 8000, 1, 160)
        for start in range(0, len(samples) // 160 * 160, 160)
    ]


async def test_deepgram_hears_a_phrase(clouds: Clouds) -> None:
    """Speech and silence at 8 kHz give start, interim, final and end, as the plugin reports them."""
    providers = clouds.providers()
    events: list[stt.SpeechEvent] = []
    async with providers.stt.stream(conn_options=ONCE) as stream:
        for frame in frames(np.concatenate([sine(300.0, 0.6), np.zeros(8000, np.int16)])):
            stream.push_frame(frame)
        async with limit(10):
            async for event in stream:
                events.append(event)
                if event.type is stt.SpeechEventType.END_OF_SPEECH:
                    break
    await providers.aclose()
    kinds = [event.type for event in events]
    assert kinds.index(stt.SpeechEventType.START_OF_SPEECH) < kinds.index(
        stt.SpeechEventType.INTERIM_TRANSCRIPT
    )
    [final] = [event for event in events if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT]
    assert final.alternatives[0].text == "What are your opening hours?"
    [query] = clouds.deepgram.queries
    asked = {
        key: query[key] for key in ("model", "sample_rate", "encoding", "language", "keyterm", "mip_opt_out")
    }
    assert asked == {
        "model": "nova-3",
        "sample_rate": "8000",
        "encoding": "linear16",
        "language": "en-US",
        "keyterm": "clinic",
        "mip_opt_out": "true",
    }


async def test_deepgram_is_closed_with_what_it_still_heard(clouds: Clouds) -> None:
    """Ending the stream in the middle of a word still brings its transcript."""
    providers = clouds.providers()
    async with providers.stt.stream(conn_options=ONCE) as stream:
        for frame in frames(sine(300.0, 0.5)):
            stream.push_frame(frame)
        stream.end_input()
        async with limit(10):
            async for event in stream:
                if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                    break
    await providers.aclose()
    assert event.alternatives[0].text == "What are your opening hours?"


async def test_cartesia_speaks_text_as_it_arrives(clouds: Clouds) -> None:
    """Sentences become 8 kHz audio of one context, ended by the last message."""
    providers = clouds.providers()
    async with providers.tts.stream(conn_options=ONCE) as stream:
        for piece in ("We are open ", "from nine to five. Would", " you like an ", "appointment?"):
            stream.push_text(piece)
        stream.end_input()
        async with limit(10):
            heard = [event.frame async for event in stream]
    await providers.aclose()
    assert {frame.sample_rate for frame in heard} == {8000}
    samples = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in heard])
    assert len(samples) / 8000 == pytest.approx(61 * 0.06, abs=0.3)
    assert dominant_frequency(samples[:4000], 8000) == pytest.approx(300, abs=5)
    *spoken, last = clouds.cartesia.requests
    assert {request["context_id"] for request in spoken} == {last["context_id"]}
    assert [request["continue"] for request in clouds.cartesia.requests] == [True] * len(spoken) + [False]
    assert spoken[0]["output_format"] == {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 8000}


async def test_cartesia_speaks_a_whole_text(clouds: Clouds) -> None:
    """The request without a stream gives the same sound."""
    providers = clouds.providers()
    async with providers.tts.synthesize("Hello.", conn_options=ONCE) as stream:
        whole = await stream.collect()
    await providers.aclose()
    samples = np.frombuffer(whole.data, np.int16)
    np.testing.assert_array_equal(samples[:2880], sine(300.0, 0.36))


async def test_openai_answers_and_calls_a_function(clouds: Clouds) -> None:
    """Words and a function call arrive as the plugin puts them together, with the usage."""
    clouds.openai.think = openai.scripted(
        [openai.Answer("One moment.", (("book", {"day": "Monday", "name": "Anna"}),))]
    )
    providers = clouds.providers()
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="You book appointments.")
    context.add_message(role="user", content="Monday, for Anna.")
    response = await providers.llm.chat(chat_ctx=context, conn_options=ONCE).collect()
    await providers.aclose()
    assert response.text == "One moment."
    [call] = response.tool_calls
    assert (call.name, call.arguments) == ("book", '{"day": "Monday", "name": "Anna"}')
    assert response.usage is not None
    assert response.usage.completion_tokens == 2
    [asked] = clouds.openai.requests
    assert asked["stream"] is True
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


async def test_a_wrong_key_is_refused_and_not_tried_again(clouds: Clouds) -> None:
    """Each cloud answers a wrong key as its plugin expects it: an error that no retry can cure."""
    providers = clouds.providers(dict.fromkeys(KEYS, "wrong"))
    patient = APIConnectOptions(max_retry=3, retry_interval=0.05, timeout=5.0)
    with pytest.raises(APIStatusError) as caught:
        await providers.llm.chat(chat_ctx=llm.ChatContext.empty(), conn_options=patient).collect()
    assert (caught.value.status_code, caught.value.retryable) == (401, False)
    with pytest.raises(APIStatusError) as caught:
        async with providers.tts.synthesize("Hello.", conn_options=patient) as stream:
            await stream.collect()
    assert (caught.value.status_code, caught.value.retryable) == (401, False)
    await providers.aclose()
    assert clouds.cartesia.requests == clouds.openai.requests == []


async def test_a_whole_turn_runs_through_all_three(clouds: Clouds) -> None:
    """In a session without a room: heard, thought about, and answered with sound at 8 kHz."""
    providers = clouds.providers()
    session: AgentSession[None] = AgentSession(
        stt=providers.stt,
        llm=providers.llm,
        tts=providers.tts,
        vad=None,
        turn_handling=TurnHandlingOptions(turn_detection="stt", endpointing={"min_delay": 0.1}),
        session_close_transcript_timeout=0.0,
    )
    microphone, loudspeaker = Microphone(), Loudspeaker()
    session.input.audio, session.output.audio = microphone, loudspeaker
    async with session:
        await session.start(Agent(instructions="You answer questions about a clinic."))
        microphone.say(sine(300.0, 0.6))
        async with limit(20):
            while len(loudspeaker.heard) < 8000:
                await asyncio.sleep(0.05)
    await providers.aclose()
    assert loudspeaker.rates == {8000}
    said = [
        (item.role, item.text_content) for item in session.history.items if isinstance(item, llm.ChatMessage)
    ]
    assert said[:2] == [
        ("user", "What are your opening hours?"),
        ("assistant", "We are open from nine to five."),
    ]
