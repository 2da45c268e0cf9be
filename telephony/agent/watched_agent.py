"""The agent of a call whose pipeline is watched: each node notes what went through, and changes nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from livekit.agents import Agent, llm, stt

from telephony.agent.turn_taking_agent import TurnTakingAgent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from livekit import rtc
    from livekit.agents import ModelSettings

    from telephony.agent.flow_log import FlowLog

_EVERY_S = 1.0


class WatchedNodes(TurnTakingAgent):
    """Notes what flows, for the agent that it is mixed into.

    Attributes:
        flow: where to; None to note nothing.
    """

    flow: FlowLog | None = None

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Frames to the recogniser are counted."""
        heard = audio if self.flow is None else _counted("to_recogniser", audio, self.flow)
        async for event in super().stt_node(heard, model_settings):
            yield event

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[Any, None]:
        """The answer's text, and when its first and last word came."""
        chunks: Any = Agent.default.llm_node(self, chat_ctx, tools, model_settings)
        began, first_ms, text, calls = time.monotonic(), None, "", []
        try:
            async for chunk in chunks:
                first_ms = _since(began) if first_ms is None else first_ms
                if isinstance(chunk, llm.ChatChunk) and chunk.delta is not None:
                    text += chunk.delta.content or ""
                    calls += [call.name for call in chunk.delta.tool_calls]
                elif isinstance(chunk, str):
                    text += chunk
                yield chunk
        finally:
            if self.flow is not None:
                fields = {"first_ms": first_ms, "took_ms": _since(began), "tools": calls}
                self.flow.note("answer", text=text, messages=len(chat_ctx.items), **fields)

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The voice's frames, and when the first came."""
        frames: Any = Agent.default.tts_node(self, text, model_settings)
        async for frame in frames if self.flow is None else _counted("from_voice", frames, self.flow):
            yield frame

    async def realtime_audio_output_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The model's frames, and when the first came."""
        frames: Any = Agent.default.realtime_audio_output_node(self, audio, model_settings)
        async for frame in frames if self.flow is None else _counted("from_model", frames, self.flow):
            yield frame


async def _counted(
    what: str, frames: AsyncIterable[rtc.AudioFrame], flow: FlowLog
) -> AsyncGenerator[rtc.AudioFrame, None]:
    """The frames, with a note a second of how many there were."""
    began = since = time.monotonic()
    count, seconds, first_ms = 0, 0.0, None
    try:
        async for frame in frames:
            first_ms = _since(began) if first_ms is None else first_ms
            count, seconds = count + 1, seconds + frame.duration
            if time.monotonic() - since >= _EVERY_S:
                flow.note(what, frames=count, sound_ms=round(seconds * 1000), first_ms=first_ms)
                since, count, seconds = time.monotonic(), 0, 0.0
            yield frame
    finally:
        if count:
            flow.note(what, frames=count, sound_ms=round(seconds * 1000), first_ms=first_ms, last=True)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
