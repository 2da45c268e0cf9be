"""When Whisper is believed: windows, limits, loops and silences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.speech import decoding
from telephony.speech.decoding import Decoded

pytestmark = pytest.mark.pure


def decoded(
    text: str, *, tokens: int | None = None, logprob: float = -0.3, no_speech: float = 0.05
) -> Decoded:
    """One attempt whose token count fits its words unless it is given."""
    return Decoded(text, len(text.split()) if tokens is None else tokens, 40, logprob, no_speech)


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (0.3, (10, 20, 30)),
        (7.0, (10, 20, 30)),
        (7.1, (11, 20, 30)),
        (16.5, (20, 30)),
        (17.5, (21, 30)),
        (28.0, (30,)),
    ],
)
def test_a_short_window_is_tried_first(duration_s: float, expected: tuple[int, ...]) -> None:
    """The window fits the audio with 3 s to spare, never below 10 s, and ends with the full one."""
    assert decoding.windows(duration_s) == expected


@given(st.floats(0.0, 28.0))
def test_windows_grow_and_hold_the_audio(duration_s: float) -> None:
    """Every window holds the audio, each is longer than the one before, the last is what was trained on."""
    windows = decoding.windows(duration_s)
    assert windows[-1] == decoding.FULL_WINDOW_S
    assert list(windows) == sorted(set(windows))
    assert windows[0] >= duration_s


@given(st.floats(0.0, 28.0), st.integers(1, 224))
def test_the_limit_given_to_the_library_allows_what_was_meant(duration_s: float, prompt: int) -> None:
    """Half of ``max_length``, and what the prompt leaves of it, are both at least the limit, one exactly."""
    limit = decoding.token_limit(duration_s)
    total = decoding.sequence_limit(limit, prompt)
    assert min(total // 2, total - prompt) == limit
    assert total <= 448


@pytest.mark.parametrize(
    "text",
    [
        " 9 1 6 3 9 1 6 3",
        " 9163-9163.",
        " Friday. Friday. Friday.",
        " Right. Right.",
        " My number is 9163 9163.",
        " I would like to I would like to",
        " go to the end go to the end",
        " Bye bye.",
    ],
)
def test_a_repetition_is_not_trusted(text: str) -> None:
    """Doubled digits, doubled texts and repeated endings are looked at again, even where people do say so."""
    assert decoding.looks_looped(decoded(text), 3.0)


@pytest.mark.parametrize(
    "text",
    [
        " I would like to book an appointment.",
        " No, no, that is not right.",
        " 555-1234",
        " Yes.",
        " Thank you very much. Thank you.",
        " Tuesday at 3:30.",
        "",
    ],
)
def test_ordinary_speech_is_trusted(text: str) -> None:
    """Words that merely come again are not taken for a loop."""
    assert not decoding.looks_looped(decoded(text), 3.0)


def test_too_many_tokens_or_too_little_certainty_is_not_trusted() -> None:
    """Text that reached its limit, is longer than anybody speaks, or is mere guessing is looked at again."""
    text = " What are your opening hours?"
    assert decoding.looks_looped(decoded(text, tokens=40), 8.0)
    assert decoding.looks_looped(decoded(text, tokens=24), 3.0)
    assert decoding.looks_looped(decoded(text, logprob=-1.1), 3.0)
    assert not decoding.looks_looped(decoded(text, tokens=23), 3.0)


@pytest.mark.parametrize(
    ("no_speech", "logprob", "expected"),
    [
        (0.05, -0.3, True),
        (0.05, -2.0, True),
        (0.55, -0.3, True),
        (0.47, -2.1, False),
        (0.61, -0.1, False),
        (0.98, -0.6, False),
    ],
)
def test_silence_is_told_from_speech(no_speech: float, logprob: float, expected: bool) -> None:
    """The model's own doubt decides, and the lower threshold only for uncertain text."""
    assert decoding.is_speech(decoded(" you", logprob=logprob, no_speech=no_speech)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Yes. ", "Yes."),
        (" Two\n words ", "Two words"),
        (" ...", ""),
        ("♪", ""),
        (" [Music]", ""),
        ("(door closes)", ""),
        (" (maybe) Tuesday", "(maybe) Tuesday"),
        ("5", "5"),
        ("Да.", "Да."),
    ],
)
def test_text_is_normalised(text: str, expected: str) -> None:
    """One line without edges; nothing for punctuation and descriptions of sounds."""
    assert decoding.normalise(text) == expected


def test_confidence_is_a_probability() -> None:
    """The confidence is the mean probability of a token and never exceeds one."""
    assert decoded("x", logprob=0.0).confidence == 1.0
    assert decoded("x", logprob=0.2).confidence == 1.0
    assert decoded("x", logprob=-0.6931472).confidence == pytest.approx(0.5)


@given(st.floats(0.0, 80.0))
def test_long_audio_is_cut_without_losing_a_sample(duration_s: float) -> None:
    """The pieces are the audio, none longer than the window can hold."""
    samples = np.arange(int(duration_s * 1000), dtype=np.float32).repeat(16)
    pieces = decoding.split_long(samples)
    np.testing.assert_array_equal(np.concatenate(pieces), samples)
    assert all(len(piece) <= 28 * decoding.RATE for piece in pieces)


def test_long_audio_is_cut_where_it_is_quiet() -> None:
    """A pause near the limit is where the cut goes, so that no word is split."""
    samples = np.ones(40 * decoding.RATE, np.float32)
    samples[24 * decoding.RATE : 25 * decoding.RATE] = 0.0
    first = len(decoding.split_long(samples)[0]) / decoding.RATE
    assert 24.0 < first < 25.0
