"""Russian answers: yes and no, days, times, digits and numbers as recognisers write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.assistants.slots.number import parse_number
from telephony.assistants.slots.types import SlotTypeName, slot_types
from telephony.assistants.wording import words_of

pytestmark = pytest.mark.pure

RUSSIAN = slot_types("ru")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("yes_no", "Да, верно.", "yes"),
        ("yes_no", "Ага, хорошо", "yes"),
        ("yes_no", "Нет, не так.", "no"),
        ("yes_no", "Да нет, не подходит", "no"),
        ("yes_no", "Это Иван", None),
        ("day", "Давайте во вторник.", "tuesday"),
        ("day", "Послезавтра", "day_after_tomorrow"),
        ("day", "Не в среду, в четверг", "thursday"),
        ("day", "Двадцать первого ноября", "11-21"),
        ("day", "3 мая", "05-03"),
        ("day", "тридцать первого февраля", None),
        ("time", "В пять вечера", "17:00"),
        ("time", "полпятого", "16:30"),
        ("time", "в половине четвёртого", None),
        ("time", "Без пятнадцати пять", "16:45"),
        ("time", "без четверти девять утра", "08:45"),
        ("time", "в 15:30", "15:30"),
        ("time", "девять часов", "09:00"),
        ("time", "в десять тридцать", "10:30"),
        ("time", "в час дня", "13:00"),
        ("time", "полдень", "12:00"),
        ("digits", "Девятьсот шестнадцать, сто двадцать три, 45 67", "9161234567"),
        ("digits", "ноль семь", "07"),
        ("number", "Восемь из десяти", "8"),
        ("number", "Ну, девять", "9"),
        ("number", "не знаю", None),
        ("name", "Меня зовут анна иванова", "Анна Иванова"),
        ("name", "Повторите", None),
        ("text", " всё   хорошо ", "всё хорошо"),
    ],
)
def test_an_answer_is_read(kind: SlotTypeName, text: str, value: str | None) -> None:
    """The value that a person would write down."""
    assert RUSSIAN[kind].read(text, True) == value


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("day", "tuesday", "во вторник"),
        ("day", "day_after_tomorrow", "послезавтра"),
        ("day", "11-21", "двадцать первого ноября"),
        ("day", "01-30", "тридцатого января"),
        ("day", "03-12", "двенадцатого марта"),
        ("time", "15:30", "пятнадцать тридцать"),
        ("time", "21:00", "двадцать один час"),
        ("time", "09:00", "девять часов"),
        ("time", "22:05", "двадцать два ноль пять"),
        ("digits", "916", "девять один шесть"),
        ("yes_no", "yes", "да"),
    ],
)
def test_a_value_is_said_in_words(kind: SlotTypeName, value: str, said: str) -> None:
    """No figure is left for a voice to guess the case of."""
    assert RUSSIAN[kind].said(value) == said


@settings(deadline=None)
@given(st.sampled_from(sorted(RUSSIAN)), st.text(max_size=60), st.booleans())
def test_nothing_that_is_said_breaks_a_reader(kind: SlotTypeName, text: str, asked: bool) -> None:
    """Any text is a value that can be said, or none."""
    value = RUSSIAN[kind].read(text, asked)
    if value is not None:
        assert RUSSIAN[kind].said(value)


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_that_is_said_is_understood_again(hour: int, minute: int) -> None:
    """In the morning and after seven, where the hour alone is not ambiguous."""
    if 1 <= hour <= 6 or 0 < minute < 10:
        return
    value = f"{hour:02d}:{minute:02d}"
    assert RUSSIAN["time"].read(f"в {RUSSIAN['time'].said(value)}", True) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Nine.", "9"),
        ("I would say 8 out of 10", "8"),
        ("twenty five", "25"),
        ("one", "1"),
        ("the one with the blue car", None),
        ("10", "10"),
    ],
)
def test_an_english_number_is_read(text: str, value: str | None) -> None:
    """The mark, not the scale, and no pronoun."""
    assert parse_number(words_of(text)) == value
