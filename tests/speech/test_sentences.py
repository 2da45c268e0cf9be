"""Units of speech: whole sentences where they fit, and never a word lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.speech.sentences import MAX_UNIT, speech_units

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", []),
        ("  \n ", []),
        ("Hello", ["Hello"]),
        ("Hello there. How are you?", ["Hello there.", "How are you?"]),
        ("Dr. Smith is in. Mrs. J. Jones is not.", ["Dr. Smith is in.", "Mrs. J. Jones is not."]),
        ("It is 3.30 p.m. now.", ["It is 3.30 p.m. now."]),
        ('He said "Stop!" Then he left.', ['He said "Stop!"', "Then he left."]),
        ("One\ntwo", ["One", "two"]),
        ("Well… Yes!  Of course", ["Well…", "Yes!", "Of course"]),
    ],
)
def test_a_text_is_cut_at_its_sentences(text: str, units: list[str]) -> None:
    """Marks end a sentence, except behind titles, initials and before small letters."""
    assert speech_units(text) == units


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    """The last comma that fits is where a long sentence is cut."""
    text = "We are open on Monday, on Tuesday, and on Wednesday"
    assert speech_units(text, 40) == ["We are open on Monday, on Tuesday,", "and on Wednesday"]


def test_a_long_clause_is_cut_at_a_word() -> None:
    """Without a comma it is cut between words, and only a word longer than a unit is cut itself."""
    assert speech_units("one two three four", 9) == ["one two", "three", "four"]
    assert speech_units("abcdefgh ij", 3) == ["abc", "def", "gh", "ij"]


@given(st.text(alphabet=st.sampled_from("ab.,!? \n\"'D r9;…"), max_size=600), st.integers(5, MAX_UNIT))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, longest: int) -> None:
    """Letters come out in their order, and every unit has something and is within its length."""
    units = speech_units(text, longest)
    assert "".join("".join(units).split()) == "".join(text.split())
    assert all(0 < len(unit) <= longest for unit in units)
