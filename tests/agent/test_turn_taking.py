"""The handler on a real session: a phone that takes 20 ms at a time, and ears that hear as they are told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import stt

from telephony.agent.turn_taking import TurnTaking
from telephony.assistants.loader import load_assistant
from telephony.speech.expectation import Expectation
from telephony.speech.providers import Providers
from telephony.speech.settings import TimedLlmSettings, TimedTtsSettings
from telephony.speech.timed import TimedLlm, TimedTts
from tests.agent.talk import Talk, ToldStt, ToldVad, in_session
from tests.speech.conversation import Microphone
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

RECEPTION = load_assistant("reception")
ANSWER_S = 2.0
LONG = "We are open from nine to five on all weekdays and on Saturdays until one."


@asynccontextmanager
async def talking() -> AsyncIterator[Talk]:
    recogniser, detector = ToldStt(), ToldVad()
    told: list[tuple[str, dict[str, Any]]] = []
    voice = TimedTts(TimedTtsSettings(provider="timed", tts_ms=10, duration_s=ANSWER_S))
    brain = TimedLlm(TimedLlmSettings(provider="timed", llm_ms=10, text="Very well."))
    providers = Providers(recogniser, brain, voice, detector, Expectation())
    turns = TurnTaking(RECEPTION, recogniser, tell=lambda name, data: told.append((name, data)))
    async with in_session(providers, RECEPTION, turns, Microphone()) as (session, phone):
        yield Talk(session, turns, phone, recogniser, detector, told)


async def test_a_backchannel_is_nowhere_and_every_sample_is_heard() -> None:
    """The agent pauses for it and goes on; neither history nor model knows of it."""
    async with talking() as talk:
        handle = talk.session.say(LONG)
        await until(lambda: talk.phone.sound_s >= 0.4)
        await talk.sound(0.3, "uh-huh")
        await handle
        assert not handle.interrupted
        assert talk.phone.sound_s == pytest.approx(ANSWER_S, abs=0.03)
        held = talk.phone.loud
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
        held = talk.phone.loud
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


async def test_an_aside_is_answered_after_the_agent_has_spoken() -> None:
    """One word of no known meaning ends nothing, and is not lost."""
    async with talking() as talk:
        handle = talk.session.say(LONG)
        await until(lambda: talk.phone.sound_s >= 0.8)
        await talk.sound(0.3, "garden")
        await handle
        assert not handle.interrupted
        await until(lambda: len(talk.messages()) >= 3)
        assert [message[:2] for message in talk.messages()[:3]] == [
            ("assistant", LONG),
            ("user", "garden"),
            ("assistant", "Very well."),
        ]


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
