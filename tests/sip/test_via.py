"""Via values and where a response goes."""

from __future__ import annotations

import pytest

from telephony.errors import SipParseError
from telephony.sip.via import Via

pytestmark = pytest.mark.pure

SOURCE = ("198.51.100.7", 40000)


@pytest.mark.parametrize(
    ("text", "goes_to"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1", ("198.51.100.7", 5070)),
        ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", ("198.51.100.7", 5060)),
        ("SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK1", ("198.51.100.7", 5070)),
        ("SIP/2.0/UDP phone.example:5070;branch=z9hG4bK1", ("198.51.100.7", 5070)),
        ("SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bK1", ("198.51.100.7", 40000)),
        ("SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;branch=z9hG4bK1", ("198.51.100.7", 5060)),
        ("SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;rport=53;branch=z9hG4bK1", ("198.51.100.7", 40000)),
    ],
)
def test_a_response_goes_back_to_where_the_request_came_from(text: str, goes_to: tuple[str, int]) -> None:
    """RFC 3261 18.2.2 and RFC 3581: never to an address that only the sender's words name."""
    assert Via.parse(text).stamped(SOURCE).reply_address() == goes_to


def test_received_is_written_only_where_it_differs() -> None:
    """Without rport and with the right address in sent-by the Via stays as it is."""
    text = "SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK1"
    assert str(Via.parse(text).stamped(SOURCE)) == text
    stamped = Via.parse("SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1").stamped(SOURCE)
    assert str(stamped) == "SIP/2.0/UDP 10.0.0.1;rport=40000;branch=z9hG4bK1;received=198.51.100.7"


def test_blanks_are_allowed_where_the_grammar_allows_them() -> None:
    """Round slashes, the colon, and the equals sign."""
    via = Via.parse("SIP / 2.0 / udp   host.example : 5070 ; branch = z9hG4bKx ;rport")
    assert (via.protocol, via.host, via.port, via.branch) == ("UDP", "host.example", 5070, "z9hG4bKx")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/3.0/UDP h",
        "HTTP/1.1 h",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h;a;a",
        "SIP/2.0/UDP a b",
    ],
)
def test_a_malformed_via_is_refused(text: str) -> None:
    """What is not a SIP/2.0 Via raises SipParseError."""
    with pytest.raises(SipParseError):
        Via.parse(text)


@pytest.mark.parametrize(
    ("branch", "known"), [("z9hG4bKabc", True), ("z9hG4bK", False), ("abc", False), ("", False)]
)
def test_only_a_branch_with_the_cookie_and_more_names_a_transaction(branch: str, known: bool) -> None:
    """The bare cookie says nothing."""
    assert Via("UDP", "h", params={"branch": branch}).is_rfc3261 is known
