"""How much silence ends a turn."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from telephony.turns.endpointing import MOST_PATIENT, Asked, Endpointing, EndpointingSettings

pytestmark = pytest.mark.pure

SETTINGS = EndpointingSettings()
YES_NO = Asked("yes_no")
FOUR = Asked("digits", 4)


@pytest.mark.parametrize(
    ("language", "text", "asked", "ending"),
    [
        ("en", "Yes.", YES_NO, "answered"),
        ("en", "yeah, sure", YES_NO, "answered"),
        ("ru", "Да, конечно.", YES_NO, "answered"),
        ("ru", "Нет", YES_NO, "answered"),
        ("en", "Yes, but I", YES_NO, "unfinished"),
        ("en", "I would like to", Asked("open"), "unfinished"),
        ("en", "I would like to.", Asked("open"), "unfinished"),
        ("en", "my name is", Asked("open"), "unfinished"),
        ("ru", "Я хотел бы записаться на", Asked("open"), "unfinished"),
        ("ru", "меня зовут", Asked("open"), "unfinished"),
        ("ru", "ну, эээ", Asked("open"), "unfinished"),
        ("en", "When are you open?", Asked(), "sentence"),
        ("ru", "Когда вы открываетесь?", Asked(), "sentence"),
        ("en", "an appointment on Friday", Asked("open"), "open"),
        ("en", "On Tuesday, please.", Asked("open"), "sentence"),
        ("ru", "Во вторник, пожалуйста.", Asked("open"), "sentence"),
        ("en", "What time is it?", Asked(), "sentence"),
        ("en", "the thing is, um.", Asked(), "unfinished"),
        ("en", "", Asked("open"), "open"),
        ("en", "four two", FOUR, "digits"),
        ("en", "4 2, seven one.", FOUR, "answered"),
        ("ru", "один два", FOUR, "digits"),
        ("ru", "один два 34", FOUR, "answered"),
        ("en", "42", Asked("digits"), "digits"),
        ("en", "I do not know it.", FOUR, "digits"),
        ("xx", "something in between", Asked(), "open"),
    ],
)
def test_a_text_shows_whether_more_is_to_come(language: str, text: str, asked: Asked, ending: str) -> None:
    """Answers end a turn, words that join others do not; digits end it when all are there."""
    assert Endpointing(SETTINGS, language).ending(text, asked) == ending


@pytest.mark.parametrize(
    ("language", "text", "ending"),
    [
        ("en", "At half past three,", "open"),
        ("ru", "В половине четвёртого, ", "open"),
        ("en", "I would like to,", "unfinished"),
        ("en", "On Tuesday...", "unfinished"),
        ("en", "Tuesday, or Friday -", "unfinished"),
    ],
)
def test_a_comma_at_the_end_of_a_piece_by_itself_says_nothing(language: str, text: str, ending: str) -> None:
    """A recogniser without interim words writes one by chance; words and other marks say what they say."""
    alone = Endpointing(SETTINGS, language, final_only=True)
    assert alone.ending(text, Asked("open")) == ending
    assert Endpointing(SETTINGS, language).ending(text, Asked("open")) == "unfinished"


def test_a_caller_who_was_cut_off_gets_more_time() -> None:
    """Each time more, up to a limit, and less again by and by; an answer is an answer all the same."""
    endpointing = Endpointing(SETTINGS, "en")
    first_s = endpointing.silence_s("on Friday")
    endpointing.cut_off()
    assert endpointing.silence_s("on Friday") > first_s
    for _ in range(9):
        endpointing.cut_off()
    assert endpointing.silence_s("on Friday") == pytest.approx(MOST_PATIENT * first_s)
    assert endpointing.silence_s("yes", YES_NO) == SETTINGS.answer_ms / 1000
    for _ in range(99):
        endpointing.went_well()
    assert endpointing.silence_s("on Friday") == first_s


def test_silences_that_make_no_sense_are_refused() -> None:
    """An answer cannot need more silence than a text that goes on."""
    with pytest.raises(ValidationError, match="must not decrease"):
        EndpointingSettings(answer_ms=900, silence_ms=300)
