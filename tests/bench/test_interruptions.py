"""The corpus of interruptions, and one of each kind through a real session in virtual time."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest

from bench.interruptions.corpus import KINDS, Interruption, corpus
from bench.interruptions.network import through
from bench.interruptions.recogniser import misheard
from bench.interruptions.sounds import COUGHS, NOISES, sound
from bench.interruptions.trial import interrupt
from bench.virtual_time import run_virtually

pytestmark = pytest.mark.component

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def test_the_corpus_is_large_the_same_each_time_and_a_third_of_its_phrases_is_held_out() -> None:
    """In both languages, of every kind, on every network."""
    whole = corpus()
    assert whole == corpus()
    for language in ("en", "ru"):
        mine = [each for each in whole if each.language == language]
        assert len(mine) >= 200
        assert {each.kind for each in mine} == set(KINDS)
        assert len({each.network for each in mine}) == 3
        last = {each.voice for each in mine if each.voice} - {
            each.voice for each in mine if not each.held_out
        }
        assert len(last) == 1, "one voice is not tuned on"
        phrases = {each.text for each in mine if each.voice}
        tuned = {each.text for each in mine if each.voice and not each.held_out}
        assert 0.22 < 1 - len(tuned) / len(phrases) < 0.45


def test_what_is_judged_by_words_is_said_again_with_other_errors() -> None:
    """Backchannels and stops alone, and the first corpus is within the larger one."""
    once, often = corpus(), corpus(draws=3)
    drawn = [each for each in once if each.kind in ("backchannels", "stops")]
    assert len(often) == len(once) + 2 * len(drawn)
    assert set(once) < set(often)
    assert len({each.seed for each in often}) == len(often)


def test_one_word_in_ten_is_misheard() -> None:
    """Substituted, left out or added."""
    rng = random.Random(1)
    said = "we would like to book a table for two people"
    words = said.split()
    heard = [misheard(said, "en", rng) for _ in range(300)]
    wrong = [len(set(words) - set(each)) + max(0, len(each) - len(words)) for each in heard]
    assert 0.07 < sum(wrong) / (300 * len(words)) < 0.13


def test_a_network_loses_what_it_says_and_keeps_the_time() -> None:
    """Sound comes out where it went in, later by the jitter buffer."""
    said = np.zeros(160 * 200, np.int16)
    said[160 * 50 : 160 * 150] = sound("cough", 3)[:160].repeat(100)
    for network in ("clean", "2 % loss", "jitter"):
        heard = through(said, network, seed=4)
        loud = [bool(np.abs(frame).max() > 1000) for frame in heard.frames]
        assert len(loud) == 200
        assert 50 <= loud.index(True) <= 56
        assert (heard.lost > 0) == (network == "2 % loss")


def test_sounds_are_what_they_say() -> None:
    """Coughs as loud as speech, noise 10 dB below, all within the scale."""
    for name in (*COUGHS, *NOISES):
        made = sound(name, 1)
        assert 0.2 < made.size / 8000 < 2.0
        assert 1000 < np.abs(made).max() <= 30000


@needs_espeak
@pytest.mark.parametrize(
    ("language", "kind", "text"),
    [
        ("en", "backchannels", "uh-huh"),
        ("ru", "backchannels", "угу"),
        ("ru", "stops", "подождите"),
        ("en", "answers", "yes"),
        ("en", "coughs", "cough"),
    ],
)
def test_an_interruption_is_taken_for_what_it_is(language: str, kind: str, text: str) -> None:
    """By a real session with its detector, many times faster than it would last."""
    voice = {"en": "espeak:en-us", "ru": "espeak:ru"}[language] if kind != "coughs" else ""
    interruption = Interruption(language, kind, text, voice, "jitter", held_out=False, seed=5)  # type: ignore[arg-type]
    outcome = run_virtually(interrupt(interruption))
    assert outcome.right, outcome
    assert outcome.paused_ms is not None
    assert outcome.paused_ms <= 200
    if not outcome.ended:
        assert outcome.resumed_ms is not None
        assert outcome.resumed_ms <= 700
