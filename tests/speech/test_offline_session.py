"""A conversation with the offline providers, spoken and heard, in a session without a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit.agents import AgentSession, TurnHandlingOptions

from telephony.speech.client import SpeechClient
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.speech.providers import build
from telephony.speech.settings import SpeechSettings
from tests.speech.conversation import Bookings, Clinic, Loudspeaker, Microphone
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


async def test_a_caller_is_understood_and_answered(real_engine: Path) -> None:
    """Two spoken turns lead to a tool call and a spoken answer, with hints and early answers on."""
    providers = build(SpeechSettings(), engine_socket=real_engine, dialogue=Bookings(), env={})
    session: AgentSession[None] = AgentSession(
        stt=providers.stt,
        llm=providers.llm,
        tts=providers.tts,
        vad=providers.vad,
        turn_handling=TurnHandlingOptions(
            turn_detection="vad",
            endpointing={"min_delay": 0.3, "max_delay": 1.0},
            interruption={"mode": "vad"},
            preemptive_generation={"enabled": True, "preemptive_tts": True},
        ),
        aec_warmup_duration=None,
        session_close_transcript_timeout=0.0,
    )
    microphone, loudspeaker, clinic = Microphone(), Loudspeaker(), Clinic()
    session.input.audio, session.output.audio = microphone, loudspeaker
    async with session, await SpeechClient.connect(real_engine) as person:

        async def say(text: str) -> None:
            microphone.say(np.concatenate([piece async for piece in person.synthesize(text, seed=3)]))

        assert isinstance(providers.llm, DialogueLlm)
        providers.llm.follow(session)
        await session.start(clinic)
        await say("I would like to book an appointment.")
        await until(lambda: len(loudspeaker.heard) > 2000 and session.agent_state == "listening")
        answer = await person.transcribe(loudspeaker.heard, 8000)
        assert "day" in answer.text.lower()
        assert providers.expectation.hint == "Monday, Tuesday."
        await say("Tuesday, please.")
        await until(lambda: bool(clinic.booked))
        await until(lambda: "Booked for" in str(session.history.to_dict()))
    await providers.aclose()
    assert len(clinic.booked) == 1
    assert "tuesday" in clinic.booked[0].lower()
    assert loudspeaker.rates == {8000}
