"""What a job does about whoever answers its call: people, mailboxes, screeners, menus, nobody."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import LanguageCode, stt
from livekit.agents.voice.io import AudioInput

from telephony.agent.answering import Answering
from telephony.agent.triaged_input import line_audio
from telephony.assistants.answering import AnsweringSettings
from tests.triage.samples import Line, Voice
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator

    from livekit.agents.voice import SpeechHandle

    from telephony.agent.ending import Ending

pytestmark = pytest.mark.pure

SAID_AGAIN = ("say Please call us back.", "be quiet", "say Please call us back.")
MESSAGE = AnsweringSettings(voicemail="leave_message", message="Please call us back.", purpose="It is Anna.")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine feeds a second of sound in more than one."""
    monkeypatch.setattr("telephony.agent.answering._LATE_WORDS_S", 20.0)


class Said:
    """A speech handle: over when it has been told to be."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.over = asyncio.Event()

    async def wait_for_playout(self) -> None:
        """Wait for its end."""
        await self.over.wait()


class FakeLead:
    """Writes down what the call is asked for, and says it at once."""

    def __init__(self, *, slowly: bool = False) -> None:
        self.asked: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.spoken: list[Said] = []
        self._slowly = slowly

    def begin(self, *, greet: bool) -> None:
        self.asked.append("greet" if greet else "begin")

    def speak(self, text: str) -> SpeechHandle:
        self.asked.append(f"say {text}")
        said = Said(text)
        self.spoken.append(said)
        if not self._slowly:
            said.over.set()
        return cast("SpeechHandle", said)

    def be_quiet(self) -> None:
        self.asked.append("be quiet")
        for said in self.spoken:
            said.over.set()

    def respond(self, text: str) -> None:
        self.asked.append(f"respond {text}")

    def part(self, ending: Ending) -> None:
        self.asked.append(f"part: {ending.cause}")

    def tell(self, data: dict[str, Any]) -> None:
        self.told.append(data)

    def heard(self, text: str, began_ago_s: float) -> None:
        self.asked.append(f"heard {text}")


class Phone(AudioInput):
    """A line that brings what a test feeds it."""

    def __init__(self) -> None:
        super().__init__(label="phone")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    def push(self, frame: np.ndarray[Any, Any]) -> None:
        """The next 20 ms."""
        self._frames.put_nowait(rtc.AudioFrame(frame.tobytes(), 8000, 1, len(frame)))

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class Call:
    """One call, faster than it would be spoken: its line, and what reaches the session."""

    def __init__(self, settings: AnsweringSettings, lead: FakeLead) -> None:
        self.lead = lead
        self.answering = Answering(settings, "Hello, this is Trunkline.", lead)
        self.phone = Phone()
        self.session = SimpleNamespace(input=SimpleNamespace(audio=self.phone))
        self.answering.listen(cast("Any", self.session))
        self.passed: list[bool] = []
        self.words: list[str] = []

    async def hear(self, line: Line) -> None:
        """Let it be heard, with its words when they come."""
        due, samples = sorted(line.words), line.samples()
        for at in range(0, samples.size - 159, 160):
            while due and due[0][0] <= at / 8000:
                await self.recognise(due.pop(0)[1])
            self.phone.push(samples[at : at + 160])
            frame = await self.session.input.audio.__anext__()
            self.passed.append(bool(np.frombuffer(frame.data, np.int16).any()))
            await asyncio.sleep(0)

    async def asked(self, *wanted: str) -> None:
        """Wait until the call was asked for just this, in this order."""
        async with limit(20):
            while self.lead.asked != list(wanted):
                await asyncio.sleep(0.02)

    async def told(self, *wanted: str) -> None:
        """Wait until just this was told of who answered."""
        async with limit(20):
            while [told["answered_by"] for told in self.lead.told] != list(wanted):
                await asyncio.sleep(0.02)

    async def recognise(self, text: str) -> None:
        """The recogniser tells a text; what of it the session gets is in ``words``."""
        event = stt.SpeechEvent(
            stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[stt.SpeechData(language=LanguageCode("en"), text=text)],
        )

        async def recogniser(_: AsyncIterable[rtc.AudioFrame]) -> AsyncGenerator[stt.SpeechEvent, None]:
            yield event

        async for passed in self.answering.recognised(recogniser, _nothing()):
            self.words.append(passed.alternatives[0].text)


async def _nothing() -> AsyncIterator[rtc.AudioFrame]:
    no_frames: tuple[rtc.AudioFrame, ...] = ()
    for frame in no_frames:
        yield frame


@asynccontextmanager
async def ringing(settings: AnsweringSettings = MESSAGE, *, slowly: bool = False) -> AsyncIterator[Call]:
    """A call that rings."""
    call = Call(settings, FakeLead(slowly=slowly))
    leading = asyncio.create_task(call.answering.lead())
    await asyncio.sleep(0)
    try:
        yield call
        if leading.done():
            leading.result()
    finally:
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await call.answering.aclose()


async def test_a_person_is_heard_out_and_greeted() -> None:
    """The hello reaches the record and not the session; what is said after it reaches the session."""
    async with ringing() as call:
        call.answering.answered()
        await call.hear(Line(Voice(190.0)).quiet(0.3).say("Hello?"))
        assert call.lead.asked == []
        await call.hear(Line().quiet(1.0))
        await call.recognise("Hello?")
        await call.asked("greet", "heard Hello?")
        assert call.words == []
        assert not any(call.passed[:40])
        await call.hear(Line(Voice(190.0)).say("Yes, that is me.").quiet(0.2))
        await call.recognise("Yes, that is me.")
        assert call.words == ["Yes, that is me."]
        assert any(call.passed)
    (told,) = call.lead.told
    assert (told["answered_by"], told["revised"]) == ("human", False)
    assert told["decided_ms"] < 1600


async def test_who_says_nothing_is_spoken_to() -> None:
    """After the patience that is set, and once; who it was is known when something is said."""
    async with ringing(AnsweringSettings(patience_s=0.8)) as call:
        call.answering.answered()
        await call.hear(Line().quiet(0.7))
        assert call.lead.asked == []
        await call.hear(Line().quiet(0.4))
        await call.asked("greet")
        assert call.lead.told == []
        await call.hear(Line(Voice(120.0)).say("Yes?").quiet(1.0))
        await call.told("human")
        await call.asked("greet")


async def test_nothing_is_done_before_the_answer() -> None:
    """An announcement before it is no greeting, and begins no turn."""
    async with ringing() as call:
        await call.hear(Line(Voice(200.0)).say("Абонент временно недоступен.").quiet(3))
        assert call.lead.asked == []
        assert not any(call.passed)
        call.answering.answered()
        await call.hear(Line(Voice(120.0)).quiet(0.2).say("Yes?").quiet(1.0))
        await call.told("human")
        assert "announcement" in call.lead.told[0]["evidence"]["early_media"]


async def test_the_message_comes_after_the_beep() -> None:
    """And the call is ended after it."""
    async with ringing() as call:
        call.answering.answered()
        await call.hear(Line().quiet(0.2).say("Please leave a message after the tone.").quiet(0.6))
        assert call.lead.asked == []
        await call.hear(Line().tone(1000, 0.4).quiet(0.3))
        await call.asked("say Please call us back.", "part: a message was left in the mailbox")


async def test_a_mailbox_without_a_beep_gets_its_message_too() -> None:
    """Three seconds after it has fallen silent."""
    async with ringing() as call:
        call.answering.answered()
        await call.hear(Line().quiet(0.2).say("Leave your name and number.").quiet(2.5))
        assert call.lead.asked == []
        await call.hear(Line().quiet(1.0))
        await call.asked("say Please call us back.", "part: a message was left in the mailbox")


async def test_a_message_that_a_beep_comes_into_is_said_again() -> None:
    """What was said before it was not recorded."""
    async with ringing(slowly=True) as call:
        call.answering.answered()
        await call.hear(Line().quiet(0.2).say("Leave your name and number.").quiet(3.5))
        await call.asked("say Please call us back.")
        await call.hear(Line().tone(1400, 0.5).quiet(0.5))
        await call.asked(*SAID_AGAIN)
        call.lead.spoken[-1].over.set()
        await call.asked(*SAID_AGAIN, "part: a message was left in the mailbox")


async def test_a_mailbox_is_hung_up_on_unless_there_is_a_message() -> None:
    """The default, and a policy without its message."""
    async with ringing(AnsweringSettings(voicemail="leave_message")) as call:
        call.answering.answered()
        await call.hear(Line().quiet(0.2).say("Please leave a message.").quiet(1.0))
        await call.asked("part: a mailbox answered")
        await call.told("voicemail")


async def test_a_screener_is_told_why_and_the_person_behind_it_is_greeted() -> None:
    """The purpose once, patience while it asks to wait, and then a call as any other."""
    async with ringing() as call:
        call.answering.answered()
        await call.hear(Line().quiet(0.2).say("Say your name and why you're calling.").quiet(1.5))
        await call.asked("say It is Anna.")
        await call.hear(Line().quiet(0.5).say("Thank you, please hold on.").quiet(1.5))
        await call.asked("say It is Anna.")
        await call.hear(Line().cadence(425, 1.0, 4.0, 1).quiet(0.5))
        await call.hear(Line(Voice(230.0)).say("Hello?").quiet(2.0))
        await call.asked("say It is Anna.", "greet", "heard Hello?")
        await call.told("screener", "human")


@pytest.mark.parametrize(
    ("ivr", "asked"),
    [
        ("hang_up", ["part: a menu answered"]),
        ("continue", ["begin", "respond For sales, press one."]),
    ],
)
async def test_a_menu_is_left_or_talked_to(ivr: Any, asked: list[str]) -> None:
    """As the policy says."""
    async with ringing(AnsweringSettings(ivr=ivr)) as call:
        call.answering.answered()
        await call.hear(Line().quiet(0.2).say("For sales, press one.").quiet(1.5))
        await call.asked(*asked)


async def test_a_greeting_at_once_gives_way_to_a_mailbox() -> None:
    """The conversation begins with the answer; once a mailbox is heard the greeting is stopped."""
    async with ringing(MESSAGE.model_copy(update={"first_word": "at_once"})) as call:
        call.answering.answered()
        await call.asked("begin")
        await call.hear(Line().quiet(0.2).say("Please leave a message after the tone.").quiet(0.8))
        await call.hear(Line().tone(1000, 0.4).quiet(0.4))
        await call.asked(
            "begin", "be quiet", "say Please call us back.", "part: a message was left in the mailbox"
        )


async def test_a_busy_tone_after_the_answer_ends_the_call() -> None:
    """Nobody is there, and the record says so."""
    async with ringing() as call:
        call.answering.answered()
        await call.hear(Line().cadence(425, 0.35, 0.35, 4))
        await call.asked("part: nobody can be reached: the network's busy tone")
        assert call.lead.told[0]["answered_by"] == "unknown"


async def test_the_recogniser_hears_the_line_that_the_session_does_not() -> None:
    """Silence passes through the gate, and the sound it stands for with it."""
    async with ringing() as call:
        call.phone.push(np.full(160, 1000, np.int16))
        silent = await call.session.input.audio.__anext__()

        async def given() -> AsyncIterator[rtc.AudioFrame]:
            yield silent

        (heard,) = [frame async for frame in line_audio(given())]
        assert not np.frombuffer(silent.data, np.int16).any()
        assert (np.frombuffer(heard.data, np.int16) == 1000).all()
