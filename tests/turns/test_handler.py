"""The handler against a phone that counts samples, in every order of things."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.clock import ManualClock
from telephony.turns.evidence import Evidence, Question, Situation, Span
from telephony.turns.floor import Effects
from telephony.turns.handler import LATE_WORDS_S, YIELD_S, InterruptHandler
from telephony.turns.judge import judge_for
from telephony.turns.settings import TurnSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.turns.decision import Decision

pytestmark = pytest.mark.pure

SETTINGS = TurnSettings()
LONGEST_S = 3 * SETTINGS.patience_s + 5
LOUD, QUIET = -20.0, -65.0
READ_BACK = Span("read_back", yields_to_stop=True)


@dataclass
class Phone:
    """Plays an utterance sample by sample, as a bridge does, and hears a caller."""

    length_s: float = 8.0
    must_hear: Span | None = None
    question: Question | None = None
    transcripts: Any = "interim"
    prompt_end: bool = True
    clock: ManualClock = field(default_factory=ManualClock)
    speaking: bool = False
    held: bool = False
    played: list[int] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    told: list[tuple[Decision, Evidence]] = field(default_factory=list)
    granted: list[float] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    answered_at: float | None = None
    interruptions: int = 0
    closed: bool = False
    sounding: bool = False

    def __post_init__(self) -> None:
        self.handler: InterruptHandler[str] = InterruptHandler(
            self.clock,
            judge_for(SETTINGS, "en"),
            self,
            Effects(
                self._pass_on,
                lambda decision, evidence: self.told.append((decision, evidence)),
                self.granted.append,
                self.keys.append,
            ),
            settings=SETTINGS,
            situation=self._situation,
            transcripts=self.transcripts,
        )

    def _pass_on(self, item: str) -> None:
        assert not self.speaking or self.interruptions or self.closed, "words wait while the agent speaks"
        self.passed.append(item)

    def _situation(self) -> Situation:
        agent = "speaking" if self.speaking else "listening"
        given = self.answered_at is not None
        return Situation(
            agent,  # type: ignore[arg-type]
            "",
            self.question,
            self.must_hear if self.speaking else None,
            "Yes," if given else "",
            self.clock.now() - (self.answered_at or 0.0) if given else 0.0,
        )

    def hold(self) -> None:
        assert not self.held, "held once"
        self.held = True

    def release(self) -> None:
        assert self.held, "released once"
        self.held = False

    def interrupt(self) -> None:
        self.interruptions += 1
        if self.prompt_end:
            self.clock.call_later(0.01, self._interrupted)

    def _interrupted(self) -> None:
        self.speaking = False
        self.handler.agent_ended()
        self.handler.interrupted()

    def is_held(self) -> bool:
        return self.held

    def begin(self) -> None:
        self.speaking, self.played = True, []
        self.handler.agent_began()

    def run(self, seconds: float) -> None:
        """Let time pass in windows of 20 ms."""
        for _ in range(round(seconds / 0.02)):
            self.handler.hear(LOUD if self.sounding else QUIET, sounding=self.sounding)
            self.clock.advance(0.02)
            if self.speaking and not self.held:
                self.played.append(len(self.played))
                if len(self.played) >= self.length_s * 50:
                    self.speaking = False
                    self.handler.agent_ended()

    def sound(self, seconds: float, words: str = "", *, interim_s: float = 0.25) -> None:
        """The caller makes a sound; words are told while it lasts and after it."""
        self.sounding = True
        self.handler.onset(0.05)
        self.run(min(seconds, interim_s))
        if words and self.transcripts == "interim":
            self.handler.words(words, f"~{words}", final=False)
        self.run(max(0.0, seconds - interim_s))
        self.sounding = False
        self.run(0.2)
        if words:
            self.handler.words(words, words, final=True)

    @property
    def turns(self) -> list[str]:
        return [item for item in self.passed if not item.startswith("~")]

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(decision.action, decision.policy) for decision, _ in self.told]


def test_a_sound_pauses_first() -> None:
    """The agent is silent from the moment of the onset, before anything is decided."""
    phone = Phone()
    phone.begin()
    phone.run(1.0)
    phone.handler.onset(0.05)
    assert phone.is_held()
    assert phone.told == []


def test_loudness_pauses_before_a_voice_is_recognised() -> None:
    """And a knock that is none is over in a quarter of a second."""
    phone = Phone()
    phone.begin()
    phone.run(1.0)
    for _ in range(3):
        phone.handler.hear(LOUD, sounding=False)
        phone.clock.advance(0.02)
    assert phone.is_held()
    phone.run(0.3)
    assert not phone.is_held()
    assert phone.actions == [("resume", "noise")]


def test_after_a_backchannel_every_sample_is_played_and_no_turn_is_made() -> None:
    """Resumed from the very sample, within 700 ms of the sound's end."""
    phone = Phone(length_s=4.0)
    phone.begin()
    phone.run(1.0)
    phone.sound(0.4, "uh-huh")
    phone.run(0.3)
    assert not phone.is_held()
    phone.run(5.0)
    assert phone.played == list(range(200))
    assert phone.passed == []
    assert phone.actions == [("resume", "backchannels")]
    assert not phone.handler.overlapping


