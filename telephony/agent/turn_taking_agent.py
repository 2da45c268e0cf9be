"""The agent of a session whose floor is decided by the interrupt handler; see ``turn_taking``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import Agent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from livekit import rtc
    from livekit.agents import ModelSettings, llm, stt
    from livekit.agents.voice.io import TimedString

    from telephony.agent.turn_taking import TurnTaking


class TurnTakingAgent(Agent):
    """An agent whose ears and mouth the handler sees.

    Args:
        turns: the call's.
    """

    def __init__(self, turns: TurnTaking, **options: Any) -> None:
        super().__init__(**options)
        self._turns = turns

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Words said into the agent's speech wait for the handler."""
        async for event in self._turns.hear(Agent.default.stt_node(self, audio, model_settings)):
            yield event

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        """A turn began with its own first sound, not with a backchannel before it."""
        began_at = self._turns.turn_taken()
        told = new_message.metrics.get("started_speaking_at")
        if began_at is not None and told is not None and began_at > told:
            new_message.metrics["started_speaking_at"] = began_at

    async def transcription_node(
        self, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
    ) -> AsyncGenerator[str | TimedString, None]:
        """What is being said is known to the handler."""
        self._turns.speaks_next()
        async for piece in text:
            self._turns.spoken(piece)
            yield piece
