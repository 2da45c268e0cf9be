"""Recognised text as words, and phrases in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telephony.turns import phrases
from telephony.turns.phrases import LISTS, languages, phrases_for
from telephony.turns.spoken import asks, heard_part
from telephony.turns.words import alike, begins, contains, made_of, opening, without, words_of

pytestmark = pytest.mark.pure

FOLDER = Path(phrases.__file__).parent / "languages"

MANY = st.lists(st.sampled_from(["a", "b", "c"]), max_size=6).map(tuple)
SOME = st.frozensets(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(tuple), max_size=4
)


def test_marks_capitals_and_drawn_out_sounds_do_not_matter() -> None:
    """What a recogniser writes and what a person writes in a list are the same words."""
    assert words_of("  Ещё… Угу-угу!") == ("еще", "угу", "угу")
    assert words_of("Mmmmm-hm, that’s") == ("mm", "hm", "that's")
    assert words_of("…") == ()


@given(MANY, SOME)
def test_phrases_are_found_the_same_way_by_all(
    words: tuple[str, ...], phrases: frozenset[tuple[str, ...]]
) -> None:
    """A text made of phrases begins with one; what is left without them never holds one of one word."""
    if made_of(words, phrases):
        assert opening(words, phrases, ())
        assert any(contains(words, phrase) for phrase in phrases)
    left = without(words, phrases)
    assert not any((word,) in phrases for word in left)
    assert len(left) <= len(words)


@pytest.mark.parametrize(
    ("one", "other", "is_alike"),
    [
        ("night", "right", True),
        ("понядно", "понятно", True),
        ("nine", "fine", False),
        ("operator", "right", False),
        ("yes", "yes", True),
    ],
)
def test_words_are_alike_that_differ_by_a_letter(one: str, other: str, is_alike: bool) -> None:
    """Of five letters one, of six two; short words must be the same."""
    assert alike(one, other) is is_alike
    assert alike(other, one) is is_alike


@pytest.mark.parametrize(
    ("text", "may_become"),
    [("oh i", True), ("let me", True), ("oh i see", True), ("oh i want", False), ("yeah let", True)],
)
def test_the_beginning_of_a_phrase_may_become_it(text: str, may_become: bool) -> None:
    """Alone, or after phrases that are whole."""
    known = phrases_for("en")
    assert begins(words_of(text), known.backchannels | known.hold, known.fillers) is may_become


def test_every_language_has_all_lists() -> None:
    """Russian and English are complete; others begin in the same order, and an unknown one is English."""
    assert {"de", "en", "es", "fr", "ru"} <= set(languages())
    for language in languages():
        known = phrases_for(language)
        assert all(getattr(known, name) for name in LISTS), language
        written = yaml.safe_load((FOLDER / f"{language}.yaml").read_text())
        assert list(written) == list(LISTS)
        assert all(isinstance(text, str) for texts in written.values() for text in texts), language
    assert phrases_for("ru-RU").stop == phrases_for("ru").stop
    assert phrases_for("xx").stop == phrases_for("en").stop


@pytest.mark.parametrize(("share", "asked"), [(0.0, False), (0.3, False), (0.75, True), (1.0, True)])
def test_a_question_is_pending_from_its_first_word(share: float, asked: bool) -> None:
    """What was said before it is a statement, into which yes means nothing."""
    text = "We are open from nine to five, on Saturdays until one. Shall I book you in?"
    assert asks(text, share) is asked


def test_a_question_before_the_last_sentence_is_pending_for_a_while() -> None:
    """Half of the sentence after it may pass."""
    text = "Shall I book you in? Otherwise I can tell you our opening hours now."
    assert asks(text, 0.35)
    assert not asks(text, 0.95)
    assert not asks("", 1.0)


@given(st.text(max_size=60), st.floats(-1, 2))
def test_what_was_heard_is_a_beginning(text: str, share: float) -> None:
    """Whatever the share."""
    assert text.startswith(heard_part(text, share))
