"""What a telephone adds to a session, on a session that speaks and hears as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from livekit import rtc
from livekit.agents import AgentSession, llm

from telephony.agent.conversation import Conversation
from telephony.assistants.flow import Flow
from telephony.assistants.loader import load_assistant
from telephony.speech.dialogue_llm import DialogueLlm

if TYPE_CHECKING:
    from livekit.agents.voice import SpeechHandle

pytestmark = pytest.mark.pure

RECEPTION = load_assistant("reception")


class Handle:
    """A speech that is over when the test says so."""

    def __init__(self, text: str, allow_interruptions: bool) -> None:
        self.text = text
        self.allow_interruptions = allow_interruptions
        self._callbacks: list[Callable[[Any], None]] = []

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def done(self) -> None:
        for callback in self._callbacks:
            callback(self)


class Session(rtc.EventEmitter[str]):
    """A session without audio: it remembers what it was asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.llm: llm.LLM[Any] = DialogueLlm(Flow(RECEPTION))
        self.history = llm.ChatContext.empty()
        self.agent_state = "listening"
        self.said: list[Handle] = []
        self.answered: list[str] = []
        self.interruptions = 0
        self.watches = 0
        self.uninterruptible = False

    def say(self, text: str, *, allow_interruptions: bool = True) -> Handle:
        self.said.append(Handle(text, allow_interruptions))
        return self.said[-1]

    def interrupt(self) -> None:
        if self.uninterruptible:
            raise RuntimeError("This generation handle does not allow interruptions")
        self.interruptions += 1

    def generate_reply(self, *, user_input: str) -> None:
        self.answered.append(user_input)
        self.history.add_message(role="user", content=user_input)

    def reset_away_timer(self) -> None:
        self.watches += 1

    def away(self) -> None:
        self.emit("user_state_changed", SimpleNamespace(new_state="away"))

    def no_transcript(self, seconds: float) -> None:
        self.emit("user_transcription_timeout", SimpleNamespace(speech_duration=seconds))

    def hears(self, text: str) -> None:
        self.emit("user_input_transcribed", SimpleNamespace(is_final=True, transcript=text))
        self.history.add_message(role="user", content=text)


class Line:
    """One conversation and what came of it."""

    def __init__(self, *, flow: Flow | None, silence_limit_s: float = 60.0) -> None:
        self.session = Session()
        self.messages: list[llm.ChatMessage] = []
        self.goodbyes: list[tuple[str, SpeechHandle]] = []
        self.conversation = Conversation(
            cast("AgentSession[None]", self.session),
            RECEPTION,
            flow,
            silence_limit_s=silence_limit_s,
            on_message=self.messages.append,
            on_goodbye=lambda cause, speech: self.goodbyes.append((cause, speech)),
        )


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line(flow=Flow(RECEPTION))
    yield line
    line.conversation.close()


async def test_a_silent_caller_is_prompted_twice_and_said_goodbye_to(line: Line) -> None:
    """Each prompt repeats the open question; after the goodbye the line is hung up."""
    for _ in range(3):
        line.session.away()
    texts = [handle.text for handle in line.session.said]
    assert texts[0].startswith("Are you still there? Would you like to book")
    assert texts[1].startswith("I cannot hear you.")
    assert texts[2] == RECEPTION.silence.goodbye
    assert [cause for cause, _ in line.goodbyes] == ["the caller said nothing"]
    assert not line.session.said[2].allow_interruptions


async def test_the_caller_is_watched_again_after_each_prompt(line: Line) -> None:
    """A caller who stays away is only noticed if the session is told to look again."""
    line.session.away()
    assert line.session.watches == 0
    line.session.said[0].done()
    assert line.session.watches == 1


async def test_the_question_is_the_one_the_flow_has_reached(line: Line) -> None:
    """A prompt in the middle of a booking asks what was asked last."""
    line.session.hears("I'd like to book an appointment.")
    line.session.away()
    assert line.session.said[0].text == "Are you still there? Which day would you like to come?"


