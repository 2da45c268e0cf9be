"""The handler on a real session: a phone that takes 20 ms at a time, and ears that hear as they are told."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, AgentSession, LanguageCode, llm, stt, vad
from livekit.agents.voice.transcription import TranscriptSynchronizer

from telephony.agent.session import phone_session
from telephony.agent.turn_taking import TurnTaking
from telephony.agent.turn_taking_agent import TurnTakingAgent
from telephony.assistants.loader import load_assistant
from telephony.clock import LoopClock
from telephony.link.job_end import LinkOutput
from telephony.link.messages import Clear, Flush, Pause, Resume, Speech
from telephony.link.playout import Playout
from telephony.speech.expectation import Expectation
from telephony.speech.providers import Providers
from telephony.speech.settings import TimedLlmSettings, TimedTtsSettings
from telephony.speech.timed import TimedLlm, TimedTts
from tests.speech.conversation import Microphone
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit.agents import APIConnectOptions

    from telephony.audio.frame import Samples
    from telephony.link.messages import ToBridge

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

RECEPTION = load_assistant("reception")
ANSWER_S = 2.0
LONG = "We are open from nine to five on all weekdays and on Saturdays until one."


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
    def sound_s(self) -> float:
        """Of the agent's voice so far."""
        return sum(bool(np.any(frame)) for frame in self.heard) * 0.02

    async def listen(self) -> None:
        due = time.monotonic()
        while True:
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.heard.append(self.playout.take())

    def _take(self, message: ToBridge) -> None:
        match message:
            case Speech():
                self.playout.push(message.segment, message.pcm)
            case Flush():
                self.playout.flush(message.segment)
            case Clear():
                self.playout.clear(message.segment)
            case Pause():
                self.playout.pause()
            case Resume():
                self.playout.resume()


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
async def talking() -> AsyncIterator[Talk]:
    recogniser, detector, phone = ToldStt(), ToldVad(), Phone()
    told: list[tuple[str, dict[str, Any]]] = []
    voice = TimedTts(TimedTtsSettings(provider="timed", tts_ms=10, duration_s=ANSWER_S))
    brain = TimedLlm(TimedLlmSettings(provider="timed", llm_ms=10, text="Very well."))
    providers = Providers(recogniser, brain, voice, detector, Expectation())
    turns = TurnTaking(RECEPTION, recogniser, tell=lambda name, data: told.append((name, data)))
    session = phone_session(providers, RECEPTION, turns)
    sync = TranscriptSynchronizer(next_in_chain_audio=phone.output, next_in_chain_text=None)
    session.input.audio = Microphone()
    session.output.audio, session.output.transcription = sync.audio_output, sync.text_output
    turns.attach(session)
    listening = asyncio.create_task(phone.listen())
    await session.start(TurnTakingAgent(turns, instructions="unused"))
    try:
        yield Talk(session, turns, phone, recogniser, detector, told)
    finally:
        turns.close()
        await session.aclose()
        await sync.aclose()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_backchannel_is_nowhere_and_every_sample_is_heard() -> None:
    """The agent pauses for it and goes on; neither history nor model knows of it."""
    async with talking() as talk:
        handle = talk.session.say(LONG)
        await until(lambda: talk.phone.sound_s >= 0.4)
        await talk.sound(0.3, "uh-huh")
        await handle
        assert not handle.interrupted
        assert talk.phone.sound_s == pytest.approx(ANSWER_S, abs=0.03)
        held = [bool(np.any(frame)) for frame in talk.phone.heard]
        first, last = held.index(True), len(held) - held[::-1].index(True)
        assert not all(held[first:last]), "it was silent for a while"
        await asyncio.sleep(0.6)
        assert talk.messages() == [("assistant", LONG, False)]
        assert [(name, data["policy"]) for name, data in talk.told] == [
            ("interruption.ignored", "backchannels")
        ]


