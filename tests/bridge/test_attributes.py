"""Headers to attributes and back, hostile ones among them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.bridge import attributes
from telephony.bridge.io_service import IncludeHeaders

pytestmark = pytest.mark.pure

HEADERS = [
    ("X-Campaign", "spring"),
    ("x-campaign", "second"),
    ("X-Twilio-CallSid", "CA1"),
    ("X-call_leg_id", "leg"),
    ("X-Amzn-ConnectContactId", "c1"),
    ("Subject", "hello"),
    ("Proxy-Authorization", 'Digest username="u"'),
    ("Authorization", "Digest x"),
]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (IncludeHeaders.NONE, set()),
        (
            IncludeHeaders.X_HEADERS,
            {"x-campaign", "x-twilio-callsid", "x-call_leg_id", "x-amzn-connectcontactid"},
        ),
        (
            IncludeHeaders.ALL,
            {"x-campaign", "x-twilio-callsid", "x-call_leg_id", "x-amzn-connectcontactid", "subject"},
        ),
    ],
)
def test_included_headers_become_sip_h_attributes(include: int, expected: set[str]) -> None:
    """None, those that begin with X-, or all; names in lower case, credentials never."""
    made = attributes.header_attributes(HEADERS, mapping={}, include=include)
    assert {key.removeprefix("sip.h.") for key in made if key.startswith("sip.h.")} == expected


def test_mapped_and_provider_headers_have_names_of_their_own() -> None:
    """headers_to_attributes goes by name in any case; Twilio's, Telnyx' and Amazon's ids are always there."""
    made = attributes.header_attributes(HEADERS, mapping={"x-CAMPAIGN": "campaign"}, include=0)
    assert made == {
        "campaign": "spring",
        "sip.twilio.callSid": "CA1",
        "sip.telnyx.callLegID": "leg",
        "sip.amazon.connectcontactid": "c1",
    }


def test_a_caller_cannot_replace_what_the_call_is_known_by() -> None:
    """Whatever is mapped to a sip.* name, the server's own value stays; a rule's own attribute gives way."""
    made = attributes.call_attributes(
        {"sip.callID": "SCL_1", "sip.phoneNumber": "+1", "language": "en"},
        {"sip.callID": "evil", "sip.callStatus": "active", "language": "fr"},
        status="ringing",
        call_tag="tag",
        sip_call_id="id",
    )
    assert made == {
        "sip.callID": "SCL_1",
        "sip.phoneNumber": "+1",
        "language": "fr",
        "sip.callStatus": "ringing",
        "sip.callTag": "tag",
        "sip.callIDFull": "id",
    }


@given(
    st.lists(
        st.tuples(st.from_regex(r"X-[A-Za-z0-9]{1,20}", fullmatch=True), st.text(max_size=3000)), max_size=200
    )
)
def test_header_attributes_are_bounded_whatever_comes(headers: list[tuple[str, str]]) -> None:
    """Number, length and characters are limited."""
    made = attributes.header_attributes(headers, mapping={}, include=IncludeHeaders.ALL)
    assert len(made) <= attributes.MAX_HEADERS
    assert sum(len(key) + len(value) for key, value in made.items()) <= attributes.MAX_TOTAL
    assert all(len(value) <= attributes.MAX_VALUE and value.isprintable() for value in made.values())


def test_attributes_become_headers_of_our_own() -> None:
    """The trunk's fixed headers and those made from attributes; empty and unknown attributes leave none."""
    made = attributes.attribute_headers(
        {"outcome": "done\r\nX-Evil: 1", "empty": ""},
        {"outcome": "X-Outcome", "empty": "X-Empty", "missing": "X-Missing"},
        {"X-Fixed": "yes"},
    )
    assert made == [("X-Fixed", "yes"), ("X-Outcome", "doneX-Evil: 1")]
