"""Hidden numbers and asserted identities."""

from __future__ import annotations

import pytest

from telephony.bridge.caller_identity import ANONYMOUS, caller_user, is_hidden, told_headers
from tests.bridge.sip_text import invite

pytestmark = pytest.mark.pure

NUMBER = "+15550177"
ASSERTED = f"P-Asserted-Identity: <sip:{NUMBER}@carrier.example>"
NOBODY = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@pytest.mark.parametrize(
    ("sender", "headers", "user"),
    [
        ("<sip:+15550199@carrier.example>", [], "+15550199"),
        ("<sip:+15550199@carrier.example>", [ASSERTED], "+15550199"),
        ("<sip:+15550199@carrier.example>", ["Privacy: none"], "+15550199"),
        ("<sip:+15550199@carrier.example>", ["Privacy: id", ASSERTED], "+15550199"),
        ("<sip:+15550199@carrier.example>", ["Privacy: user;id"], ANONYMOUS),
        (NOBODY, [], ANONYMOUS),
        (NOBODY, ["Privacy: id", ASSERTED], ANONYMOUS),
        (NOBODY, ["Privacy: ID;critical", ASSERTED], ANONYMOUS),
        (NOBODY, [ASSERTED], NUMBER),
        (NOBODY, [f"P-Asserted-Identity: <sip:carrier.example>, <tel:{NUMBER}>"], NUMBER),
        (NOBODY, ["P-Asserted-Identity: <broken"], ANONYMOUS),
        ("<sip:carrier.example>", [], ANONYMOUS),
        ("<sip:Restricted@192.0.2.7>", [], ANONYMOUS),
    ],
)
def test_the_number_is_that_which_may_be_told(sender: str, headers: list[str], user: str) -> None:
    """From's, or the asserted one where From names nobody; hidden ones are anonymous."""
    request = invite(*headers, sender=sender)
    assert caller_user(request) == user
    assert is_hidden(request) == (user == ANONYMOUS)


@pytest.mark.parametrize("privacy", ["Privacy: id", "Privacy: user", "Privacy: header;session", ""])
def test_no_header_names_a_hidden_caller(privacy: str) -> None:
    """Whatever the carrier tells us beside From stays with us, and the rest goes on."""
    party = f"Remote-Party-ID: <sip:{NUMBER}@carrier.example>;privacy=full"
    given = [ASSERTED, party, "X-Queue: sales", *([privacy] if privacy else [])]
    headers = told_headers(invite(*given, sender=NOBODY))
    assert ("X-Queue", "sales") in headers
    if privacy:
        assert NUMBER not in str(headers)


def test_of_a_caller_who_hides_nothing_all_is_told() -> None:
    """The asserted identity too, which the trunk's include_headers may ask for."""
    request = invite(ASSERTED)
    assert told_headers(request) == list(request.headers)
