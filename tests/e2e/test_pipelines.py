"""A sample conversation through each kind of pipeline, on a whole line: the real plugins, simulated clouds.

The caller asks, talks over the long answer, and is said goodbye to; PCMU and PCMA by turns.
"""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.line.record import events_of
from telephony.speech.simulators.cartesia import CartesiaSimulator
from telephony.speech.simulators.deepgram import DeepgramSimulator, scripted
from telephony.speech.simulators.openai import Answer, OpenAiSimulator
from telephony.speech.simulators.realtime import RealtimeSimulator
from telephony.speech.simulators.serving import serve
from telephony.speech.simulators.voice import VoiceSimulator
from tests.e2e.sample import line_of, sample_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from telephony.calls.events import Event
    from telephony.line.line import Line
    from telephony.speech.client import SpeechClient

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

KEY = "a-key"
QUESTION = "When are you open on Friday?"
ENOUGH = "That is enough for me, thank you, goodbye."
LONG = "We are open from nine to five on all weekdays, and on Saturdays from ten to one, except on holidays."
GOODBYE = "Thank you for calling, goodbye."
SCRIPT = f"""
name: pipeline
settings: {{codec: CODEC}}
steps:
  - say: {{text: "{QUESTION}", when: after_agent, after_ms: 300}}
  - interrupt: {{text: "{ENOUGH}", after_ms: 1200, silent_within_ms: 3500}}
  - expect_hang_up: {{within_s: 20}}
"""


async def think(messages: Sequence[Mapping[str, Any]]) -> Answer:
    """Answer the question at length, and end the call when the caller has had enough."""
    last = messages[-1]
    if last.get("role") == "tool":
        return Answer(GOODBYE)
    if "enough" in str(last.get("content")):
        return Answer(calls=(("end_call", {}),))
    return Answer(LONG)


def hear() -> Any:
    """What a call's caller says, in turn."""
    return scripted([QUESTION, ENOUGH])


@asynccontextmanager
async def nova() -> AsyncIterator[dict[str, Any]]:
    """Deepgram's nova-3, an OpenAI-compatible model, Cartesia."""
    ears, voice = DeepgramSimulator(hear(), KEY), CartesiaSimulator(api_key=KEY)
    async with AsyncExitStack() as stack:
        url = {
            "stt": await stack.enter_async_context(serve(ears.app())),
            "llm": await stack.enter_async_context(serve(OpenAiSimulator(think, KEY).app())),
            "tts": await stack.enter_async_context(serve(voice.app())),
        }
        yield {
            "stt": {"provider": "deepgram", "base_url": f"{url['stt']}/v1/listen", "api_key": KEY},
            "llm": {"provider": "openai", "base_url": f"{url['llm']}/v1", "api_key": KEY},
            "tts": {"provider": "cartesia", "base_url": url["tts"], "api_key": KEY},
        }


@asynccontextmanager
async def flux() -> AsyncIterator[dict[str, Any]]:
    """Deepgram's Flux, another server by preset, a voice server of one's own."""
    ears = DeepgramSimulator(hear(), KEY)
    async with AsyncExitStack() as stack:
        listens = await stack.enter_async_context(serve(ears.app()))
        thinks = await stack.enter_async_context(serve(OpenAiSimulator(think, KEY).app()))
        speaks = await stack.enter_async_context(serve(VoiceSimulator().app()))
        yield {
            "stt": {
                "provider": "deepgram-flux",
                "base_url": f"{listens}/v2/listen",
                "api_key": KEY,
                "eager_eot_threshold": 0.4,
            },
            "llm": {
                "provider": "openai",
                "preset": "google",
                "model": "gemini-2.5-flash",
                "base_url": f"{thinks}/v1",
                "api_key": KEY,
            },
            "tts": {"provider": "http", "url": speaks.replace("http", "ws", 1) + "/speak"},
        }


@asynccontextmanager
async def whisper() -> AsyncIterator[dict[str, Any]]:
    """Whole utterances, a model and a voice of one OpenAI-compatible server."""
    server = OpenAiSimulator(think, KEY, hear=hear())
    async with serve(server.app()) as url:
        own = {"base_url": f"{url}/v1", "api_key": KEY}
        yield {
            "stt": {"provider": "whisper", **own},
            "llm": {"provider": "openai", **own},
            "tts": {"provider": "openai", **own},
        }


