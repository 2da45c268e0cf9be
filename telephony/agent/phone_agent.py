"""The agent of a call, as livekit-agents runs it; triage and the interrupt handler see its nodes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import Agent

from telephony.agent.turn_taking_agent import TurnTakingAgent
from telephony.agent.watched_agent import WatchedNodes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable

    from livekit import rtc
    from livekit.agents import ModelSettings, stt

    from telephony.agent.answering import Answering
    from telephony.agent.flow_log import FlowLog
    from telephony.agent.turn_taking import TurnTaking


class PhoneAgent(TurnTakingAgent):
    """An agent that says when it can talk and listen.

    Args:
        turns: the call's.
        entered: called once it can.
        answering: judges who answered a call that is dialled; None for any other.
        options: of ``livekit.agents.Agent``.
    """

    def __init__(
        self,
        turns: TurnTaking,
        entered: Callable[[], Awaitable[None]],
        answering: Answering | None = None,
        **options: Any,
    ) -> None:
        super().__init__(turns, **options)
        self._entered = entered
        self._answering = answering

    async def on_enter(self) -> None:
        await self._entered()

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Words of whoever answers are evidence before they are a conversation's."""
        answering = self._answering
        if answering is None:
            words: AsyncIterable[stt.SpeechEvent] = Agent.default.stt_node(self, audio, model_settings)
        else:
            words = answering.recognised(
                lambda line: Agent.default.stt_node(self, line, model_settings), audio
            )
        async for event in self._turns.hear(words):
            yield event


class WatchedPhoneAgent(WatchedNodes, PhoneAgent):
    """The same, where what flows through its pipeline is written down."""


def phone_agent(
    turns: TurnTaking,
    entered: Callable[[], Awaitable[None]],
    answering: Answering | None,
    flow_log: FlowLog | None,
    **options: Any,
) -> PhoneAgent:
    """The agent of one call, watched where there is a log of its pipeline; see ``PhoneAgent``."""
    if flow_log is None:
        return PhoneAgent(turns, entered, answering, **options)
    agent = WatchedPhoneAgent(turns, entered, answering, **options)
    agent.flow = flow_log
    return agent
