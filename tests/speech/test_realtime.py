"""The realtime plugin itself, over real sockets, against a server that speaks OpenAI's and Azure's wire."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from livekit.agents import Agent, AgentSession, llm

from telephony.agent.realtime_call import session_of
from telephony.agent.turn_taking import TurnTaking, TurnTakingAgent
from telephony.assistants.loader import load_assistant
from telephony.audio.tones import sine
from telephony.speech.realtime import RealtimeProviders, build_realtime
from telephony.speech.settings import SpeechSettings
from telephony.speech.simulators.deepgram import scripted as hearing
from telephony.speech.simulators.openai import Answer, scripted
from telephony.speech.simulators.realtime import RealtimeSimulator
from telephony.speech.simulators.serving import serve
from tests.bridge.line import until
from tests.speech.conversation import Loudspeaker, Microphone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.speech.guard.trouble import Trouble

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
        self.microphone, self.loudspeaker = Microphone(), Loudspeaker()
        self.session: AgentSession[None]
        self.turns: TurnTaking

    def _on_unanswered(self) -> None:
        self.unanswered += 1

    async def start(self, agent: Agent) -> None:
        """Begin; the microphone is open."""
        self.session.input.audio, self.session.output.audio = self.microphone, self.loudspeaker
        self.providers.on_trouble(self.troubles.append)
        self.providers.on_heard(self.turns.model_heard)
        self.providers.guard.unanswered = self._on_unanswered
        self.providers.guard.lost = self.lost.append
        await self.session.start(agent)
        self.turns.attach(self.session)
        self.providers.guard.follow(self.session.current_agent.realtime_llm_session)

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
        "tts": {"provider": "timed", "tts_ms": 0, "duration_s": 0.3},
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
        try:
            await talk.start(agent)
            yield talk
        finally:
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
        assert talk.loudspeaker.rates == {24000} or talk.loudspeaker.rates == {8000}
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