def test_a_detector_that_goes_on_after_a_long_backchannel_does_not_end_the_speech() -> None:
    """What was settled by its words does not count as sound without a word as well."""
    phone = Phone(length_s=6.0)
    phone.begin()
    phone.run(1.0)
    phone.handler.onset(0.05)
    phone.sounding = True
    phone.run(0.85)
    phone.handler.words("I understand", "I understand", final=True)
    phone.run(0.2)
    phone.sounding = False
    phone.run(1.0)
    assert not phone.interruptions
    assert not phone.is_held()
    assert phone.actions == [("resume", "backchannels")]


def test_a_stop_word_silences_for_good_and_makes_no_turn() -> None:
    """On its interim text already, and its final text says nothing new."""
    phone = Phone()
    phone.begin()
    phone.run(1.0)
    phone.sound(0.4, "stop")
    assert phone.interruptions == 1
    assert len(phone.played) <= 51
    phone.run(5.0)
    assert phone.passed == []
    assert not phone.is_held()
    assert phone.actions == [("yield", "stop_words")]


def test_an_aside_is_a_turn_once_the_agent_has_spoken() -> None:
    """Every sample is played; what interrupts after all is passed on behind it, and a stop leaves nothing."""
    phone = Phone(length_s=4.0)
    phone.begin()
    phone.run(1.0)
    phone.sound(0.4, "garden")
    phone.run(1.0)
    assert phone.passed == []
    phone.run(5.0)
    assert phone.played == list(range(200))
    assert phone.turns == ["garden"]
    assert phone.actions == [("resume", "aside")]

    for words, turns in (("I want something else", ["garden", "I want something else"]), ("stop", [])):
        phone = Phone()
        phone.begin()
        phone.run(1.0)
        phone.sound(0.4, "garden")
        phone.run(1.0)
        phone.sound(0.8, words)
        phone.run(5.0)
        assert phone.turns == turns
        assert phone.interruptions == 1


def test_speech_becomes_a_turn_in_order() -> None:
    """What was said while the agent was held is passed on once it yields."""
    phone = Phone()
    phone.begin()
    phone.run(1.0)
    phone.sound(1.2, "I want something else")
    phone.run(1.0)
    assert phone.turns == ["I want something else"]
    assert phone.interruptions == 1


def test_an_answer_to_a_pending_question_is_a_turn() -> None:
    """The agent stops asking."""
    phone = Phone(question="yes_no")
    phone.begin()
    phone.run(1.0)
    phone.sound(0.3, "yes")
    phone.run(0.5)
    assert phone.turns == ["yes"]
    assert phone.actions[0] == ("yield", "answers")


@pytest.mark.parametrize("transcripts", ["interim", "final"])
@pytest.mark.parametrize("question", [None, "yes_no"])
@pytest.mark.parametrize("seconds", [0.3, 0.7, 1.2])
def test_an_answer_in_two_breaths_is_one(transcripts: str, question: Question | None, seconds: float) -> None:
    """The reply to "yes" is held for "that's right" and spoken whole, whatever it asks itself."""
    phone = Phone(length_s=3.0, transcripts=transcripts, question=question)
    phone.answered_at = phone.clock.now()
    phone.run(0.3)
    phone.begin()
    phone.run(0.2)
    phone.sound(seconds, "that's right")
    phone.run(4.0)
    assert phone.interruptions == 0
    assert phone.played == list(range(150))
    assert phone.passed == []
    assert ("resume", "same_answer") in phone.actions


