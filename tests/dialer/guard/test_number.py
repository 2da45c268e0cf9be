from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.dialer.guard.kinds import ALLOWABLE, Kind, is_allowed
from telephony.dialer.guard.number import is_emergency_anywhere, read_number

pytestmark = pytest.mark.pure

EXAMPLES = [
    phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (example := phonenumbers.example_number(region)) is not None
]
digits = st.text("0123456789", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "e164", "region"),
    [
        ("+74957654321", "+74957654321", "RU"),
        ("84957654321", "+74957654321", "RU"),
        ("8 (495) 765-43-21", "+74957654321", "RU"),
        ("74957654321", "+74957654321", "RU"),
        ("9161234567", "+79161234567", "RU"),
        ("88001234567", "+78001234567", "RU"),
        ("87012345678", "+77012345678", "KZ"),
        ("810442079460000", "+442079460000", "GB"),
        ("+7 701 234-56-78", "+77012345678", "KZ"),
    ],
)
def test_a_national_spelling_is_read_in_the_country_that_the_file_names(
    text: str, e164: str, region: str
) -> None:
    """Every spelling that people in Russia use becomes one number, and what was read into it is said."""
    found = read_number(text, "RU")
    assert (found.e164, found.region, found.problem) == (e164, region, "")
    assert bool(found.notes) == (not text.startswith("+"))


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("442079460000", "no number of RU", "+442079460000"),
        ("+79001234567890", "No country", "length"),
        ("+87077311123", "No country", "+77077311123"),
        ("+112012000000", "as it is written", "+12012000000"),
        ("+784957654321", "as it is written", "+74957654321"),
        ("+7 495 765-43-21 доб. 123", "extension", "after the answer"),
        ("+74957654321,123", "extension", "after the answer"),
        ("+74957654321;ext=45", "extension", "after the answer"),
        ("+7495765432\uff11", "not a telephone number", "E.164"),
        ("\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "not a telephone number", "E.164"),
        ("1-800-FLOWERS", "not a telephone number", "E.164"),
        ("sip:112@example.com", "not a telephone number", "E.164"),
        ("", "not a telephone number", "E.164"),
        ("+7495\x007654321", "not a telephone number", "E.164"),
        ("++74957654321", "not a telephone number", "E.164"),
        ("7+4957654321", "not a telephone number", "E.164"),
        ("4444", "short", "extra_numbers"),
        ("+900", "short", "extra_numbers"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_with_what_to_write(
    text: str, problem: str, fix: str
) -> None:
    """No digit is dropped, added or moved to another country to make a number of it."""
    found = read_number(text, "RU")
    assert found.e164 == ""
    assert problem in found.problem
    assert fix in found.fix


@pytest.mark.parametrize("text", ["74957654321", "84957654321", "9161234567", "2125550123"])
def test_without_a_country_a_number_needs_its_plus(text: str) -> None:
    """The same digits mean other numbers elsewhere, so they are not read at all."""
    assert "default_region" in read_number(text).problem


def test_a_plus_before_a_national_eight_is_another_country_and_said_to_be() -> None:
    """+8 495 … is Vietnam's; nobody is called there for a Moscow number without being told."""
    found = read_number("+84951234567", "RU")
    assert (found.e164, found.region) == ("+84951234567", "VN")
    assert "+74951234567" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "region"), [("112", "RU"), ("+112", "RU"), ("911", "US"), ("01", "RU"), ("999", None)]
)
def test_emergency_numbers_are_known(text: str, region: str | None) -> None:
    """They are named for what they are, with and without a plus."""
    assert read_number(text, region).kind is Kind.EMERGENCY


def test_an_emergency_number_of_any_country_is_found() -> None:
    """What is allowed one by one is held against the tables of every country."""
    assert is_emergency_anywhere("110")
    assert not is_emergency_anywhere("4444")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+74957654321", Kind.FIXED_LINE),
        ("+79161234567", Kind.MOBILE),
        ("+12125550123", Kind.FIXED_LINE_OR_MOBILE),
        ("+18005550123", Kind.TOLL_FREE),
        ("+19002345678", Kind.PREMIUM),
        ("+78091234567", Kind.PREMIUM),
        ("+979123456789", Kind.PREMIUM),
        ("+870773111234", Kind.SATELLITE),
        ("+881612345678", Kind.SATELLITE),
        ("+882161234567", Kind.NETWORK),
        ("+883510012345", Kind.NETWORK),
        ("+447012345678", Kind.PERSONAL),
        ("+491801234567", Kind.SHARED_COST),
    ],
)
def test_kinds_are_those_that_bills_know(number: str, kind: Kind) -> None:
    """Satellite and network numbers have kinds of their own, which libphonenumber lacks."""
    assert read_number(number).kind is kind


def test_what_cannot_be_told_apart_needs_both_kinds() -> None:
    """In North America a number may be a mobile, so it passes only where mobiles do."""
    both = frozenset({Kind.FIXED_LINE, Kind.MOBILE})
    assert is_allowed(Kind.FIXED_LINE_OR_MOBILE, both)
    assert not is_allowed(Kind.FIXED_LINE_OR_MOBILE, frozenset({Kind.FIXED_LINE}))
    assert not any(
        is_allowed(kind, frozenset(Kind)) for kind in set(Kind) - {*ALLOWABLE, Kind.FIXED_LINE_OR_MOBILE}
    )


@given(st.sampled_from(EXAMPLES), st.sampled_from(["RU", "US", "DE", None]))
def test_a_number_in_e164_is_itself_whatever_the_country_of_the_file(number: str, region: str | None) -> None:
    """With its plus it is read in one way only."""
    assert read_number(number, region).e164 == number


@given(
    st.text(max_size=30) | digits | digits.map(lambda text: f"+{text}"), st.sampled_from(["RU", "US", None])
)
def test_whatever_is_written_becomes_a_valid_number_or_a_problem(text: str, region: str | None) -> None:
    """Never both, never neither, and no digit that was not written but a country code."""
    found = read_number(text, region)
    assert bool(found.e164) != bool(found.problem)
    if found.e164:
        assert phonenumbers.is_valid_number(phonenumbers.parse(found.e164))
        assert read_number(found.e164, region).e164 == found.e164
        tail = found.e164[-4:]
        assert found.bare.endswith(tail)


@given(digits.map(lambda text: f"+{text}"))
def test_nothing_is_changed_in_what_has_a_plus(text: str) -> None:
    """A text with a plus is dialled as it stands or not at all."""
    assert read_number(text, "RU").e164 in ("", text)
