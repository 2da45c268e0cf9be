import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.assistants.slots.types import SLOT_TYPES, SlotTypeName

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "asked", "unasked"),
    [
        ("3:30 p.m.", "15:30", "15:30"),
        ("At half past three.", "15:30", "15:30"),
        ("half three", "15:30", "15:30"),
        ("At house past three,", "15:30", "15:30"),
        ("I have passed three", "15:30", "15:30"),
        ("quarter passed nine", "09:15", "09:15"),
        ("three thirty", "15:30", "15:30"),
        ("330", "15:30", None),
        ("3.30pm", "15:30", "15:30"),
        ("3.30 P.M.", "15:30", "15:30"),
        ("15:30", "15:30", "15:30"),
        ("At three.", "15:00", "15:00"),
        ("three o'clock in the afternoon", "15:00", "15:00"),
        ("9 in the morning", "09:00", "09:00"),
        ("nine o'clock", "09:00", "09:00"),
        ("quarter to four", "15:45", "15:45"),
        ("a quarter past nine", "09:15", "09:15"),
        ("twenty to five", "16:40", "16:40"),
        ("quarter to one", "12:45", "12:45"),
        ("ten minutes past nine", "09:10", "09:10"),
        ("nine fifteen", "09:15", "09:15"),
        ("three oh five", "15:05", "15:05"),
        ("eleven thirty a.m.", "11:30", "11:30"),
        ("12 a.m.", "00:00", "00:00"),
        ("12 p.m.", "12:00", "12:00"),
        ("noon", "12:00", "12:00"),
        ("09:00", "09:00", "09:00"),
        ("No, at four, please.", "16:00", "16:00"),
        ("Not at three, at four.", "16:00", "16:00"),
        ("Could you make it four thirty", "16:30", "16:30"),
        ("I am 30 years old", None, None),
        ("25:70", None, None),
        ("Tuesday.", None, None),
        ("", None, None),
    ],
)
def test_times_in_any_spelling(text: str, asked: str | None, unasked: str | None) -> None:
    """A time is read however it is said or written; bare numbers only count when it was asked for."""
    assert SLOT_TYPES["time"].read(text, True) == asked
    assert SLOT_TYPES["time"].read(text, False) == unasked


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Tuesday.", "tuesday"),
        ("on tuesdey please", "tuesday"),
        ("Not Monday, Tuesday.", "tuesday"),
        ("Tomorrow.", "tomorrow"),
        ("today", "today"),
        ("the 24th of November", "11-24"),
        ("November the twenty-fourth", "11-24"),
        ("24 november", "11-24"),
        ("march 3rd", "03-03"),
        ("the thirty first of february", None),
        ("Wensday", "wednesday"),
        ("I may come on Thursday", "thursday"),
        ("the day after tomorrow", "day_after_tomorrow"),
        ("three people", None),
        ("", None),
    ],
)
def test_days_in_any_spelling(text: str, day: str | None) -> None:
    """Weekdays, dates and tomorrow are read; the last one said and not refused counts."""
    assert SLOT_TYPES["day"].read(text, True) == day


@pytest.mark.parametrize(
    ("text", "asked", "unasked"),
    [
        ("Anna Keller.", "Anna Keller", None),
        ("My name is Anna Keller.", "Anna Keller", "Anna Keller"),
        ("It's anna keller", "Anna Keller", None),
        ("this is John McDonald speaking", "John McDonald", None),
        ("Yes, it's O'Brien.", "O'Brien", None),
        ("My name is Anna Keller and I'd like to book", "Anna Keller", "Anna Keller"),
        ("JEAN-LUC PICARD", "Jean-Luc Picard", None),
        ("What did you say?", None, None),
        ("no", None, None),
        ("on Tuesday at three", None, None),
        ("one two three four five six", None, None),
        ("", None, None),
    ],
)
def test_names_are_taken_only_where_they_are_asked_for_or_announced(
    text: str, asked: str | None, unasked: str | None
) -> None:
    """Lead-ins and politeness fall away, and a question is not a name."""
    assert SLOT_TYPES["name"].read(text, True) == asked
    assert SLOT_TYPES["name"].read(text, False) == unasked


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes.", "yes"),
        ("Yeah, that's right.", "yes"),
        ("That's not right.", "no"),
        ("No, that's all, thank you.", "no"),
        ("Okay", "yes"),
        ("I don't know", None),
        ("I don't think so", "no"),
        ("hmm", None),
    ],
)
def test_yes_and_no(text: str, answer: str | None) -> None:
    """Refusal wins over agreement, and doubt is neither."""
    assert SLOT_TYPES["yes_no"].read(text, True) == answer
    assert SLOT_TYPES["yes_no"].read(text, False) is None


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("207-946-0958", "2079460958"),
        ("two oh seven, double five", "20755"),
        ("9 1 6 3.", "9163"),
        ("treble nine", "999"),
        ("nothing here", None),
        ("1" * 33, None),
    ],
)
def test_digits_in_any_grouping(text: str, digits: str | None) -> None:
    """Digits are read through hyphens, words and doubles, up to a bound."""
    assert SLOT_TYPES["digits"].read(text, True) == digits


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("time", "15:30", "3:30 PM"),
        ("time", "09:00", "9 AM"),
        ("time", "12:00", "noon"),
        ("time", "00:15", "12:15 AM"),
        ("day", "tuesday", "Tuesday"),
        ("day", "tomorrow", "tomorrow"),
        ("day", "11-24", "November 24"),
        ("digits", "207", "2 0 7"),
        ("name", "Anna", "Anna"),
    ],
)
def test_values_are_said_as_people_say_them(kind: SlotTypeName, value: str, said: str) -> None:
    """What was understood is read back in words that can be checked by ear."""
    assert SLOT_TYPES[kind].said(value) == said


@settings(deadline=None)
@given(
    st.sampled_from(sorted(SLOT_TYPES)),
    st.text() | st.text("0123456789:. apmtonehalf", max_size=40),
    st.booleans(),
)
def test_no_text_breaks_a_slot(kind: SlotTypeName, text: str, asked: bool) -> None:
    """Any text yields a value that can be said, or none."""
    value = SLOT_TYPES[kind].read(text, asked)
    if value is not None:
        assert SLOT_TYPES[kind].said(value)


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_survives_being_said_and_heard(hour: int, minute: int) -> None:
    """What is read back, heard again, is the same time."""
    value = f"{hour:02d}:{minute:02d}"
    assert SLOT_TYPES["time"].read(SLOT_TYPES["time"].said(value), True) == value