def test_an_answer_in_two_breaths_is_one_before_the_reply_too() -> None:
    """While nothing is said yet, the second breath makes no turn of its own; another word does."""
    phone = Phone(question="yes_no")
    phone.answered_at = phone.clock.now()
    phone.run(0.2)
    phone.sound(0.4, "that's right")
    assert phone.passed == []
    phone.sound(0.6, "but not on Friday")
    assert phone.turns == ["but not on Friday"]


def test_another_answer_is_another() -> None:
    """It takes the floor, at once after the first; and so does the same one to the next question."""
    phone = Phone(question="yes_no")
    phone.answered_at = phone.clock.now()
    phone.begin()
    phone.run(0.2)
    phone.sound(0.4, "no, it isn't")
    phone.run(0.5)
    assert phone.turns == ["no, it isn't"]
    later = Phone(question="yes_no")
    later.answered_at = later.clock.now()
    later.begin()
    later.run(1.6)
    later.sound(0.4, "yes")
    later.run(0.5)
    assert later.turns == ["yes"]


def test_without_interim_words_a_late_text_corrects() -> None:
    """A short sound is passed over by time, and its words, when they come, take the floor all the same."""
    phone = Phone(transcripts="final")
    phone.begin()
    phone.run(1.0)
    phone.sounding = True
    phone.handler.onset()
    phone.run(0.4)
    phone.sounding = False
    phone.run(0.8)
    assert not phone.is_held()
    assert phone.actions == [("resume", "deadline")]
    phone.handler.words("on Tuesday", "on Tuesday", final=True)
    assert phone.interruptions == 1
    phone.run(0.02)
    assert phone.turns == ["on Tuesday"]


def test_a_moment_is_granted_and_then_the_agent_goes_on() -> None:
    """Nothing is lost, nothing becomes a turn, and whoever prompts is told for how long not to."""
    phone = Phone(length_s=3.0)
    phone.begin()
    phone.run(1.0)
    phone.sound(0.5, "one moment please")
    phone.run(SETTINGS.patience_s - 2)
    assert phone.is_held()
    phone.run(4.0)
    assert not phone.is_held()
    phone.run(3.0)
    assert phone.played == list(range(150))
    assert phone.passed == []
    assert phone.granted[0] == SETTINGS.patience_s


def test_a_caller_is_back_from_a_moment() -> None:
    """Speech after it takes the floor; so the agent does not go on."""
    phone = Phone()
    phone.begin()
    phone.run(1.0)
    phone.sound(0.5, "one moment please")
    phone.run(2.0)
    phone.sound(0.9, "so my number is")
    phone.run(0.5)
    assert phone.turns == ["so my number is"]
    assert phone.interruptions == 1


def test_a_moment_asked_for_in_silence_is_no_turn() -> None:
    """Also while the agent only listens."""
    phone = Phone()
    phone.handler.words("one second", "one second", final=True)
    phone.handler.words("so here it is", "so here it is", final=True)
    assert phone.turns == ["so here it is"]
    assert phone.granted == [SETTINGS.patience_s]


def test_what_must_be_heard_is_never_paused_and_words_are_heard_after() -> None:
    """The caller talks through all of it; the turn comes when it has ended."""
    phone = Phone(length_s=3.0, must_hear=Span("transfer"))
    phone.begin()
    phone.run(1.0)
    phone.sound(0.8, "no wait I want something else")
    assert phone.passed == []
    phone.run(3.0)
    assert phone.played == list(range(150))
    assert phone.turns == ["no wait I want something else"]
    assert phone.interruptions == 0


def test_a_read_back_waits_for_a_stop_word_and_is_finished() -> None:
    """Politely: silent until the caller is, then from the very sample."""
    phone = Phone(length_s=3.0, must_hear=READ_BACK)
    phone.begin()
    phone.run(1.0)
    phone.sound(0.4, "wait")
    assert phone.is_held()
    phone.run(4.0)
    assert phone.played == list(range(150))
    assert phone.interruptions == 0


