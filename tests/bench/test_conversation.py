"""What the measurement of the conversation concludes from recordings; the calls themselves are e2e."""

from __future__ import annotations

import numpy as np
import pytest

from bench.beside_stock import script_text
from bench.courtesy import FIRST_WORDS, SPOKEN_S, WHOLE, is_whole, loud_s, utterances_s
from bench.floor import sounds, stopped_ms
from telephony.audio.tones import sine
from telephony.caller.script_file import parse_script
from telephony.speech.marks import VARIABLE, loud_seconds, mark

pytestmark = pytest.mark.pure


def test_a_tone_is_whole_to_ten_milliseconds() -> None:
    """A frame that is missing at its beginning is noticed; a pause parts two utterances."""
    silence = np.zeros(8000, np.int16)
    tone = sine(440, SPOKEN_S)
    lengths = utterances_s(sounds(np.concatenate([silence, tone, silence, tone[160:], silence])))
    assert [is_whole(each) for each in lengths] == [True, False]


def test_loud_frames_are_counted_as_the_recogniser_does() -> None:
    """By frames of 20 ms."""
    line = np.concatenate([np.zeros(320, np.int16), sine(440, 0.1), np.zeros(100, np.int16)])
    assert loud_s(line) == pytest.approx(0.1)


def test_a_silence_begins_at_the_last_sound() -> None:
    """Counted from the onset."""
    agent = sounds(np.concatenate([sine(440, 1.1), np.zeros(4000, np.int16)]))
    assert stopped_ms(agent, 1.0) == pytest.approx(100, abs=6)


def test_jobs_are_told_apart_by_their_process(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one job heard in pieces is added up."""
    file = tmp_path_factory.mktemp("marks") / "marks.jsonl"
    monkeypatch.setenv(VARIABLE, str(file))
    assert loud_seconds(file) == []
    for seconds in (0.5, 0.25):
        mark("listened", loud_s=seconds)
    mark("heard")
    monkeypatch.setattr("os.getpid", lambda: 1)
    mark("listened", loud_s=1.0)
    assert loud_seconds(file) == [0.75, 1.0]


def test_the_calls_are_scripts() -> None:
    """Each can be read, whatever its length."""
    assert len(parse_script(script_text(4, 4)).steps) == 9
    assert parse_script(FIRST_WORDS).spoken() == parse_script(WHOLE).spoken()
