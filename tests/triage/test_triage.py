"""Who answered, by what is heard: people, mailboxes, networks, and what is played before the answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from telephony.audio.resample import resample
from telephony.calls.outcomes import AnsweredBy
from telephony.triage.rules import Limits
from telephony.triage.triage import Triage
from tests.triage.samples import Line, Voice

pytestmark = pytest.mark.pure

UNSHRUNK = (Phase.explicit, Phase.generate)
"""A simpler sound is no plainer to read, and each takes a second."""
MAILBOX = "You have reached Ann. Please leave a message after the tone."


def who(triage: Triage) -> AnsweredBy | None:
    """Who answered, as far as it is known."""
    return None if triage.decision is None else triage.decision.answered_by


def listen(
    line: Line,
    *,
    reads: bool = True,
    noise_dbfs: float | None = -65.0,
    triage: Triage | None = None,
    chunk: int = 160,
    rate: int = 8000,
) -> tuple[Triage, float | None]:
    """Let triage hear a line from the answer on; and when it decided, in s of the line."""
    triage = triage or Triage(reads=reads)
    triage.answered()
    samples = resample(line.samples(noise_dbfs), 8000, rate)
    words = sorted(line.words) if reads else []
    decided_s = None
    for at in range(0, samples.size, chunk):
        while words and words[0][0] <= at / rate:
            triage.words(words.pop(0)[1], final=True)
        triage.hear(samples[at : at + chunk], rate)
        if decided_s is None and triage.decision is not None:
            decided_s = (at + chunk) / rate
    return triage, decided_s


@settings(max_examples=12, deadline=None, phases=UNSHRUNK)
@given(
    pitch=st.floats(90, 300),
    amplitude=st.floats(0.05, 0.8),
    noise_dbfs=st.floats(-75, -48),
    seed=st.integers(0, 99),
    seconds=st.floats(0.25, 1.2),
    reads=st.booleans(),
)
def test_a_short_greeting_is_a_person_soon_after_its_end(
    pitch: float, amplitude: float, noise_dbfs: float, seed: int, seconds: float, reads: bool
) -> None:
    """Whatever the voice, its level and the line's noise: at most 0.8 s are waited."""
    line = Line(Voice(pitch, amplitude=amplitude, seed=seed)).quiet(0.4)
    ends_s = line.say("Hello?", seconds=seconds).now_s
    triage, decided_s = listen(line.quiet(1.2), noise_dbfs=noise_dbfs, reads=reads)
    assert who(triage) is AnsweredBy.HUMAN
    assert decided_s is not None
    assert ends_s < decided_s < ends_s + 0.8


def test_a_longer_greeting_of_a_person_is_waited_for() -> None:
    """A receptionist's sentence is not cut into, and its silence decides."""
    line = Line(Voice(200.0)).quiet(0.3)
    ends_s = line.say("Good morning, Acme Dental, this is Maria, how can I help you?").now_s
    triage, decided_s = listen(line.quiet(3))
    assert who(triage) is AnsweredBy.HUMAN
    assert decided_s is not None
    assert ends_s + 0.5 < decided_s < ends_s + 1.3


@settings(max_examples=12, deadline=None, phases=UNSHRUNK)
@given(
    hertz=st.floats(480, 1990),
    seconds=st.floats(0.17, 1.5),
    amplitude=st.floats(0.03, 0.6),
    pause_s=st.floats(0.2, 1.5),
    noise_dbfs=st.floats(-75, -50),
)
def test_a_beep_is_a_mailbox(
    hertz: float, seconds: float, amplitude: float, pause_s: float, noise_dbfs: float
) -> None:
    """Any flat tone after words makes them a mailbox's, also where they had passed for a person's."""
    line = Line().quiet(0.3).say("Hi, this is Bob.", seconds=2.0).quiet(pause_s)
    triage, _ = listen(line.tone(hertz, seconds, amplitude).quiet(1), reads=False, noise_dbfs=noise_dbfs)
    last = triage.revised or triage.decision
    assert last is not None
    assert last.answered_by is AnsweredBy.VOICEMAIL
    assert triage.beep_is_last


@pytest.mark.parametrize(("pause_s", "mailbox"), [(1.0, True), (4.0, False)])
def test_a_short_late_beep_is_a_mailbox_after_a_monologue_alone(pause_s: float, mailbox: bool) -> None:
    """Somebody who listens in between has a call that is recorded, or another one waiting."""
    line = Line().quiet(0.3).say("I'm not here.", seconds=1.5).quiet(pause_s)
    line.say("Leave your name and I will call.", seconds=3.0).quiet(0.5).tone(1400, 0.25).quiet(1)
    triage, _ = listen(line, reads=False)
    assert triage.decision is not None
    assert triage.decision.answered_by is AnsweredBy.HUMAN
    assert (triage.revised is not None) is mailbox


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (Line().cadence(425, 0.35, 0.35, 4), "busy"),
        (Line().cadence(425, 0.5, 0.5, 4), "busy"),
        (Line().cadence(425, 0.175, 0.175, 8), "congestion"),
        (Line().tone(950, 0.33).tone(1400, 0.33).tone(1800, 0.33).quiet(1), "special information"),
        (Line().tone(985, 0.38).tone(1370, 0.27).tone(1777, 0.38).quiet(1), "special information"),
        (Line().quiet(0.4).tone(2100, 2.6), "fax"),
    ],
)
def test_what_a_network_or_a_fax_plays_is_nobody(line: Line, words: str) -> None:
    """Busy, congestion, special information and fax tones end the call: nobody can be reached."""
    triage, _ = listen(line)
    assert triage.decision is not None
    assert triage.decision.unreachable
    assert words in triage.decision.reason
    assert triage.decision.answered_by is AnsweredBy.UNKNOWN