async def test_words_give_back_patience(line: Line) -> None:
    """A caller who speaks between silences is prompted from the beginning."""
    line.session.away()
    line.session.hears("Hello?")
    line.session.away()
    assert line.session.said[1].text.startswith("Are you still there?")


async def test_noise_without_a_word_is_asked_about(line: Line) -> None:
    """A recogniser that drops what it did not understand does not leave the caller alone."""
    line.session.no_transcript(0.8)
    assert line.session.said[0].text.startswith("Sorry, I did not catch that. Would you like")


@pytest.mark.parametrize(("seconds", "state"), [(0.1, "listening"), (2.0, "speaking"), (2.0, "thinking")])
async def test_short_noise_and_noise_under_speech_are_let_pass(
    line: Line, seconds: float, state: str
) -> None:
    """A click is nothing, and an agent that was paused by noise goes on by itself."""
    line.session.agent_state = state
    line.session.no_transcript(seconds)
    assert line.session.said == []


async def test_a_key_stops_the_agent_and_is_answered(line: Line) -> None:
    """The key is a turn of the caller's in the conversation's own notation."""
    line.conversation.press("0")
    assert line.session.interruptions == 1
    assert line.session.answered == ["[keys 0]"]


async def test_a_key_during_the_goodbye_is_ignored(line: Line) -> None:
    """What must be said to its end is not stopped by a key."""
    line.session.uninterruptible = True
    line.conversation.press("0")
    assert line.session.answered == []


async def test_a_language_model_gets_keys_together() -> None:
    """Without a flow nobody knows how many keys are coming, so a pause ends them."""
    line = Line(flow=None)
    line.conversation.press("2")
    line.conversation.press("0")
    assert line.session.answered == []
    line.conversation.press("#")
    assert line.session.answered == ["[keys 20]"]
    line.conversation.close()


async def test_the_end_of_the_time_is_announced(line: Line) -> None:
    """A call that lasts too long is said goodbye to, not cut."""
    line.conversation.limit_time(0.01)
    await asyncio.sleep(0.05)
    assert line.session.said[0].text == RECEPTION.time_is_up
    assert [cause for cause, _ in line.goodbyes] == ["the call reached its time limit"]


async def test_after_the_close_nothing_is_said(line: Line) -> None:
    """Silence, noise, keys and the clock mean nothing to a call that is ending."""
    line.conversation.limit_time(0.01)
    line.conversation.close()
    line.session.away()
    line.session.no_transcript(2.0)
    line.conversation.press("1")
    await asyncio.sleep(0.03)
    assert (line.session.said, line.session.answered, line.goodbyes) == ([], [], [])


async def test_every_utterance_is_passed_on(line: Line) -> None:
    """The record sees what either side said, and nothing else."""
    message = llm.ChatMessage(role="user", content=["Tuesday."])
    line.session.emit("conversation_item_added", SimpleNamespace(item=message))
    line.session.emit("conversation_item_added", SimpleNamespace(item=object()))
    assert line.messages == [message]


async def test_who_does_not_want_to_be_called_again_is_promised_it_once(line: Line) -> None:
    """The demand is told, answered with a sentence that is not interrupted, and the line is hung up."""
    demands: list[str] = []
    line.conversation._on_demand = lambda demand: demands.append(demand.phrase)
    line.session.hears("Please don't call me again today.")
    assert not line.goodbyes
    line.session.hears("Don't call me again, please.")
    assert demands == ["don't call me again"]
    assert [cause for cause, _ in line.goodbyes] == ["the caller does not want to be called again"]
    assert "will not call you again" in line.session.said[-1].text
    assert not line.session.said[-1].allow_interruptions
    line.conversation.close()
    line.session.hears("Don't call me again.")
    assert len(demands) == 1