@pytest.mark.parametrize("pause_s", [0.0, 0.4])
async def test_an_answer_in_two_breaths_is_replied_to_once(pause_s: float) -> None:
    """The reply is heard whole, whether the second breath comes before its first sound or into it."""
    async with talking() as talk:
        question = "So that is Tuesday, at ten. Is that right?"
        await talk.session.say(question)
        await talk.sound(0.2, "Yes,")
        await until(lambda: ("user", "Yes,") in [message[:2] for message in talk.messages()])
        await asyncio.sleep(pause_s)
        await talk.sound(0.5, "that's right.")
        await until(lambda: talk.phone.sound_s >= 2 * ANSWER_S - 0.03)
        await until(lambda: talk.session.agent_state == "listening")
        assert [message[:2] for message in talk.messages()] == [
            ("assistant", question),
            ("user", "Yes,"),
            ("assistant", "Very well."),
        ]
        assert [(name, data["policy"]) for name, data in talk.told] == [
            ("interruption.ignored", "same_answer")
        ]


async def test_what_was_not_heard_is_not_in_the_history() -> None:
    """Words that yield the floor become a turn, after an answer that is cut where it was cut at the phone."""
    async with talking() as talk:
        handle = talk.session.say(LONG)
        await until(lambda: talk.phone.sound_s >= 0.8)
        await talk.sound(0.4, "I want something else")
        await until(lambda: len(talk.messages()) >= 3)
        (who, said, cut), asked, answered = talk.messages()[:3]
        assert handle.interrupted
        assert (who, cut) == ("assistant", True)
        assert said
        assert LONG.startswith(said)
        assert len(said) < len(LONG)
        assert asked[:2] == ("user", "I want something else")
        assert answered[:2] == ("assistant", "Very well.")
        why = talk.turns.interruption()
        assert why["policy"] == "minimum_speech"
        assert why["evidence"]["words"] == "I want something else"


async def test_what_must_be_heard_is_heard_and_the_caller_after_it() -> None:
    """Talked over, it is spoken to its end without a pause; then what was said into it is answered."""
    async with talking() as talk:
        handle = talk.turns.say(talk.session, "I will put you through now.", "transfer")
        await until(lambda: talk.phone.sound_s >= 0.4)
        await talk.sound(0.5, "wait, I have another question")
        assert not talk.turns.key("1"), "keys wait as well"
        await handle
        assert not handle.interrupted
        assert talk.phone.sound_s == pytest.approx(ANSWER_S, abs=0.03)
        held = [bool(np.any(frame)) for frame in talk.phone.heard]
        assert all(held[held.index(True) : len(held) - held[::-1].index(True)])
        await until(lambda: len(talk.messages()) >= 3)
        assert [message[:2] for message in talk.messages()[:3]] == [
            ("assistant", "I will put you through now."),
            ("user", "wait, I have another question"),
            ("assistant", "Very well."),
        ]
        heard = next(data for name, data in talk.told if name == "speech.heard")
        assert heard["kind"] == "transfer"
        assert heard["complete"] is True
        assert heard["talked_over"] is True
        assert heard["played_ms"] == pytest.approx(1000 * ANSWER_S, abs=30)


async def test_a_stop_word_leaves_silence() -> None:
    """The agent stops on the unfinished transcript, says nothing more, and nobody is answered."""
    async with talking() as talk:
        handle = talk.session.say(LONG)
        await until(lambda: talk.phone.sound_s >= 0.4)
        await talk.sound(0.2, "stop")
        await handle
        assert handle.interrupted
        heard_s = talk.phone.sound_s
        await asyncio.sleep(1.0)
        assert talk.phone.sound_s == heard_s < 0.7
        assert [message[0] for message in talk.messages()] == ["assistant"]


async def test_the_text_says_how_much_silence_ends_a_turn() -> None:
    """A text that goes on is waited for, a whole sentence is not."""
    async with talking() as talk:
        usual_s = RECEPTION.endpointing.silence_ms / 1000
        assert talk.session.options.endpointing["min_delay"] == usual_s
        talk._said(stt.SpeechEventType.INTERIM_TRANSCRIPT, "I would like to")
        await until(lambda: talk.session.options.endpointing["min_delay"] == 1.0)
        talk._said(stt.SpeechEventType.FINAL_TRANSCRIPT, "I would like to know your address.")
        await until(lambda: talk.session.options.endpointing["min_delay"] == 0.2)
