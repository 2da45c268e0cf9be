"""Masked numbers and spellings of one number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.numbers import mask, mask_all, same_number

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+74951234567", "+74*******67"),
        ("15550100100", "155******00"),
        ("112", "***"),
        ("", ""),
        ("+12345", "******"),
    ],
)
def test_the_middle_of_a_number_is_hidden(number: str, masked: str) -> None:
    """Country and last two digits stay, short numbers are hidden whole."""
    assert mask(number) == masked


@given(st.from_regex(r"\+?[0-9]{6,15}", fullmatch=True))
def test_at_most_five_digits_stay_and_the_length_does(number: str) -> None:
    """No spelling of a number leaves more than five of its characters readable."""
    masked = mask(number)
    assert len(masked) == len(number)
    assert sum(char.isdigit() for char in masked) <= 5


def test_numbers_inside_texts_are_hidden() -> None:
    """SIP URIs and room names carry numbers; short runs of digits such as ports stay."""
    assert mask_all("sip:+74951234567@10.0.0.1:5060") == "sip:+74*******67@10.0.0.1:5060"
    assert mask_all("call_+15550100199_abCD") == "call_+15*******99_abCD"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [("+7 (495) 123-45-67", "74951234567", True), ("+74951234567", "84951234567", False), ("", "", True)],
)
def test_spellings_of_one_number(left: str, right: str, same: bool) -> None:
    """Blanks, hyphens, brackets and a plus do not make another number; a trunk prefix does."""
    assert same_number(left, right) is same
