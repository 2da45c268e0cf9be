import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.assistants.wording import Phrase, same_word, words_of

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3:30 p.m.", ("3:30", "pm")),
        ("3.30pm", ("3:30", "pm")),
        ("That's right!", ("thats", "right")),
        ("That’s right", ("thats", "right")),
        ("Three o'clock.", ("three", "oclock")),
        ("207-946-0958", ("207", "946", "0958")),
        ("1,234", ("1234",)),
        ("", ()),
        ("...", ()),
    ],
)
def test_words_lose_what_recognisers_disagree_about(text: str, words: tuple[str, ...]) -> None:
    """Capitals, apostrophes, commas and the spelling of p.m. make no difference."""
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("phrase", "said", "found"),
    [
        ("book/make an appointment", "I'd like to make an appointment, please.", True),
        ("book/make an appointment", "an appointment to make", False),
        ("speak * operator", "Can I speak to the operator?", True),
        ("speak * operator", "speak to somebody else and then the operator", False),
        ("appointment", "an apointment", True),
        ("bye", "by", False),
        ("book", "look", False),
    ],
)
def test_a_phrase_is_found_as_words_that_follow_one_another(phrase: str, said: str, found: bool) -> None:
    """Alternatives and short gaps match, one wrong letter is forgiven in long words only."""
    assert Phrase.parse(phrase).is_in(words_of(said)) is found


@pytest.mark.parametrize("text", ["", "* a", "a *", "a * * b", "3pm/one", "?", "a * b * c * d * e"])
def test_a_phrase_that_is_not_in_the_notation_is_refused(text: str) -> None:
    """Nothing to look for, a gap at an end, or more than one word in an alternative is an error."""
    with pytest.raises(ValueError, match=r".+"):
        Phrase.parse(text)


@pytest.mark.parametrize(
    ("heard", "meant", "same"),
    [
        ("tuesdey", "tuesday", True),
        ("tuseday", "tuesday", True),
        ("wednesdy", "wednesday", True),
        ("sunday", "monday", False),
        ("123456", "12345x", False),
        ("open", "opens", False),
    ],
)
def test_one_slip_in_a_long_word_is_forgiven(heard: str, meant: str, same: bool) -> None:
    """A wrong, missing, extra or swapped letter passes from six letters on."""
    assert same_word(heard, meant) is same


@settings(deadline=None)
@given(st.text())
def test_any_text_has_words_without_spaces_or_capitals(text: str) -> None:
    """Whatever a recogniser writes is split without an error."""
    for word in words_of(text):
        assert word
        assert word == word.casefold()
        assert " " not in word