@asynccontextmanager
async def realtime() -> AsyncIterator[dict[str, Any]]:
    """One model hears and speaks."""
    server = RealtimeSimulator(hear=hear(), think=think, api_key=KEY)
    async with serve(server.app()) as url:
        yield {
            "pipeline": "realtime",
            "realtime": {"provider": "openai", "base_url": f"{url}/v1", "api_key": KEY},
            "tts": {"provider": "timed", "tts_ms": 20, "duration_s": 1.0},
        }


@asynccontextmanager
async def azure() -> AsyncIterator[dict[str, Any]]:
    """The same at Azure, by deployment, in its older API."""
    server = RealtimeSimulator(hear=hear(), think=think, api_key=KEY)
    async with serve(server.app()) as url:
        model = {
            "provider": "azure",
            "endpoint": url,
            "deployment": "desk",
            "api_version": "2025-04-01-preview",
        }
        yield {
            "pipeline": "realtime",
            "realtime": {**model, "temperature": 0.7, "api_key": KEY},
            "tts": {"provider": "timed", "tts_ms": 20, "duration_s": 1.0},
        }
        assert any("deployment=desk" in path for path in server.paths)


PIPELINES = {
    "nova": (nova, "PCMU"),
    "flux": (flux, "PCMA"),
    "whisper": (whisper, "PCMU"),
    "realtime": (realtime, "PCMA"),
    "azure": (azure, "PCMU"),
}


@dataclass(frozen=True)
class Piped:
    """A line with one of the pipelines."""

    name: str
    codec: str
    line: Line


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PIPELINES)
async def piped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Piped]:
    """A line whose providers are simulated."""
    pipeline, codec = PIPELINES[request.param]
    folder = tmp_path_factory.mktemp("pipeline")
    async with pipeline() as speech:
        logging = {"pipeline": ["all"]}
        config = sample_file(folder / "livekit-sip.yaml", speech=speech, logging=logging)
        async with line_of(config, folder / "data", api_port=None) as line:
            yield Piped(request.param, codec, line)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def voice() -> AsyncIterator[SpeechClient]:
    """The caller's."""
    async with speech_engine(None) as speech:
        yield speech


async def test_a_conversation_from_greeting_to_goodbye(
    piped: Piped, voice: SpeechClient, tmp_path: Path
) -> None:
    """Heard, answered, interrupted in the middle of the answer, and hung up on after the goodbye."""
    script = parse_script(SCRIPT.replace("CODEC", piped.codec))
    report = await run_script(script, piped.line.info().sip, speech=voice, report_dir=tmp_path)
    assert report.ok, f"{report.cause} {report.problems}"
    assert report.media.codec == piped.codec

    def told() -> list[Event]:
        return events_of(piped.line.data.events, report.sip_call_id)

    await until(lambda: any(event.type == "call.ended" for event in told()), timeout_s=15)
    _judge(told())
    [log] = (piped.line.data.root / "pipeline").glob("*.jsonl")
    flowed = [json.loads(text) for text in log.read_text().splitlines()]
    assert {"caller", "agent", "words"} <= {each["what"] for each in flowed}
    assert sum(each.get("sound_ms", 0) for each in flowed if each["what"].startswith("from_")) > 1000
    assert QUESTION in [each.get("text") for each in flowed]
    assert KEY not in log.read_text()


def _judge(events: list[Event]) -> None:
    turns = [(event.data["who"], event.data["text"]) for event in events if event.type == "turn.completed"]
    assert ("caller", QUESTION) in turns
    cut = [event.data["text"] for event in events if event.type == "agent.interrupted"]
    assert cut, turns
    assert LONG.startswith(cut[-1][:20]), cut
    assert cut[-1] != LONG
    assert ("agent", GOODBYE) in turns, turns
    waits = [event.data["latency_ms"] for event in events if "latency_ms" in event.data]
    assert waits, turns
    assert all(0 < wait < 10_000 for wait in waits)
    ended = next(event for event in events if event.type == "call.ended" and event.source == "job")
    assert ended.data["ended_by"] == "agent"
    assert not [event for event in events if event.type == "provider.trouble"]
