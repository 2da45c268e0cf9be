"""The realtime plugin itself, over real sockets, against a server that speaks OpenAI's and Azure's wire."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from livekit.agents import Agent, AgentSession, llm

from telephony.agent.realtime_call import session_of
from telephony.agent.turn_taking import TurnTaking
from telephony.agent.turn_taking_agent import TurnTakingAgent
from telephony.assistants.loader import load_assistant
from telephony.audio.tones import sine
from telephony.speech.realtime import RealtimeProviders, build_realtime
from telephony.speech.settings import SpeechSettings
from telephony.speech.simulators.deepgram import scripted as hearing
from telephony.speech.simulators.faults import FAULTS
from telephony.speech.simulators.openai import Answer, scripted
from telephony.speech.simulators.realtime import RealtimeSimulator
from telephony.speech.simulators.serving import serve
from tests.agent.talk import Phone
from tests.speech.conversation import Microphone
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.speech.guard.trouble import Trouble
    from telephony.speech.simulators.faults import Fault

pytestmark = pytest.mark.component

QUESTION = "What are your opening hours?"
ANSWER = "We are open from nine to five."


class Talk:
    """A session with a simulated model, without a room."""

    def __init__(self, server: RealtimeSimulator, providers: RealtimeProviders) -> None:
        self.server = server
        self.providers = providers
        self.troubles: list[Trouble] = []
        self.unanswered = 0
        self.lost: list[str] = []
        self.microphone, self.phone = Microphone(), Phone()
        self.session: AgentSession[None]
        self.turns: TurnTaking

    def _on_unanswered(self) -> None:
        self.unanswered += 1

    async def start(self, agent: Agent) -> None:
        """Begin; the microphone is open."""
        self.session.input.audio, self.session.output.audio = self.microphone, self.phone.output
        self.providers.on_trouble(self.troubles.append)
        self.providers.on_heard(self.turns.model_heard)
        self.providers.guard.unanswered = self._on_unanswered
        self.providers.guard.lost = self.lost.append
        await self.session.start(agent)
        self.turns.attach(self.session)
        self.providers.guard.follow(self.session.current_agent.realtime_llm_session)

    async def speak(self, seconds: float) -> None:
        """The caller speaks, as the line's own detector would tell it."""
        self.providers.guard.speech_began()
        self.microphone.say(sine(300.0, seconds))
        await asyncio.sleep(seconds)
        self.providers.guard.speech_ended()

    def kinds(self) -> list[str]:
        """What was told of the models."""
        return [trouble.kind for trouble in self.troubles]

    def said(self) -> list[tuple[str, str | None]]:
        """Who said what, as the history has it."""
        items = self.session.history.items
        return [(each.role, each.text_content) for each in items if isinstance(each, llm.ChatMessage)]


def section(url: str, **options: Any) -> dict[str, Any]:
    """The ``speech`` section for a server."""
    model = {"provider": "openai", "base_url": f"{url}/v1", "api_key": "rt-key"} | options
    return {
        "pipeline": "realtime",
        "realtime": model,
        "tts": {"provider": "timed", "tts_ms": 0, "duration_s": 2.0},
        "deadlines": {"realtime_first_audio_ms": 500, "realtime_next_audio_ms": 500},
    }


@asynccontextmanager
async def talking(
    server: RealtimeSimulator, speech: dict[str, Any], tools: list[Any] | None = None
) -> AsyncIterator[Talk]:
    """A session that has begun."""
    assistant = load_assistant("reception")
    async with aiohttp.ClientSession() as http:
        providers = build_realtime(SpeechSettings.model_validate(speech), env={}, http_session=http)
        talk = Talk(server, providers)
        talk.turns = TurnTaking(assistant, None)
        talk.session = session_of(providers, assistant, talk.turns)
        agent = TurnTakingAgent(talk.turns, instructions="You answer for a clinic.", tools=tools or [])
        listening = asyncio.create_task(talk.phone.listen())
        try:
            await talk.start(agent)
            yield talk
        finally:
            listening.cancel()
            talk.turns.close()
            await talk.session.aclose()
            await providers.aclose()


def simulator(**options: Any) -> RealtimeSimulator:
    """A server with one question and one answer."""
    return RealtimeSimulator(
        hear=hearing([QUESTION]), think=scripted([Answer(ANSWER)]), api_key="rt-key", loud_dbfs=-30, **options
    )


async def test_a_turn_is_heard_and_answered() -> None:
    """The model finds the turn, answers with sound, and tells what both said."""
    server = simulator()
    async with serve(server.app()) as url, talking(server, section(url)) as talk:
        talk.microphone.say(sine(300.0, 0.8))
        await until(lambda: ("assistant", ANSWER) in talk.said(), timeout_s=15)
        assert ("user", QUESTION) in talk.said()
        assert talk.phone.sound_s > 1.0
        assert not talk.troubles
    session = next(event["session"] for event in server.events if event["type"] == "session.update")
    heard = session["audio"]["input"]
    assert heard["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": False,
    }
    assert session["audio"]["output"]["voice"] == "marin"
    assert server.paths == ["/v1/realtime?model=gpt-realtime"]


