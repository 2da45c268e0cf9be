from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.calls.party import party

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("as_sent", "e164", "inferred"),
    [
        ("+15550100100", "+15550100100", False),
        ("+7 495 123-45-67", "+74951234567", False),
        ("79161234567", "+79161234567", True),
        ("89161234567", None, False),
        ("9161234567", None, False),
        ("100", None, False),
        ("anonymous", None, False),
        ("", None, False),
    ],
)
def test_a_number_is_read_and_never_guessed(as_sent: str, e164: str | None, inferred: bool) -> None:
    """A number without its plus is read as international only where that makes a valid one, and says so."""
    read = party(as_sent)
    assert (read.as_sent, read.e164, read.inferred) == (as_sent, e164, inferred)


@given(st.text(max_size=300))
def test_anything_a_caller_may_call_himself_is_read(text: str) -> None:
    """No From header breaks the reading, and no long run of digits is left in the masked form."""
    read = party(text)
    assert len(read.as_sent) <= 128
    if read.e164:
        assert read.e164 not in read.masked