def test_a_key_waits_for_what_must_be_heard() -> None:
    """It is acted on then; elsewhere at once."""
    phone = Phone(length_s=2.0, must_hear=READ_BACK)
    phone.begin()
    phone.run(0.5)
    assert not phone.handler.key("1")
    phone.run(2.0)
    assert phone.keys == ["1"]
    other = Phone()
    other.begin()
    assert other.handler.key("2")
    assert other.interruptions == 1
    assert other.handler.key("3"), "into silence too"


def test_the_agent_does_not_begin_into_a_voice() -> None:
    """What begins while the caller speaks is held from its first sound."""
    phone = Phone()
    phone.sounding = True
    phone.handler.onset()
    phone.run(0.4)
    assert not phone.is_held()
    phone.begin()
    assert phone.is_held()


def test_a_call_that_ends_holds_nothing() -> None:
    """Whatever was under way."""
    phone = Phone()
    phone.begin()
    phone.handler.onset()
    phone.handler.close()
    assert not phone.is_held()
    assert phone.clock.pending == 0


STEPS = st.sampled_from(
    [
        "onset",
        "quiet",
        "begin",
        "end",
        "key",
        "interim uh-huh",
        "final uh-huh",
        "interim stop",
        "final stop",
        "final I want to book",
        "final garden",
        "final one moment",
        "guard",
        "open",
        "ask",
        "close",
    ]
)


def _do(phone: Phone, step: str, number: int) -> None:
    actions: dict[str, Callable[[], Any]] = {
        "begin": lambda: None if phone.speaking else phone.begin(),
        "end": lambda: _end(phone),
        "key": lambda: phone.handler.key("1"),
        "guard": lambda: setattr(phone, "must_hear", READ_BACK),
        "open": lambda: setattr(phone, "must_hear", None),
        "ask": lambda: setattr(phone, "question", "yes_no"),
        "close": lambda: _close(phone),
    }
    if step in actions:
        actions[step]()
    elif step == "onset":
        phone.sounding = True
        phone.handler.onset()
    elif step == "quiet":
        phone.sounding = False
    else:
        kind, _, words = step.partition(" ")
        phone.handler.words(words, f"{words} {number}", final=kind == "final")


def _close(phone: Phone) -> None:
    phone.closed = True
    phone.handler.close()


def _end(phone: Phone) -> None:
    if phone.speaking:
        phone.speaking = False
        phone.handler.agent_ended()


@settings(max_examples=200, deadline=None)
@example(
    steps=[("guard", 0.0), ("final one moment", 0.0), ("open", 0.0)], prompt_end=False, transcripts="interim"
)
@given(
    st.lists(st.tuples(STEPS, st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.7])), max_size=25),
    st.booleans(),
    st.sampled_from(["interim", "final", "none"]),
)
def test_every_pause_ends_in_every_order(
    steps: list[tuple[str, float]], prompt_end: bool, transcripts: str
) -> None:
    """Nothing stays held, no sample is lost or repeated, and nothing is passed on twice."""
    phone = Phone(length_s=5.0, prompt_end=prompt_end, transcripts=transcripts)
    phone.begin()
    for number, (step, seconds) in enumerate(steps):
        _do(phone, step, number)
        phone.run(seconds)
    phone.sounding = False
    phone.run(0.1)  # for what is decided at the next look
    for _ in range(round(LONGEST_S)):
        if not phone.is_held():
            break
        phone.run(1.0)
    assert not phone.is_held()
    assert phone.played == list(range(len(phone.played)))
    assert len(phone.passed) == len(set(phone.passed))
    phone.run(LATE_WORDS_S + YIELD_S)
    assert not phone.handler.overlapping or phone.must_hear is not None


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 6.0))
def test_a_sound_of_any_length_is_decided_in_time(seconds: float) -> None:
    """Without a word of it: the agent is held no longer than the longest pause and its deadline."""
    phone = Phone(length_s=20.0, transcripts="none")
    phone.begin()
    phone.run(1.0)
    phone.sounding = True
    phone.handler.onset()
    held_s = 0.0
    for at in range(400):
        phone.sounding = at * 0.02 < seconds
        phone.run(0.02)
        held_s += 0.02 if phone.is_held() else 0.0
    assert held_s <= SETTINGS.longest_pause_ms / 1000 + 0.1
    assert bool(phone.interruptions) == (seconds > SETTINGS.min_speech_unheard_ms / 1000 + 0.06) or (
        abs(seconds - SETTINGS.min_speech_unheard_ms / 1000) < 0.15
    )