async def test_the_caller_talks_over_the_answer() -> None:
    """The model's word leads: the agent yields, the answer is cancelled and cut to what was heard."""
    server = simulator()
    server.think = scripted([Answer(ANSWER * 6), Answer("All right.")])
    async with serve(server.app()) as url, talking(server, section(url)) as talk:
        talk.microphone.say(sine(300.0, 0.8))
        await until(lambda: talk.phone.sound_s > 1.0, timeout_s=15)
        talk.microphone.say(sine(300.0, 0.8))
        await until(lambda: ("assistant", "All right.") in talk.said(), timeout_s=15)
        assert talk.turns.interruption()["policy"] == "model"
        [cut] = [each for each in talk.session.history.items if getattr(each, "interrupted", False)]
        assert talk.phone.sound_s < len(ANSWER * 6) * 0.06
    cuts = [event for event in server.events if event["type"] == "conversation.item.truncate"]
    assert cuts[0]["item_id"] == cut.id
    assert cuts[0]["audio_end_ms"] > 900


async def test_what_must_be_heard_is_heard_to_its_end() -> None:
    """The model hears the caller, and the agent goes on; the words are answered afterwards."""
    server = simulator()
    async with serve(server.app()) as url, talking(server, section(url)) as talk:
        handle = talk.turns.say(talk.session, "This call is recorded.", "disclosure")
        await until(lambda: talk.session.agent_state == "speaking", timeout_s=10)
        talk.microphone.say(sine(300.0, 0.8))
        await until(lambda: ("user", QUESTION) in talk.said(), timeout_s=15)
        await until(lambda: ("assistant", ANSWER) in talk.said(), timeout_s=15)
        assert not handle.interrupted
        assert ("assistant", "This call is recorded.") in talk.said()
        assert not talk.turns.interruption()


async def test_a_tool_is_called_and_its_answer_told() -> None:
    """The model's function call runs here, and what it brought is in the next answer."""
    called: list[str] = []

    @llm.function_tool
    async def opening_hours(day: str) -> str:
        """When we are open.

        Args:
            day: which day.
        """
        called.append(day)
        return "nine to five"

    async def think(messages: Any) -> Answer:
        last = messages[-1]
        if last["role"] == "tool":
            return Answer(f"We are open from {last['content']}.")
        return Answer(calls=(("opening_hours", {"day": "Friday"}),))

    server = simulator()
    server.think = think
    async with serve(server.app()) as url, talking(server, section(url), [opening_hours]) as talk:
        talk.microphone.say(sine(300.0, 0.8))
        await until(lambda: ("assistant", "We are open from nine to five.") in talk.said(), timeout_s=15)
    assert called == ["Friday"]


@pytest.mark.parametrize("version", [None, "2025-04-01-preview"])
async def test_azure_is_spoken_to_in_its_own_words(version: str | None) -> None:
    """By deployment, with its own header; the older API by its version, flat and with a temperature."""
    server = simulator()
    async with serve(server.app()) as url:
        speech = section(url)
        speech["realtime"] = {
            "provider": "azure",
            "endpoint": url,
            "deployment": "mine",
            "api_key": "rt-key",
            "api_version": version,
            "voice": "alloy",
            "turn_detection": {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 700},
            **({"temperature": 0.7} if version else {}),
        }
        async with talking(server, speech) as talk:
            talk.microphone.say(sine(300.0, 0.8))
            await until(lambda: ("assistant", ANSWER) in talk.said(), timeout_s=15)
    session = next(event["session"] for event in server.events if event["type"] == "session.update")
    if version is None:
        assert server.paths == ["/openai/v1/realtime?model=mine"]
        assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 700
    else:
        assert server.paths == [f"/openai/realtime?api-version={version}&deployment=mine"]
        assert (session["voice"], session["temperature"]) == ("alloy", 0.7)
        assert session["turn_detection"]["threshold"] == 0.6


@pytest.mark.parametrize("fault", [*FAULTS, "limited"])
async def test_each_fault_brings_the_model_that_stands_in(fault: Fault) -> None:
    """The caller is told that the turn was lost or hears its answer; the next one is answered for sure."""
    server, other = simulator(), simulator()
    async with serve(server.app()) as url, serve(other.app()) as spare:
        speech = section(url)
        stands_in = {"provider": "openai", "base_url": f"{spare}/v1", "api_key": "rt-key", "model": "other"}
        speech["fallback"] = {"realtime": stands_in}
        async with talking(server, speech) as talk:
            await until(lambda: bool(server.events), timeout_s=10)
            server.fault = fault
            await talk.speak(1.0)
            await until(lambda: "switched" in talk.kinds(), timeout_s=25)
            await until(lambda: bool(other.events), timeout_s=10)
            await talk.speak(0.8)
            await until(lambda: ("assistant", ANSWER) in talk.said(), timeout_s=15)
            assert talk.troubles[0].kind in {"late", "failed"}
            assert talk.troubles[0].provider == "openai/gpt-realtime"
            assert not talk.lost


async def test_a_model_that_never_speaks_is_given_up() -> None:
    """A quota costs the turn; a server that is gone is connected to a few times, and then no more."""
    server = simulator()
    async with serve(server.app()) as url, talking(server, section(url)) as talk:
        await until(lambda: bool(server.events), timeout_s=10)
        server.fault = "limited"
        await talk.speak(0.8)
        await until(lambda: talk.unanswered > 0, timeout_s=15)
        assert talk.troubles[0].reason == "rate_limit_exceeded"
        server.fault = "refuse"
        await until(lambda: talk.lost == ["no realtime model serves the call"], timeout_s=25)
        assert talk.kinds().count("exhausted") > 1