@pytest.mark.parametrize("noise_dbfs", [-65.0, -50.0])
@pytest.mark.parametrize("tones", [(425.0,), (440.0, 480.0), (400.0, 450.0)])
def test_ringing_is_neither_a_person_nor_a_beep(tones: tuple[float, ...], noise_dbfs: float) -> None:
    """Whoever answered has somebody else called: that is waited for, with pauses and all."""
    line = Line()
    for _ in range(2):
        if len(tones) == 1:
            line.tone(tones[0], 1.0, 0.1).quiet(4)
        else:
            line.two_tones(tones[0], tones[1], 2.0).quiet(4)
    triage, _ = listen(line, noise_dbfs=noise_dbfs)
    assert who(triage) is None
    assert triage.rings_on
    assert triage.heard_anybody is False
    listen(Line(Voice(150.0)).quiet(0.2).say("Hello?").quiet(1), triage=triage)
    assert who(triage) is AnsweredBy.HUMAN


def test_what_is_played_before_the_answer_is_nobody() -> None:
    """An announcement in early media is told, and never counts as whoever answers then."""
    triage = Triage(reads=True)
    early = Line(Voice(220.0)).cadence(425, 1.0, 4.0, 1).say("Абонент временно недоступен.").quiet(1)
    triage.hear(early.samples())
    triage.words(early.words[0][1], final=True)
    assert triage.decision is None
    triage.answered()
    for _ in range(100):
        triage.hear(np.zeros(160, np.int16))
    assert triage.decision is None
    assert triage.text == ""
    assert "ringback" in triage.evidence().before
    assert "announcement" in triage.evidence().before


def test_silence_is_nobody_until_the_deadline() -> None:
    """Nobody says anything: nothing is decided before the deadline, and then nothing is known."""
    triage, decided_s = listen(Line().quiet(6), triage=Triage(Limits(deadline_s=5.0)))
    assert decided_s == pytest.approx(5.0, abs=0.05)
    assert triage.decision is not None
    assert (triage.decision.answered_by, triage.decision.unreachable) == (AnsweredBy.UNKNOWN, False)


def test_a_machine_that_passed_for_a_person_is_found_out() -> None:
    """A name, a pause, and then the mailbox goes on."""
    line = Line().quiet(0.3).say("Bob Miller.").quiet(0.9).say("Leave a message after the beep.").quiet(1)
    triage, _ = listen(line)
    assert who(triage) is AnsweredBy.HUMAN
    assert triage.revised is not None
    assert triage.revised.answered_by is AnsweredBy.VOICEMAIL


def test_a_network_that_offers_a_mailbox_is_a_mailbox() -> None:
    """The announcement alone would mean that nobody can be reached."""
    line = Line().quiet(0.2).say("Абонент временно недоступен.").quiet(0.5)
    triage, _ = listen(line.say("Оставьте сообщение после сигнала.").quiet(2))
    assert who(triage) is AnsweredBy.VOICEMAIL
    alone, _ = listen(Line().quiet(0.2).say("Абонент временно недоступен.").quiet(2))
    assert alone.decision is not None
    assert alone.decision.unreachable


def test_a_model_is_waited_for_where_the_rules_are_unsure() -> None:
    """A long greeting without any phrase is what the model says; a short one needs no model."""
    text = "We are the Millers and we are having a lovely time somewhere else right now."
    line = Line().quiet(0.2).say(text).quiet(1.5)
    triage = Triage(reads=True, asks=True)
    listen(line, triage=triage)
    assert who(triage) is None
    triage.model("machine-vm", "llm")
    assert who(triage) is AnsweredBy.VOICEMAIL
    short = Triage(reads=True, asks=True)
    listen(Line().quiet(0.2).say("Yes?").quiet(1), triage=short)
    assert who(short) is AnsweredBy.HUMAN


@settings(max_examples=8, deadline=None, phases=UNSHRUNK)
@given(chunk=st.integers(1, 900), rate=st.sampled_from([8000, 16000, 24000]))
def test_how_the_audio_comes_does_not_matter(chunk: int, rate: int) -> None:
    """Any cut, any rate: the same decision, at the same time but for the cut."""
    line = Line(Voice(130.0)).quiet(0.3).say("Hello?").quiet(1)
    whole, whole_s = listen(line)
    cut, cut_s = listen(line, chunk=chunk, rate=rate)
    assert whole.decision == cut.decision
    assert whole_s is not None
    assert cut_s is not None
    assert abs(whole_s - cut_s) < 0.1 + chunk / rate


def test_evidence_is_told_in_milliseconds_and_without_what_is_empty() -> None:
    """What stands in the record is short, and says what was heard."""
    triage, _ = listen(Line().quiet(0.2).say(MAILBOX).quiet(0.3).tone(1000, 0.4).quiet(0.5))
    told = triage.evidence().to_event()
    assert told["words"] == MAILBOX
    assert told["tones"][0].startswith("beep 1000 Hz")
    assert any(cue.startswith("voicemail: ") for cue in told["cues"])
    assert "model" not in told
    assert 4000 < told["greeting_ms"] < 4700
