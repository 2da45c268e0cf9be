"""A session whose providers are simulated servers with faults, and somebody who stands in for each."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.agents import vad
from livekit.agents.utils import http_context
from livekit.agents.voice.transcription import TranscriptSynchronizer
from pydantic import SecretStr

from telephony.agent.aside import AsideOutput
from telephony.agent.dead_air import DeadAir, follow_caller
from telephony.agent.session import phone_session
from telephony.agent.turn_taking import TurnTaking
from telephony.agent.turn_taking_agent import TurnTakingAgent
from telephony.assistants.loader import load_assistant
from telephony.audio.tones import sine
from telephony.clock import LoopClock
from telephony.speech.cloud_settings import OpenAiLlmSettings
from telephony.speech.providers import build
from telephony.speech.settings import (
    CartesiaTtsSettings,
    DeadlineSettings,
    DeepgramSttSettings,
    FallbackSettings,
    SpeechSettings,
    TimedLlmSettings,
    TimedSttSettings,
    TimedTtsSettings,
)
from telephony.speech.simulators.cartesia import CartesiaSimulator
from telephony.speech.simulators.deepgram import DeepgramSimulator, scripted
from telephony.speech.simulators.openai import Answer, OpenAiSimulator
from telephony.speech.simulators.openai import scripted as answering
from telephony.speech.simulators.serving import serve
from tests.agent.talk import Phone, ToldVad
from tests.speech.conversation import Microphone
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit.agents import AgentSession

    from telephony.speech.simulators.faults import Fault

RECEPTION = load_assistant("reception")
DEADLINE_S = 0.6
COOLDOWN_S = 0.5
SPEECH_S = 0.9
FILLER = sine(700.0, 0.4).tobytes()
SAID = "We are open from nine to five on all weekdays."


@dataclass
class Faulty:
    """One call, its servers, and what happened."""

    session: AgentSession[None]
    phone: Phone
    microphone: Microphone
    detector: ToldVad
    ears: DeepgramSimulator
    brain: OpenAiSimulator
    voice: CartesiaSimulator
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gave_up: list[str] = field(default_factory=list)

    def fault(self, stage: str, what: Fault | None) -> None:
        servers: dict[str, Any] = {"stt": self.ears, "llm": self.brain, "tts": self.voice}
        servers[stage].fault = what

    def kinds(self, stage: str) -> list[str]:
        """What was told of a stage's providers."""
        return [
            data["kind"] for name, data in self.told if name == "provider.trouble" and data["stage"] == stage
        ]

    def texts(self, role: str) -> list[str]:
        return [item.text_content or "" for item in self.session.history.messages() if item.role == role]

    async def speak(self) -> float:
        """The caller speaks; when it was silent again."""
        self.microphone.say(sine(300.0, SPEECH_S))
        self.detector.told.put_nowait(_event("start"))
        for _ in range(round(SPEECH_S / 0.032)):
            self.detector.told.put_nowait(_event("window"))
            await asyncio.sleep(0.032)
        ended_at = time.monotonic()
        await asyncio.sleep(0.25)
        self.detector.told.put_nowait(_event("end"))
        return ended_at

    async def heard_after(self, at: float, within_s: float) -> float:
        """Seconds from then to the agent's next sound."""
        before = len(self.phone.heard)
        async with limit(within_s):
            while not any(np.any(frame) for frame in self.phone.heard[before:]):
                await asyncio.sleep(0.02)
        return time.monotonic() - at


def _event(kind: str) -> vad.VADEvent:
    types = {
        "start": vad.VADEventType.START_OF_SPEECH,
        "window": vad.VADEventType.INFERENCE_DONE,
        "end": vad.VADEventType.END_OF_SPEECH,
    }
    voice = kind != "end"
    event = vad.VADEvent(types[kind], 0, time.time(), 0.05, 0.0 if voice else 0.25, speaking=voice)
    event.raw_accumulated_speech = 0.032 if voice else 0.0
    return event


@asynccontextmanager
async def faulty(*, stand_in: bool = True) -> AsyncIterator[Faulty]:
    """A call that has begun; with providers that stand in, or without."""
    ears = DeepgramSimulator(hear=scripted(["When are you open?"]), silence_s=0.2)
    brain = OpenAiSimulator(think=answering([Answer(SAID)]))
    voice = CartesiaSimulator()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(http_context.open())
        urls = [await stack.enter_async_context(serve(each.app())) for each in (ears, brain, voice)]
        detector, phone, microphone = ToldVad(), Phone(), Microphone()
        providers = build(_settings(*urls, stand_in=stand_in))
        providers.vad = detector
        turns = TurnTaking(RECEPTION, providers.stt)
        session = phone_session(providers, RECEPTION, turns)
        aside = AsideOutput(phone.output)
        sync = TranscriptSynchronizer(next_in_chain_audio=aside, next_in_chain_text=None)
        session.input.audio = microphone
        session.output.audio, session.output.transcription = sync.audio_output, sync.text_output
        turns.attach(session)
        call = Faulty(session, phone, microphone, detector, ears, brain, voice)
        dead_air = DeadAir(
            session,
            aside,
            RECEPTION.rescue,
            lambda _: FILLER,
            LoopClock(),
            give_up=call.gave_up.append,
            tell=lambda name, data: call.told.append((name, data)),
        )
        providers.on_trouble(dead_air.trouble)
        assert providers.guarded_stt is not None
        follow_caller(session, providers.guarded_stt)
        listening = asyncio.create_task(phone.listen())
        await session.start(TurnTakingAgent(turns, instructions="unused"))
        try:
            yield call
        finally:
            for each in (ears, brain, voice):
                each.fault = None
            turns.close()
            await dead_air.aclose()
            async with limit(5):
                await session.aclose()
            await sync.aclose()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await providers.aclose()


def _settings(ears: str, brain: str, voice: str, *, stand_in: bool) -> SpeechSettings:
    deadline_ms = round(DEADLINE_S * 1000)
    key = SecretStr("simulated")
    fallback = FallbackSettings(
        stt=TimedSttSettings(provider="timed", stt_final_ms=250, text="Are you open?"),
        llm=TimedLlmSettings(provider="timed", llm_ms=100, text="Yes, until five."),
        tts=TimedTtsSettings(provider="timed", tts_ms=50, duration_s=1.5),
    )
    return SpeechSettings(
        stt=DeepgramSttSettings(provider="deepgram", base_url=f"{ears}/v1/listen", api_key=key),
        llm=OpenAiLlmSettings(provider="openai", base_url=f"{brain}/v1", api_key=key),
        tts=CartesiaTtsSettings(provider="cartesia", base_url=voice, api_key=key),
        fallback=fallback if stand_in else FallbackSettings(),
        deadlines=DeadlineSettings(
            stt_final_ms=deadline_ms,
            llm_first_token_ms=deadline_ms,
            llm_next_token_ms=deadline_ms,
            tts_first_audio_ms=deadline_ms,
            tts_next_audio_ms=deadline_ms,
            cooldown_s=COOLDOWN_S,
        ),
    )
