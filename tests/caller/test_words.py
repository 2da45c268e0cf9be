"""Tolerant matching of what a recogniser understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.caller.words import begins_with, heard_in, missing_from, words_of

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ten o'clock, on the twenty-third.", ["10", "on", "the", "23"]),
        ("3:30 p.m.", ["3", "30", "pm"]),
        ("At 10:00 AM", ["at", "10", "am"]),
        ("the 10th of May", ["the", "10", "of", "may"]),
        ("9am to 5:30pm", ["9", "am", "to", "5", "30", "pm"]),
        ("You're welcome!", ["youre", "welcome"]),
        ("Заказ 1,042, днём", ["заказ", "1042", "днем"]),
        ("1,042 or 10,42", ["1042", "or", "10", "42"]),
        ("", []),
        ("...", []),
    ],
)
def test_a_text_becomes_comparable_words(text: str, words: list[str]) -> None:
    """Case, punctuation and the way numbers are written do not count."""
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("entry", "heard"),
    [
        ("which day", "Of course. Which day would you like?"),
        ("riverside clinic", "This is the river side clinic."),
        ("riverside clinic", "Hello, this is Reverside Clinic."),
        ("book an appointment", "book an apointment"),
        ("half past three|3:30|three thirty", "Tuesday at 3:30 p.m."),
        ("half past three|3:30|three thirty", "at half past three"),
        ("ten", "at 10:00"),
        ("twenty one", "the 21st"),
        ("goodbye", "Good bye."),
        ("bye", "Bye!"),
    ],
)
def test_what_was_said_is_found(entry: str, heard: str) -> None:
    """A misheard letter, a split word or another spelling of a number does not hide what was said."""
    assert heard_in(entry, heard)


@pytest.mark.parametrize(
    ("entry", "heard"),
    [
        ("tuesday", "on Thursday"),
        ("monday", "on Sunday"),
        ("fifteen", "at fifty"),
        ("3:30", "at 3:45"),
        ("half past three", "half past four"),
        ("no", "I know nothing"),
        ("which day", "day which"),
        ("clinic", ""),
        ("|", "anything"),
    ],
)
def test_what_was_not_said_is_not_found(entry: str, heard: str) -> None:
    """Another day, another number, another order, half a word: not the same."""
    assert not heard_in(entry, heard)


def test_the_beginning_is_where_it_says() -> None:
    """Words further on do not make a beginning."""
    assert begins_with("hello|good morning", "Good morning, Riverside Clinic.")
    assert begins_with("hello", "Hello.")
    assert not begins_with("hello", "Lo, Riverside Clinic. Hello?")
    assert not begins_with("hello", "")


def test_what_is_missing_is_named() -> None:
    """All of one list are needed, and one of the other."""
    assert missing_from("Tuesday, at ten.", every=["tuesday", "anna"], one_of=["nine", "eleven"]) == [
        "anna",
        "nine or eleven",
    ]
    assert missing_from("Tuesday, at ten.", every=["tuesday"], one_of=["nine", "ten"]) == []
    assert missing_from("", every=[], one_of=[]) == []


@given(
    st.lists(st.sampled_from(["which", "day", "clinic", "ten", "thirty", "please"]), min_size=1, max_size=8)
)
def test_a_phrase_is_found_in_itself(words: list[str]) -> None:
    """Whatever is said is found in what was said."""
    phrase = " ".join(words)
    assert heard_in(phrase, f"Well, {phrase}.")
    assert begins_with(phrase, phrase)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_texts_can_be_compared(entry: str, heard: str) -> None:
    """No text breaks the comparison."""
    assert heard_in(entry, heard) in (True, False)
