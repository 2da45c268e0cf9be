"""Both sides of a real session without a room: a phone that takes 20 ms at a time, ears told what to hear."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, AgentSession, LanguageCode, llm, stt, vad
from livekit.agents.voice.transcription import TranscriptSynchronizer

from telephony.agent.session import phone_session
from telephony.agent.turn_taking_agent import TurnTakingAgent
from telephony.audio.frame import FRAME_S
from telephony.clock import LoopClock
from telephony.link.job_end import LinkOutput
from telephony.link.messages import ToPlayout
from telephony.link.playout import Playout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit.agents import APIConnectOptions
    from livekit.agents.voice.io import AudioInput

    from telephony.agent.turn_taking import TurnTaking
    from telephony.assistants.schema import Assistant
    from telephony.audio.frame import Samples
    from telephony.link.messages import ToBridge
    from telephony.speech.providers import Providers


class ToldStt(stt.STT[Any]):
    """Hears what the test says."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.told: asyncio.Queue[stt.SpeechEvent] = asyncio.Queue()

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("it streams")

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> ToldStream:
        return ToldStream(self, conn_options)


class ToldStream(stt.RecognizeStream):
    def __init__(self, recogniser: ToldStt, conn_options: APIConnectOptions) -> None:
        self._told = recogniser.told
        super().__init__(stt=recogniser, conn_options=conn_options)

    async def _run(self) -> None:
        while True:
            self._event_ch.send_nowait(await self._told.get())


class ToldVad(vad.VAD):
    """Hears a voice when the test says so."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.032))
        self.told: asyncio.Queue[vad.VADEvent] = asyncio.Queue()

    def stream(self) -> vad.VADStream:
        return ToldVadStream(self)


class ToldVadStream(vad.VADStream):
    def __init__(self, detector: ToldVad) -> None:
        self._told = detector.told
        super().__init__(detector)

    async def _main_task(self) -> None:
        while True:
            self._event_ch.send_nowait(await self._told.get())


class Phone:
    """Takes 20 ms at a time from the playout that the bridge uses."""

    def __init__(self) -> None:
        self.heard: list[Samples] = []
        self.output = LinkOutput(self._take)
        self.playout = Playout(LoopClock(), self.output.segments.told)
        self.output.segments.open_gate()

    @property
    def loud(self) -> list[bool]:
        """Of each 20 ms so far, whether the agent was heard."""
        return [bool(np.any(frame)) for frame in self.heard]

    @property
    def sound_s(self) -> float:
        """Of the agent's voice so far."""
        return sum(self.loud) * FRAME_S

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.heard.append(self.playout.take())

    def _take(self, message: ToBridge) -> None:
        assert isinstance(message, ToPlayout), "a voice asks for nothing else"
        self.playout.obey(message)


@dataclass
class Talk:
    """A session that is up, and both sides of it."""

    session: AgentSession[None]
    turns: TurnTaking
    phone: Phone
    recogniser: ToldStt
    detector: ToldVad
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def sound(self, seconds: float, words: str) -> None:
        """The caller speaks, and is recognised a moment later."""
        self._detected(vad.VADEventType.START_OF_SPEECH, 0.05)
        for _ in range(round(seconds / 0.032)):
            self._detected(vad.VADEventType.INFERENCE_DONE, 0.05)
            await asyncio.sleep(0.032)
        self._said(stt.SpeechEventType.INTERIM_TRANSCRIPT, words)
        await asyncio.sleep(0.1)
        self._detected(vad.VADEventType.END_OF_SPEECH, seconds)
        self._said(stt.SpeechEventType.FINAL_TRANSCRIPT, words)

    def _detected(self, kind: vad.VADEventType, seconds: float) -> None:
        voice = kind != vad.VADEventType.END_OF_SPEECH
        event = vad.VADEvent(kind, 0, time.time(), seconds, 0.0 if voice else 0.1, speaking=voice)
        event.raw_accumulated_speech = 0.032 if voice else 0.0
        self.detector.told.put_nowait(event)

    def _said(self, kind: stt.SpeechEventType, words: str) -> None:
        data = stt.SpeechData(language=LanguageCode("en"), text=words, confidence=0.9)
        self.recogniser.told.put_nowait(stt.SpeechEvent(type=kind, alternatives=[data]))

    def messages(self) -> list[tuple[str, str, bool]]:
        """The history: who, what, and whether it was cut."""
        return [
            (item.role, item.text_content or "", item.interrupted)
            for item in self.session.history.items
            if isinstance(item, llm.ChatMessage) and item.role in ("user", "assistant")
        ]


@asynccontextmanager
async def in_session(
    providers: Providers, assistant: Assistant, turns: TurnTaking, microphone: AudioInput
) -> AsyncIterator[tuple[AgentSession[None], Phone]]:
    """A session with the handler in its ears that is up, and the phone that its voice is heard by."""
    phone = Phone()
    session = phone_session(providers, assistant, turns)
    sync = TranscriptSynchronizer(next_in_chain_audio=phone.output, next_in_chain_text=None)
    session.input.audio = microphone
    session.output.audio, session.output.transcription = sync.audio_output, sync.text_output
    turns.attach(session)
    listening = asyncio.create_task(phone.listen())
    await session.start(TurnTakingAgent(turns, instructions="unused"))
    try:
        yield session, phone
    finally:
        turns.close()
        await session.aclose()
        await sync.aclose()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
